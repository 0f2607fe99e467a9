"""Results as the driver gives them."""

import pyarrow
import pyarrow.compute


def rows_come_in_order(db):
    with db.cursor() as cursor:
        cursor.execute("SELECT * FROM (VALUES (2, 'b'), (1, NULL), (3, 'c')) AS t(n, s) ORDER BY n")
        assert [column[0] for column in cursor.description] == ["n", "s"], cursor.description
        assert cursor.fetchone() == (1, None)
        assert cursor.fetchmany(5) == [(2, "b"), (3, "c")]
        assert cursor.fetchone() is None


def a_result_may_be_empty(db):
    table = db.table("SELECT 1 AS n, 'a' AS s WHERE false")
    assert table.num_rows == 0 and table.column_names == ["n", "s"], table


def two_columns_may_share_a_name(db):
    table = db.table("SELECT x.n, y.n FROM (VALUES (1)) AS x(n) JOIN (VALUES (1)) AS y(n) ON x.n = y.n")
    assert table.column_names == ["n", "n"], table.schema


def no_view_types_are_sent(db):
    schema = db.table("SELECT 'a' AS s, CAST('b' AS BYTEA) AS b, ['x'] AS l, named_struct('f', 'y') AS r").schema
    assert "view" not in str(schema), schema
    assert schema.types[0] == pyarrow.string(), schema


def views_and_compression_are_sent_when_asked_for(db):
    with db.cluster.connect() as connection, connection.cursor() as cursor:
        options = {"adbc.flight.sql.session.option.result_views": "true",
                   "adbc.flight.sql.session.option.result_compression": "zstd"}
        connection.adbc_connection.set_options(**options)
        cursor.execute("SELECT CAST(i AS VARCHAR) AS s FROM generate_series(1, 100000) AS t(i)")
        table = cursor.fetch_arrow_table()
        assert table.schema.types == [pyarrow.string_view()], table.schema
        assert sum(map(int, table["s"].to_pylist())) == 5_000_050_000


def a_schema_is_told_without_running(db):
    with db.cursor() as cursor:
        schema = cursor.adbc_execute_schema("SELECT 1 AS n, 'a' AS s, 1 / 0 AS never")
        assert schema.names == ["n", "s", "never"], schema


def columns_may_be_many(db):
    columns = ", ".join(f"{number} AS c{number}" for number in range(1000))
    table = db.table(f"SELECT {columns}")
    assert table.num_columns == 1000 and table["c999"].to_pylist() == [999]


def a_long_text_arrives_whole(db):
    # Longer than the driver's own limit of a message, which holds one row at least.
    lengths = db.table("SELECT repeat('a', 3000000 + i) AS s FROM generate_series(1, 4) AS t(i)")
    assert sorted(map(len, lengths["s"].to_pylist())) == [3_000_001, 3_000_002, 3_000_003, 3_000_004]


def a_large_result_arrives_whole(db):
    table = db.table("SELECT i, CAST(i AS VARCHAR) AS s FROM generate_series(1, 1000000) AS t(i)")
    assert table.num_rows == 1_000_000
    assert pyarrow.compute.sum(table["i"]).as_py() == 500_000_500_000


def a_statement_returns_rows_or_a_count(db):
    assert db.rows("SHOW SCHEMAS LIKE 'main'")[0][0] == "main"
    assert db.run("CREATE SCHEMA adbc_counts") == 0
    assert db.run("CREATE TABLE adbc_counts.t AS SELECT * FROM (VALUES (1), (2)) AS v(n)") == 2
    assert db.run("INSERT INTO adbc_counts.t VALUES (3), (4), (5)") == 3
    assert db.run("INSERT INTO adbc_counts.t SELECT n FROM adbc_counts.t WHERE n > 100") == 0
    assert db.run("INSERT OVERWRITE adbc_counts.t SELECT 7") == 1
    assert db.rows("SELECT * FROM adbc_counts.t") == [(7,)]
    assert db.run("DROP TABLE adbc_counts.t") == 0


def the_session_has_a_current_schema(db):
    with db.cluster.connect() as connection, connection.cursor() as cursor:
        assert connection.adbc_current_db_schema == "main"
        cursor.execute("CREATE SCHEMA adbc_current")
        connection.adbc_current_db_schema = "adbc_current"
        assert connection.adbc_current_db_schema == "adbc_current"
        cursor.execute("CREATE TABLE here (n INT)")
    assert db.rows("SELECT count(*) FROM adbc_current.here") == [(0,)]
