"""The real client drivers: ADBC through Python's DB-API here, JDBC through tests/jdbc/Main.java."""

import datetime
import decimal
import os
import re
import subprocess
import threading
from pathlib import Path

import pyarrow.compute

from cluster import ROOT, Cluster, Suite, execute, query, wait_until
from compare import assert_same, rows

CACHE = Path(os.environ.get("WATERBUCK_TEST_CACHE", Path.home() / ".cache" / "waterbuck-tests"))
FOREVER = "SELECT count(*) FROM generate_series(1, 3000000) AS a(i) JOIN generate_series(1, 3000000) AS b(j) ON i % 7 <> j % 11"


def fails(action, *words):
    """Runs `action`, which must fail with all of `words` in its text."""
    try:
        action()
    except Exception as error:  # noqa: BLE001: the driver has no common error class
        text = str(error)
        assert all(word.lower() in text.lower() for word in words), text
        return
    raise AssertionError("it was taken")


def adbc(suite, cluster):
    """The checks through ADBC."""
    with cluster.connect() as connection, connection.cursor() as cursor:
        def types():
            cursor.execute("SELECT true, CAST(1 AS SMALLINT), 2.5, CAST(12.34 AS DECIMAL(10, 2)), 'text', "
                           "DATE '2024-02-29', TIMESTAMP '2024-02-29 01:02:03', CAST(NULL AS INT)")
            assert cursor.fetchone() == (True, 1, 2.5, decimal.Decimal("12.34"), "text", datetime.date(2024, 2, 29),
                                         datetime.datetime(2024, 2, 29, 1, 2, 3), None)

        def no_views():
            table = query(connection, "SELECT 'a' AS s, CAST('b' AS BYTEA) AS b, ['x'] AS l")
            assert table.schema.types[0] in (pyarrow.string(), pyarrow.large_string()), table.schema
            assert "view" not in str(table.schema), table.schema

        def updates():
            cursor.execute("CREATE TABLE adbc_t (n INT, s VARCHAR)")
            cursor.execute("INSERT INTO adbc_t VALUES (1, 'a'), (2, NULL), (3, 'c')")
            assert cursor.rowcount == 3, cursor.rowcount
            assert_same(rows(query(connection, "SELECT n, s FROM adbc_t ORDER BY n")), [(1, "a"), (2, None), (3, "c")])

        def parameters():
            cursor.execute("SELECT n FROM adbc_t WHERE n > ? AND s = ?", (1, "c"))
            assert cursor.fetchall() == [(3,)]
            cursor.executemany("INSERT INTO adbc_t VALUES (?, ?)", [(10, "x"), (11, None)])
            assert_same(rows(query(connection, "SELECT count(*), sum(n) FROM adbc_t")), [(5, 27)])

        def metadata():
            assert "adbc_t" in str(connection.adbc_get_objects(depth="tables").read_all().to_pylist())
            assert connection.adbc_get_table_schema("adbc_t").names == ["n", "s"]
            assert connection.adbc_get_info()

        def errors():
            fails(lambda: cursor.execute("SELECT m FROM adbc_t"), "m", "n")
            fails(lambda: cursor.execute("SELEC 1"), "line 1")
            fails(lambda: query(connection, "SELECT 1 / (n - 1) FROM adbc_t"), "zero")
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,), "the connection is not usable after an error"

        def cancelled():
            with cluster.connect() as other:
                def running():
                    found = query(other, "SELECT state FROM system.queries").column("state").to_pylist()
                    return [state for state in found if state.lower() in ("planning", "queued", "running")]

                with other.cursor() as victim:
                    victim.execute(FOREVER)
                    threading.Timer(0.5, victim.adbc_cancel).start()
                    fails(victim.fetchall)
                # Only the query that asks may be there.
                wait_until("the end of the cancelled query", lambda: len(running()) <= 1, seconds=5)

        def wrong_password():
            fails(lambda: cluster.connect(password="wrong"), "")

        def large():
            table = query(connection, "SELECT i, CAST(i AS VARCHAR) AS s FROM generate_series(1, 1000000) AS t(i)")
            assert table.num_rows == 1_000_000
            assert pyarrow.compute.sum(table["i"]).as_py() == 500_000_500_000

        suite.check("adbc: types", types)
        suite.check("adbc: no view types on the wire", no_views)
        suite.check("adbc: updates and their counts", updates)
        suite.check("adbc: parameters", parameters)
        suite.check("adbc: metadata", metadata)
        suite.check("adbc: errors", errors)
        suite.check("adbc: cancel", cancelled)
        suite.check("adbc: wrong password", wrong_password)
        suite.check("adbc: a large result", large)


def jdbc(suite, cluster):
    """Runs the checks of tests/jdbc and counts each as one of ours."""
    command = ["java", "--add-opens=java.base/java.nio=ALL-UNNAMED", "-cp", f"{CACHE}/jars/jdbc/*",
               ROOT / "tests" / "jdbc" / "Main.java", cluster.address]
    outcome = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300, check=False)
    closing = re.search(r"^jdbc: (\d+) passed, (\d+) failed$", outcome.stdout, re.MULTILINE)
    failures = [line for line in outcome.stdout.splitlines() if "FAILED" in line]
    print("\n".join(failures), end="\n" if failures else "")
    if closing is None:
        suite.check("jdbc", lambda: fails_with(outcome.stdout + outcome.stderr))
        return
    suite.passed += int(closing[1])
    suite.failed += int(closing[2])


def fails_with(text):
    """Fails with a text."""
    raise AssertionError(text[-2000:])


def main():
    suite = Suite("drivers")
    with Cluster() as cluster:
        adbc(suite, cluster)
        jdbc(suite, cluster)
    suite.end()


if __name__ == "__main__":
    main()
