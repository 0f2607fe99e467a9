"""What the client's metadata calls give, among them those that no other driver makes."""

import pyarrow
from flightsql import TableRef

NAMES = ["a_b", "axb", "a%b", "a\\b", "a'b", "É🦆"]


def _names(db, pattern):
    table = db.fetch(db.client.get_tables(table_name_filter_pattern=pattern, db_schema_filter_pattern="dbapi\\_names"))
    return sorted(table["table_name"].to_pylist())


def patterns_are_those_of_like(db):
    db.rows("CREATE SCHEMA dbapi_names")
    for name in NAMES:
        db.rows(f'CREATE TABLE dbapi_names."{name}" (n INT)')
    for pattern, expected in [("a_b", NAMES[:5]), ("a\\_b", ["a_b"]), ("a\\%b", ["a%b"]), ("a\\\\b", ["a\\b"]),
                              ("%🦆", ["É🦆"]), ("%", NAMES), ("", []), ("' OR ''='", []), ("a\0b", [])]:
        assert _names(db, pattern) == sorted(expected), pattern


def answers_have_the_columns_of_the_format(db):
    text, maybe = (lambda name: pyarrow.field(name, pyarrow.string(), nullable=False)), pyarrow.string()
    for info, fields in [
        (db.client.get_catalogs(), [text("catalog_name")]),
        (db.client.get_db_schemas(), [pyarrow.field("catalog_name", maybe), text("db_schema_name")]),
        (db.client.get_tables(), [pyarrow.field("catalog_name", maybe), pyarrow.field("db_schema_name", maybe),
                                  text("table_name"), text("table_type")]),
        (db.client.get_tables(include_schema=True),
         [pyarrow.field("catalog_name", maybe), pyarrow.field("db_schema_name", maybe), text("table_name"),
          text("table_type"), pyarrow.field("table_schema", pyarrow.binary(), nullable=False)]),
        (db.client.get_table_types(), [text("table_type")]),
        (db.client.get_primary_keys(TableRef(table="t")),
         [pyarrow.field("catalog_name", maybe), pyarrow.field("db_schema_name", maybe), text("table_name"),
          text("column_name"), pyarrow.field("key_name", maybe),
          pyarrow.field("key_sequence", pyarrow.int32(), nullable=False)]),
    ]:
        expected = pyarrow.schema(fields)
        assert info.schema == expected, (info.schema, expected)
        assert db.fetch(info).schema == expected


def keys_are_served_and_there_are_none(db):
    table = TableRef(table="dbapi_keys")
    db.rows("CREATE TABLE dbapi_keys (n INT)")
    for info in [db.client.get_primary_keys(table), db.client.get_imported_keys(table),
                 db.client.get_exported_keys(table), db.client.get_cross_reference(table, table)]:
        assert db.fetch(info).num_rows == 0


def types_are_described(db):
    types = db.fetch(db.client.get_xdbc_type_info(None)).to_pylist()
    known = {row["type_name"] for row in types}
    assert {"BOOLEAN", "INTEGER", "BIGINT", "DOUBLE", "DECIMAL", "VARCHAR", "BYTEA", "DATE", "TIME", "TIMESTAMP",
            "TIMESTAMP WITH TIME ZONE", "INTERVAL"} <= known, known
    varchar = 12
    (only,) = db.fetch(db.client.get_xdbc_type_info(varchar)).to_pylist()
    assert (only["type_name"], only["literal_prefix"]) == ("VARCHAR", "'"), only
    (decimal,) = [row for row in types if row["type_name"] == "DECIMAL" and row["data_type"] == 3]
    assert (decimal["column_size"], decimal["maximum_scale"]) == (76, 76), decimal


def the_server_answers_every_property(db):
    everything = db.fetch(db.client.get_sql_info([])).to_pylist()
    values = {row["info_name"]: row["value"] for row in everything}
    assert values[0] == "Waterbuck" and values[504] == '"' and values[513] == "\\", values
    missing = (set(range(0, 12)) | set(range(500, 577))) - set(values)
    assert not missing, missing
    some = db.fetch(db.client.get_sql_info([0, 3])).to_pylist()
    assert {row["info_name"] for row in some} == {0, 3}, some


def columns_and_schemas_are_listed(db):
    db.rows("CREATE TABLE dbapi_columns (n INT NOT NULL, s VARCHAR, d DECIMAL(10, 2))")
    columns = db.connection.flightsql_get_columns("dbapi\\_columns", "main")
    assert [(column["name"], column["nullable"]) for column in columns] == [("n", False), ("s", True), ("d", True)]
    assert "main" in db.connection.flightsql_get_schema_names()
    assert "dbapi_columns" in db.connection.flightsql_get_table_names("main")
    assert db.connection.flightsql_get_primary_keys("dbapi_columns") == []
