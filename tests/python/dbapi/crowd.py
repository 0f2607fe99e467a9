"""Many connections at once, each with statements of several kinds and right answers."""

from concurrent.futures import ThreadPoolExecutor

from expect import fails

from .session import Session

CONNECTIONS = 64


def many_connections_get_right_answers(db):
    db.rows("CREATE TABLE dbapi_crowd (who INT, n INT)")
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for done in [pool.submit(_one_of_many, db.cluster, who) for who in range(CONNECTIONS)]:
            done.result(timeout=300)
    counted = db.rows("SELECT count(*), count(DISTINCT who), sum(n) FROM dbapi_crowd")
    assert counted == [[CONNECTIONS, CONNECTIONS, 7 * CONNECTIONS]], counted


def _one_of_many(cluster, who):
    with Session(cluster) as db:
        assert db.rows("SELECT ? * 2", (who,)) == [[who * 2]]
        assert db.client.execute_update(f"INSERT INTO dbapi_crowd VALUES ({who}, 7)") == 1
        assert db.rows(f"SELECT n FROM dbapi_crowd WHERE who = {who}") == [[7]]
        fails(lambda: db.rows(f"SELECT c{who} FROM dbapi_crowd"), f"c{who}")
        assert "dbapi_crowd" in db.connection.flightsql_get_table_names("main")
        large = db.table(f"SELECT i + {who} AS n FROM generate_series(1, 20000) AS t(i)")
        assert sum(large["n"].to_pylist()) == 200_010_000 + 20_000 * who
