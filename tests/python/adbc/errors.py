"""Errors: their kinds, their words, their place, and that none is taken for an end."""

from expect import fails

T = "(VALUES (1), (2)) AS t(n)"


def _details(error):
    """The details of an error by name; the driver gives what the server sent beside the text."""
    return {name.decode(): value.decode(errors="replace") for name, value in error.details}


def kinds_of_errors_are_told_apart(db):
    db.run("CREATE TABLE adbc_errors (n INT)")
    for sql, kind, sqlstate, words in [
        ("SELEC 1", "INVALID_ARGUMENT", "42601", ["syntax error", "line 1"]),
        ("SELECT m FROM adbc_errors", None, None, ['"m"']),
        ("SELECT * FROM adbc_eror", "NOT_FOUND", "42704", ["adbc_eror", "adbc_errors"]),
        ("SELECT * FROM nowhere.t", "NOT_FOUND", "42704", ["nowhere"]),
        ("CREATE TABLE adbc_errors (n INT)", "ALREADY_EXISTS", "42710", ["adbc_errors"]),
        (f"SELECT 1 / (n - 1) FROM {T}", "INVALID_ARGUMENT", None, ["zero"]),
        ("SELECT CAST('x' AS INT)", "INVALID_ARGUMENT", None, ["x"]),
        ("SELECT CAST(i AS SMALLINT) FROM generate_series(1, 100000) AS t(i)", "INVALID_ARGUMENT", None, ["SMALLINT"]),
        ("BEGIN", "NOT_IMPLEMENTED", "0A000", ["BEGIN"]),
        ("SELECT no_such_function(1)", None, None, ["no_such_function"]),
    ]:
        error = fails(lambda sql=sql: db.rows(sql), *words)
        if kind:
            assert kind in str(error), f"{sql}: {error}"
        if sqlstate:
            assert _details(error).get("x-sqlstate") == sqlstate, f"{sql}: {error.details}"


def a_place_is_given_in_words_and_in_details(db):
    error = fails(lambda: db.rows("SELECT\n  m FROM (VALUES (1)) AS t(n)"), "line 2, column 3", "^")
    details = _details(error)
    assert (details.get("x-error-line"), details.get("x-error-column")) == ("2", "3"), details
    error = fails(lambda: db.rows("SELECT é\nFROM t\nWHERE )"), "line 3")
    assert _details(error).get("x-error-line") == "3", error.details


def a_failed_query_is_named(db):
    error = fails(lambda: db.rows(f"SELECT 1 / (n - 1) AS adbc_named FROM {T}"), "zero")
    query_id = _details(error).get("x-query-id")
    states = db.rows("SELECT state, error FROM system.queries WHERE query_id = ?", (query_id,))
    assert len(states) == 1 and states[0][0] == "failed" and "zero" in states[0][1], (query_id, states)


def a_right_that_is_missing_is_named(db):
    db.run("CREATE TABLE adbc_mine (n INT)")
    db.run("CREATE USER adbc_poor PASSWORD 'pw-of-poor'")
    db.run("GRANT SELECT ON adbc_mine TO USER adbc_poor")
    with db.cluster.connect(user="adbc_poor", password="pw-of-poor") as connection, connection.cursor() as cursor:
        error = fails(lambda: cursor.execute("INSERT INTO adbc_mine VALUES (1)"), "INSERT", "adbc_mine")
        assert "UNAUTHORIZED" in str(error) or "FORBIDDEN" in str(error), error
        assert _details(error).get("x-sqlstate") == "42501", error.details
    db.run("DROP TABLE adbc_mine")
    db.run("DROP USER adbc_poor")


def an_error_leaves_the_connection_usable(db):
    with db.cursor() as cursor:
        for sql in ["SELEC 1", "SELECT * FROM adbc_there_is_none", "INSERT INTO adbc_there_is_none VALUES (1)"]:
            fails(lambda sql=sql: cursor.execute(sql))
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)


def an_error_late_in_a_result_is_no_end(db):
    # Rows leave at once, and the last of them cannot be computed.
    sql = "SELECT 1000 / (4000000 - i) AS n FROM generate_series(1, 4000000) AS t(i)"
    with db.cluster.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET result_hold_time = '0s'")
        cursor.execute("SET result_hold_bytes = 0")
        cursor.execute(sql)
        reader = cursor.fetch_record_batch()
        read = 0

        def read_all():
            nonlocal read
            for batch in reader:
                read += batch.num_rows

        fails(read_all, "zero")
        assert 0 < read < 4_000_000, f"{read} rows came before the error"


def a_long_error_is_cut_and_not_lost(db):
    name = "n" * 50_000
    error = fails(lambda: db.rows(f"SELECT {name} FROM (VALUES (1)) AS t(m)"), "nnnn")
    assert _details(error).get("x-sqlstate"), error.details


def a_statement_may_be_too_long(db):
    with db.cluster.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET max_sql_length = 1024")
        fails(lambda: cursor.execute("SELECT 1" + " + 1" * 1000), "max_sql_length")
        cursor.execute("SELECT 1")
