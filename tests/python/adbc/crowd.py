"""Many connections at once, each with statements of every kind and right answers."""

from concurrent.futures import ThreadPoolExecutor

import pyarrow

from expect import fails

from .session import Session

CONNECTIONS = 64


def many_connections_get_right_answers(db):
    db.run("CREATE TABLE adbc_crowd_shared AS SELECT i AS n FROM generate_series(1, 10000) AS t(i)")
    db.run("CREATE TABLE adbc_crowd_added (who INT, n INT)")
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for done in [pool.submit(_one_of_many, db.cluster, who) for who in range(CONNECTIONS)]:
            done.result(timeout=300)
    counted = db.rows("SELECT count(*), count(DISTINCT who), sum(n) FROM adbc_crowd_added")
    assert counted == [(CONNECTIONS * 3, CONNECTIONS, CONNECTIONS * 6)], counted


def _one_of_many(cluster, who):
    with Session(cluster) as db:
        assert db.rows("SELECT ? * 2", (who,)) == [(who * 2,)]
        found = db.rows("SELECT count(*), sum(n) FROM adbc_crowd_shared WHERE n % 64 = ?", (who,))
        numbers = [n for n in range(1, 10_001) if n % 64 == who]
        assert found == [(len(numbers), sum(numbers))], (who, found)
        fails(lambda: db.rows(f"SELECT c{who} FROM adbc_crowd_shared"), f"c{who}")
        mine = pyarrow.table({"who": pyarrow.array([who] * 2, pyarrow.int32()), "n": pyarrow.array([1, 2], pyarrow.int32())})
        assert db.ingest("adbc_crowd_added", mine, mode="append") == 2
        assert db.run("INSERT INTO adbc_crowd_added VALUES (?, 3)", (who,)) == 1
        assert db.rows("SELECT sum(n) FROM adbc_crowd_added WHERE who = ?", (who,)) == [(6,)]
        assert db.connection.adbc_get_table_schema("adbc_crowd_shared").names == ["n"]
        large = db.table(f"SELECT i + {who} AS n FROM generate_series(1, 20000) AS t(i)")
        assert sum(large["n"].to_pylist()) == 200_010_000 + 20_000 * who
