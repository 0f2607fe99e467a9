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

        def wide_and_nested_types():
            digits = "1234567890123456789012345678901234567890.12"
            table = query(connection, f"SELECT CAST('{digits}' AS DECIMAL(60, 2)) AS d, TIME '01:02:03.5' AS t, "
                          "INTERVAL '14 months 3 days' AS i, X'00ff' AS b, [1, NULL, 2] AS l, "
                          "named_struct('a', 1, 'b', 'x') AS s, map(['k'], [1]) AS m, "
                          "arrow_cast('2024-02-29T01:02:03Z', 'Timestamp(Microsecond, Some(\"+00:00\"))') AS z")
            assert pyarrow.types.is_decimal256(table.schema.field("d").type), table.schema
            row = table.to_pylist()[0]
            interval = row.pop("i")
            assert (interval.months, interval.days, interval.nanoseconds) == (14, 3, 0), interval
            assert row == {"d": decimal.Decimal(digits), "t": datetime.time(1, 2, 3, 500000), "b": b"\x00\xff",
                           "l": [1, None, 2], "s": {"a": 1, "b": "x"}, "m": [("k", 1)],
                           "z": datetime.datetime(2024, 2, 29, 1, 2, 3, tzinfo=datetime.timezone.utc)}, row

        def double_names():
            table = query(connection, "SELECT x.n, y.n FROM (VALUES (1)) AS x(n) JOIN (VALUES (1)) AS y(n) ON x.n = y.n")
            assert table.column_names == ["n", "n"], table.schema

        def ingested_types():
            sent = pyarrow.table({
                "b": pyarrow.array([True, None]), "i": pyarrow.array([1, None], pyarrow.int16()),
                "f": pyarrow.array([1.5, None]), "s": pyarrow.array(["a", None]), "y": pyarrow.array([b"\x00", None]),
                "c": pyarrow.array([decimal.Decimal("1.50"), None], pyarrow.decimal128(10, 2)),
                "d": pyarrow.array([datetime.date(2024, 2, 29), None]),
                "t": pyarrow.array([datetime.datetime(2024, 2, 29, 1, 2, 3), None], pyarrow.timestamp("us")),
                "l": pyarrow.array([[1, None], None], pyarrow.list_(pyarrow.int64())),
                "r": pyarrow.array([{"x": 1}, None]),
                "e": pyarrow.array(["p", "q"]).dictionary_encode(),
            })
            cursor.adbc_ingest("adbc_types", sent, mode="create")
            assert query(connection, "SELECT * FROM adbc_types ORDER BY e").to_pylist() == sent.to_pylist()

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

        def rows_of_parameters():
            many = pyarrow.record_batch({"1": pyarrow.array([2, 1, 3], pyarrow.int64())})
            cursor.execute("SELECT n, s FROM adbc_t WHERE n = ?", many)
            assert cursor.fetchall() == [(2, None), (1, "a"), (3, "c")]
            fails(lambda: cursor.execute("SELECT n FROM adbc_t WHERE n > ? LIMIT 1", many), "LIMIT")
            cursor.execute("SELECT n FROM adbc_t ORDER BY n LIMIT ? OFFSET ?", (1, 1))
            assert cursor.fetchall() == [(2,)]
            execute(connection, "CREATE TABLE adbc_many (n INT, s VARCHAR)")
            cursor.executemany("INSERT INTO adbc_many VALUES (?, upper(?))", [(n, f"v{n}") for n in range(1000)])
            assert_same(rows(query(connection, "SELECT count(*), sum(n), max(s) FROM adbc_many")), [(1000, 499500, "V999")])
            assert query(connection, "SHOW FILES adbc_many").num_rows < 100
            fails(lambda: cursor.executemany("INSERT INTO adbc_many VALUES (?, ?)", [(1, "x"), (1 << 40, "y")]))
            assert_same(rows(query(connection, "SELECT count(*) FROM adbc_many")), [(1000,)])

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

        def error_details():
            try:
                cursor.execute("SELECT\n  m FROM adbc_t")
            except Exception as error:  # noqa: BLE001: the driver has no common error class
                details = str(error.details)
                assert "x-sqlstate" in details and "x-error-line" in details, details
                return
            raise AssertionError("it was taken")

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

        def ingested():
            first = pyarrow.table({"n": pyarrow.array([1, 2], pyarrow.int64()), "s": ["a", None]})
            assert cursor.adbc_ingest("adbc_in", first, mode="create") == 2
            fails(lambda: cursor.adbc_ingest("adbc_in", first, mode="create"), "adbc_in", "exists")
            reader = pyarrow.RecordBatchReader.from_batches(first.schema, first.to_batches() * 50)
            assert cursor.adbc_ingest("adbc_in", reader, mode="append") == 100
            swapped = pyarrow.table({"s": ["z"], "n": pyarrow.array([9], pyarrow.int32())})
            assert cursor.adbc_ingest("adbc_in", swapped, mode="create_append") == 1
            assert_same(rows(query(connection, "SELECT count(*), sum(n), max(s) FROM adbc_in")), [(103, 162, "z")])
            assert cursor.adbc_ingest("adbc_in", pyarrow.table({"x": [1.5]}), mode="replace") == 1
            assert_same(rows(query(connection, "SELECT * FROM adbc_in")), [(1.5,)])
            fails(lambda: cursor.adbc_ingest("adbc_none", first, mode="append"), "adbc_none")

        def ingest_is_all_or_nothing():
            execute(connection, "CREATE TABLE adbc_whole (n INT NOT NULL, d DATE)")
            for table, word in [(pyarrow.table({"n": ["1"]}), '"n"'), (pyarrow.table({"m": [1]}), '"m"'),
                                (pyarrow.table({"d": [datetime.date(2024, 1, 1)]}), '"n"')]:
                fails(lambda table=table: cursor.adbc_ingest("adbc_whole", table, mode="append"), word)
            batches = [pyarrow.record_batch({"n": pyarrow.array([number], pyarrow.int64())}) for number in (1, 2, 1 << 40)]
            reader = pyarrow.RecordBatchReader.from_batches(batches[0].schema, batches)
            fails(lambda: cursor.adbc_ingest("adbc_whole", reader, mode="append"))
            assert_same(rows(query(connection, "SELECT count(*) FROM adbc_whole")), [(0,)])
            fails(lambda: cursor.adbc_ingest("adbc_whole", batches[0], mode="append", temporary=True), "temporary")

        def incremental():
            with connection.cursor() as polled:
                statement = polled.adbc_statement
                statement.set_options(**{"adbc.statement.exec.incremental": "true"})
                statement.set_sql_query("SELECT 7 AS n")
                parts = []
                for _ in range(100):
                    found, _schema, _rows = statement.execute_partitions()
                    if not found:
                        break
                    parts += found
            assert len(parts) == 1, parts
            cursor.adbc_read_partition(parts[0])
            assert cursor.fetchall() == [(7,)]

        def wrong_password():
            fails(lambda: cluster.connect(password="wrong"), "")

        def api_tokens():
            execute(connection, "CREATE USER adbc_ann PASSWORD 'pw-of-ann'")
            created = query(connection, "CREATE TOKEN adbc_etl FOR USER adbc_ann EXPIRES '1d'")
            token = created.column("token").to_pylist()[0]
            with cluster.connect_with_token(token) as program:
                assert_same(rows(query(program, "SELECT 7")), [(7,)])
                listed = query(program, "SHOW TOKENS").column("name").to_pylist()
                assert listed == ["adbc_etl"], listed
            with cluster.connect(user="adbc_ann", password=token) as program:
                assert_same(rows(query(program, "SELECT 7")), [(7,)])
            fails(lambda: query(cluster.connect_with_token(token + "x"), "SELECT 7"), "token")
            execute(connection, "DROP TOKEN adbc_etl FOR USER adbc_ann")
            fails(lambda: query(cluster.connect_with_token(token), "SELECT 7"), "token")
            execute(connection, "DROP USER adbc_ann")

        def large():
            table = query(connection, "SELECT i, CAST(i AS VARCHAR) AS s FROM generate_series(1, 1000000) AS t(i)")
            assert table.num_rows == 1_000_000
            assert pyarrow.compute.sum(table["i"]).as_py() == 500_000_500_000

        suite.check("adbc: types", types)
        suite.check("adbc: wide and nested types", wide_and_nested_types)
        suite.check("adbc: double names", double_names)
        suite.check("adbc: no view types on the wire", no_views)
        suite.check("adbc: updates and their counts", updates)
        suite.check("adbc: parameters", parameters)
        suite.check("adbc: many rows of parameters are one statement", rows_of_parameters)
        suite.check("adbc: metadata", metadata)
        suite.check("adbc: errors", errors)
        suite.check("adbc: details of errors", error_details)
        suite.check("adbc: cancel", cancelled)
        suite.check("adbc: polling", incremental)
        suite.check("adbc: ingest", ingested)
        suite.check("adbc: ingest of types", ingested_types)
        suite.check("adbc: an ingest is all or nothing", ingest_is_all_or_nothing)
        suite.check("adbc: wrong password", wrong_password)
        suite.check("adbc: API tokens", api_tokens)
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
