"""Parameters: typed, NULL, in rows, too few, too many, of a type that does not fit."""

import pyarrow

from expect import fails

from .session import parameters_of

T = "(VALUES (1, 'a'), (2, NULL), (3, 'c')) AS t(n, s)"


def a_query_takes_parameters(db):
    assert db.rows(f"SELECT n FROM {T} WHERE n > ? AND s = ?", (1, "c")) == [(3,)]
    assert db.rows(f"SELECT n FROM {T} WHERE s = $2 AND n < $1 OR n = $1", (2, "a")) == [(1,), (2,)]
    assert db.rows(f"SELECT n FROM {T} ORDER BY n LIMIT ? OFFSET ?", (1, 1)) == [(2,)]
    assert db.rows("SELECT ? || '?' || ?, '$1'", ("a", "b")) == [("a?b", "$1")]


def null_is_a_parameter(db):
    assert db.rows(f"SELECT n FROM {T} WHERE s = ?", (None,)) == []
    assert db.rows(f"SELECT n, ? FROM {T} WHERE s IS NOT DISTINCT FROM ?", (None, None)) == [(2, None)]


def text_is_never_read_as_sql(db):
    evil = "'; DROP TABLE adbc_t; -- \" ? $1 \\"
    assert db.rows("SELECT ?, length(?)", (evil, evil)) == [(evil, len(evil))]


def a_number_fits_where_it_keeps_its_value(db):
    assert db.rows("SELECT n FROM (VALUES (CAST(7 AS SMALLINT))) AS t(n) WHERE n = ?", (7,)) == [(7,)]
    assert db.rows("SELECT d FROM (VALUES (CAST(7.5 AS DECIMAL(5, 2)))) AS t(d) WHERE d > ?", (7.25,)) != []


def rows_of_parameters_are_one_statement(db):
    rows = parameters_of(pyarrow.array([2, 1, 3], pyarrow.int64()))
    assert db.rows(f"SELECT n, s FROM {T} WHERE n = ?", rows) == [(2, None), (1, "a"), (3, "c")]
    fails(lambda: db.rows(f"SELECT n FROM {T} WHERE n > ? LIMIT 1", rows), "LIMIT")


def many_rows_are_inserted_or_none(db):
    db.run("CREATE TABLE adbc_many (n INT NOT NULL, s VARCHAR)")
    with db.cursor() as cursor:
        cursor.executemany("INSERT INTO adbc_many VALUES (?, upper(?))", [(n, f"v{n}") for n in range(1000)])
        assert cursor.rowcount in (1000, -1), cursor.rowcount
        assert db.rows("SELECT count(*), sum(n), max(s) FROM adbc_many") == [(1000, 499500, "V999")]
        assert db.table("SHOW FILES adbc_many").num_rows < 100, "each row is a file of its own"
        for refused in [(1 << 40, "y"), (None, "y")]:
            rows = [(1, "x"), refused]
            fails(lambda rows=rows: cursor.executemany("INSERT INTO adbc_many VALUES (?, ?)", rows))
    assert db.rows("SELECT count(*) FROM adbc_many") == [(1000,)]


def batches_of_rows_are_one_statement(db):
    db.run("CREATE TABLE adbc_batches (n INT)")
    batches = [parameters_of(pyarrow.array(range(start, start + 100))) for start in range(0, 1000, 100)]
    reader = pyarrow.RecordBatchReader.from_batches(batches[0].schema, batches)
    db.run("INSERT INTO adbc_batches VALUES (?)", reader)
    assert db.rows("SELECT count(*), sum(n) FROM adbc_batches") == [(1000, 499500)]


def a_prepared_statement_runs_again(db):
    with db.cursor() as cursor:
        sql = f"SELECT s FROM {T} WHERE n = ?"
        told = cursor.adbc_prepare(sql)
        assert told.types == [pyarrow.int64()], told
        for number, text in [(1, "a"), (3, "c"), (2, None)]:
            cursor.execute(sql, (number,))
            assert cursor.fetchall() == [(text,)], number


def a_wrong_number_of_parameters_is_refused(db):
    for given in [(1,), (1, 2, 3)]:
        sql = f"SELECT n FROM {T} WHERE n > ? AND n < ?"
        fails(lambda given=given, sql=sql: db.rows(sql, given), "2 parameters", str(len(given)))
    fails(lambda: db.rows("SELECT 1", (5,)), "parameters")
    fails(lambda: db.rows("SELECT ?"), "parameter")
    db.run("CREATE TABLE adbc_wrong (n INT)")
    fails(lambda: db.run("INSERT INTO adbc_wrong VALUES (?)", (1, 2)), "parameters")
    fails(lambda: db.run("INSERT INTO adbc_wrong VALUES (1)", (1,)), "parameters")
    assert db.rows("SELECT count(*) FROM adbc_wrong") == [(0,)]


def a_value_of_the_wrong_type_is_refused(db):
    db.run("CREATE TABLE adbc_unfit (n INT, d DATE)")
    for sql, value, word in [
        (f"SELECT n FROM {T} WHERE n = ?", "seven", "seven"),
        ("INSERT INTO adbc_unfit (n) VALUES (?)", "seven", "seven"),
        ("INSERT INTO adbc_unfit (n) VALUES (?)", 1 << 40, str(1 << 40)),
        ("INSERT INTO adbc_unfit (d) VALUES (?)", "2023-02-29", "2023-02-29"),
        (f"SELECT n FROM {T} LIMIT ?", "many", "many"),
    ]:
        fails(lambda sql=sql, value=value: db.run(sql, (value,)), word)
    assert db.rows("SELECT count(*) FROM adbc_unfit") == [(0,)]


def a_large_parameter_arrives_whole(db):
    text = "é" * 2_000_000
    assert db.rows("SELECT length(?), right(?, 1)", (text, text)) == [(2_000_000, "é")]
