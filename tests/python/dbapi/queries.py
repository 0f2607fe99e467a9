"""Queries, values, parameters and updates."""

import datetime
import decimal

import pyarrow
from sqlalchemy import types

from expect import fails

from .session import Session


def rows_come_in_order(db):
    cursor = db.connection.cursor().execute("SELECT * FROM (VALUES (2, 'b'), (1, 'a')) AS t(n, s) ORDER BY n")
    assert cursor.description == [("n", types.BIGINT), ("s", types.TEXT)], cursor.description
    assert cursor.rowcount == 2
    assert cursor.fetchone() == [1, "a"]
    assert cursor.fetchall() == [[2, "b"]]
    assert cursor.fetchone() is None


def a_result_has_one_endpoint(db):
    for sql in ["SELECT 1", "SELECT i FROM generate_series(1, 100000) AS t(i)", "SHOW TABLES"]:
        assert len(db.client.execute(sql).endpoints) == 1, sql
    rows = db.rows("SELECT i FROM generate_series(1, 100000) AS t(i) ORDER BY i DESC")
    assert [row[0] for row in rows] == list(range(100_000, 0, -1))


def every_type_is_read(db):
    digits = "1234567890123456789012345678901234567890.12"
    table = db.table(
        f"SELECT true AS b, CAST(1 AS SMALLINT) AS i, 2.5 AS f, CAST(12.34 AS DECIMAL(10, 2)) AS d, "
        f"CAST('{digits}' AS DECIMAL(60, 2)) AS wide, 'text' AS s, X'00ff' AS y, DATE '2024-02-29' AS day, "
        "TIME '01:02:03.5' AS t, TIMESTAMP '2024-02-29 01:02:03.000004' AS at, "
        "arrow_cast('2024-02-29T01:02:03Z', 'Timestamp(Microsecond, Some(\"+00:00\"))') AS zoned, "
        "INTERVAL '14 months 3 days' AS span, [1, NULL, 2] AS l, named_struct('a', 1, 'b', 'x') AS r, "
        "map(['k'], [1]) AS m, CAST(NULL AS INT) AS n, NULL AS nothing")
    assert "view" not in str(table.schema), table.schema
    (values,) = table.to_pylist()
    utc = datetime.timezone.utc
    assert values == {
        "b": True, "i": 1, "f": 2.5, "d": decimal.Decimal("12.34"), "wide": decimal.Decimal(digits), "s": "text",
        "y": b"\x00\xff", "day": datetime.date(2024, 2, 29), "t": datetime.time(1, 2, 3, 500000),
        "at": datetime.datetime(2024, 2, 29, 1, 2, 3, 4), "zoned": datetime.datetime(2024, 2, 29, 1, 2, 3, tzinfo=utc),
        "span": pyarrow.MonthDayNano([14, 3, 0]), "l": [1, None, 2], "r": {"a": 1, "b": "x"}, "m": [("k", 1)],
        "n": None, "nothing": None,
    }, values


def every_type_is_given_by_the_db_api(db):
    (row,) = db.rows("SELECT true, 7, 'text', CAST(1.5 AS DECIMAL(5, 2)), X'ff', NULL, TIMESTAMP '2024-02-29 01:02:03'")
    assert row[:6] == [True, 7, "text", decimal.Decimal("1.50"), b"\xff", None], row
    assert row[6] == datetime.datetime(2024, 2, 29, 1, 2, 3), row


def parameters_are_taken(db):
    table = "(VALUES (1, 'a', 1.5, true, X'61'), (2, 'b', 2.5, false, X'62')) AS t(n, s, f, b, y)"
    for column, value, expected in [("n", 1, 1), ("s", "b", 2), ("f", 1.5, 1), ("b", False, 2), ("y", b"b", 2)]:
        assert db.rows(f"SELECT n FROM {table} WHERE {column} = ?", (value,)) == [[expected]], column
    assert db.rows(f"SELECT n FROM {table} WHERE n > ? AND s <> ? ORDER BY n LIMIT ?", (0, "a", 5)) == [[2]]
    assert db.rows("SELECT ? + 1, ?", (41, "it's ?")) == [[42, "it's ?"]]
    fails(lambda: db.rows(f"SELECT n FROM {table} WHERE n = ?", ("seven",)), "seven")
    fails(lambda: db.rows(f"SELECT n FROM {table} WHERE n = ?", (1, 2)), "parameter")
    fails(lambda: db.rows(f"SELECT n FROM {table} WHERE n = ? AND s = ?", (1,)), "parameter")


def many_rows_are_inserted_one_after_the_other(db):
    db.rows("CREATE TABLE dbapi_many (n INT, s VARCHAR)")
    db.connection.cursor().executemany("INSERT INTO dbapi_many VALUES (?, ?)", [(1, "a"), (2, "b"), (3, "c")])
    assert db.rows("SELECT count(*), sum(n), max(s) FROM dbapi_many") == [[3, 6, "c"]]


def an_update_gives_its_count(db):
    assert db.client.execute_update("CREATE TABLE dbapi_t (n INT, s VARCHAR)") == 0
    assert db.client.execute_update("INSERT INTO dbapi_t VALUES (1, 'a'), (2, NULL), (3, 'c')") == 3
    # Run as a query, an update answers with its count, and runs once.
    assert db.rows("INSERT INTO dbapi_t VALUES (4, 'd')") == [[1]]
    assert db.rows("SELECT count(*), count(s) FROM dbapi_t") == [[4, 3]]
    assert db.client.execute_update("DROP TABLE dbapi_t") == 0


def a_large_result_arrives_whole(db):
    table = db.table("SELECT i, CAST(i AS VARCHAR) AS s FROM generate_series(1, 1000000) AS t(i)")
    assert table.num_rows == 1_000_000 and len(set(table["s"].to_pylist())) == 1_000_000


def a_prepared_statement_lives_in_its_session(db):
    with db.client.prepare("SELECT 7") as statement:
        assert db.fetch(statement.execute(None)).column(0).to_pylist() == [7]
        with Session(db.cluster) as other:
            stolen = other.client.prepare("SELECT 8")
            stolen.handle = statement.handle
            fails(lambda: stolen.execute(None), "prepared statement")
