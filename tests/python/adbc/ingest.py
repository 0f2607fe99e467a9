"""Bulk ingestion: the modes, every type, many batches, and failures that leave nothing."""

import datetime

import pyarrow

from expect import fails

from . import samples

FIRST = pyarrow.table({"n": pyarrow.array([1, 2], pyarrow.int64()), "s": ["a", None]})

# What has no place in files that other engines read: DuckLake's decimals have 38 digits, and Parquet has
# neither intervals nor durations.
WITHOUT_A_PLACE = {"decimal256", "interval", "duration"}


def create_makes_a_table(db):
    assert db.ingest("adbc_create", FIRST) == 2
    assert db.rows("SELECT * FROM adbc_create ORDER BY n") == [(1, "a"), (2, None)]
    fails(lambda: db.ingest("adbc_create", FIRST), "adbc_create", "exists")
    assert db.rows("SELECT count(*) FROM adbc_create") == [(2,)]


def append_finds_columns_by_name(db):
    fails(lambda: db.ingest("adbc_append", FIRST, mode="append"), "adbc_append")
    db.run("CREATE TABLE adbc_append (n BIGINT, s VARCHAR, d DOUBLE DEFAULT 0.5)")
    swapped = pyarrow.table({"s": ["z"], "n": pyarrow.array([9], pyarrow.int32())})
    assert db.ingest("adbc_append", FIRST, mode="append") == 2
    assert db.ingest("adbc_append", swapped, mode="append") == 1
    assert db.rows("SELECT * FROM adbc_append ORDER BY n") == [(1, "a", 0.5), (2, None, 0.5), (9, "z", 0.5)]


def create_append_does_either(db):
    for count in (2, 4):
        assert db.ingest("adbc_either", FIRST, mode="create_append") == 2
        assert db.rows("SELECT count(*) FROM adbc_either") == [(count,)]


def replace_takes_the_place_of_a_table(db):
    assert db.ingest("adbc_replace", FIRST, mode="replace") == 2
    assert db.ingest("adbc_replace", pyarrow.table({"x": [1.5]}), mode="replace") == 1
    assert db.rows("SELECT * FROM adbc_replace") == [(1.5,)]


def a_schema_may_be_named(db):
    db.run("CREATE SCHEMA adbc_there")
    assert db.ingest("t", FIRST, db_schema_name="adbc_there") == 2
    assert db.rows("SELECT count(*) FROM adbc_there.t") == [(2,)]
    fails(lambda: db.ingest("t", FIRST, db_schema_name="adbc_nowhere"), "adbc_nowhere")
    fails(lambda: db.ingest("t", FIRST, db_schema_name="system"), "system")


def names_are_taken_as_they_are(db):
    name = "Adbc 'odd' \"name\" é"
    table = pyarrow.table({"Column One": [1], "select": ["x"], "é\"'": [True]})
    assert db.ingest(name, table) == 1
    quoted = name.replace('"', '""')
    assert db.table(f'SELECT * FROM "{quoted}"').to_pylist() == table.to_pylist()


def every_type_is_kept(db):
    def check(name, sent):
        upload = pyarrow.table({"v": sent, "n": range(len(sent))})
        table = f"adbc of {name}"
        if name in WITHOUT_A_PLACE:
            fails(lambda: db.ingest(table, upload), '"v"')
            fails(lambda: db.rows(f'SELECT * FROM "{table}"'), table)
        else:
            assert db.ingest(table, upload) == len(sent)
            samples.same(sent, db.table(f'SELECT v FROM "{table}" ORDER BY n')["v"])

    samples.check_each(check)


def batches_are_taken_as_they_come(db):
    reader = pyarrow.RecordBatchReader.from_batches(FIRST.schema, FIRST.to_batches() * 500)
    assert db.ingest("adbc_batches_in", reader) == 1000
    assert db.rows("SELECT count(*), sum(n), count(s) FROM adbc_batches_in") == [(1000, 1500, 500)]


def a_million_rows_are_one_upload(db):
    numbers = pyarrow.array(range(1_000_000))
    table = pyarrow.table({"n": numbers, "s": numbers.cast(pyarrow.string())})
    assert db.ingest("adbc_million", table) == 1_000_000
    assert db.rows("SELECT count(*), sum(n), max(length(s)) FROM adbc_million") == [(1_000_000, 499_999_500_000, 6)]


def what_does_not_fit_is_named(db):
    db.run("CREATE TABLE adbc_whole (n INT NOT NULL, d DATE)")
    for table, words in [(pyarrow.table({"n": ["1"]}), ['"n"']), (pyarrow.table({"m": [1]}), ['"m"']),
                         (pyarrow.table({"d": [datetime.date(2024, 1, 1)]}), ['"n"', "NOT NULL"]),
                         (pyarrow.table([[1], [2]], names=["n", "n"]), ["two columns", '"n"'])]:
        fails(lambda table=table: db.ingest("adbc_whole", table, mode="append"), *words)
    fails(lambda: db.ingest("adbc_whole", FIRST, mode="append", temporary=True), "temporary")
    assert db.rows("SELECT count(*) FROM adbc_whole") == [(0,)]


def a_failure_in_the_middle_leaves_nothing(db):
    db.run("CREATE TABLE adbc_middle (n INT NOT NULL)")
    files = db.table("SHOW FILES adbc_middle").num_rows
    for last in (1 << 40, None):
        batches = [pyarrow.record_batch({"n": pyarrow.array([number], pyarrow.int64())}) for number in (1, 2, last)]
        reader = pyarrow.RecordBatchReader.from_batches(batches[0].schema, batches)
        fails(lambda reader=reader: db.ingest("adbc_middle", reader, mode="append"))
    assert db.rows("SELECT count(*) FROM adbc_middle") == [(0,)]
    assert db.table("SHOW FILES adbc_middle").num_rows == files


def a_client_that_fails_in_the_middle_leaves_nothing(db):
    schema = pyarrow.schema([("n", pyarrow.int64())])

    def batches():
        yield pyarrow.record_batch({"n": pyarrow.array(range(10_000))})
        raise RuntimeError("the source broke")

    for name, mode in [("adbc_broken", "create"), ("adbc_either", "replace")]:
        reader = pyarrow.RecordBatchReader.from_batches(schema, batches())
        fails(lambda name=name, mode=mode, reader=reader: db.ingest(name, reader, mode=mode), "the source broke")
    fails(lambda: db.rows("SELECT * FROM adbc_broken"), "adbc_broken")
    assert db.table("SELECT * FROM adbc_either").column_names == ["n", "s"], "what was to be replaced has gone"
