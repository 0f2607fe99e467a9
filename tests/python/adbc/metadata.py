"""Catalogs, schemas, tables and columns as the driver lists them."""

from contextlib import contextmanager

import pyarrow

from expect import fails

# Names that mean something to those who do not quote or escape them.
NAMES = ["a_b", "axb", "a%b", "a\\b", 'a"b', "a'b", "a;--b", "a b", "É🦆", "A_B"]


def _quoted(name):
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def _schema_of_names(db, schema):
    db.run(f"CREATE SCHEMA {schema}")
    for number, name in enumerate(NAMES):
        db.run(f"CREATE TABLE {schema}.{_quoted(name)} (n{number} INT)")
    try:
        yield
    finally:
        for name in NAMES:
            db.run(f"DROP TABLE {schema}.{_quoted(name)}")


def _objects(db, **filters):
    return db.connection.adbc_get_objects(**filters).read_all().to_pylist()


def _tables(db, **filters):
    """The names of tables, by schema and name."""
    found = []
    for catalog in _objects(db, depth="tables", **filters):
        for schema in catalog["catalog_db_schemas"]:
            found += [(schema["db_schema_name"], table["table_name"]) for table in schema["db_schema_tables"] or []]
    return sorted(found)


def catalogs_and_schemas_are_listed(db):
    (catalog,) = _objects(db, depth="db_schemas")
    schemas = [schema["db_schema_name"] for schema in catalog["catalog_db_schemas"]]
    assert {"main", "information_schema", "system"} <= set(schemas), schemas
    assert [row["catalog_name"] for row in _objects(db, depth="catalogs")] == [catalog["catalog_name"]]
    assert db.connection.adbc_current_catalog == catalog["catalog_name"]
    (same,) = _objects(db, depth="db_schemas", catalog_filter=catalog["catalog_name"], db_schema_filter="ma_n")
    assert [schema["db_schema_name"] for schema in same["catalog_db_schemas"]] == ["main"], same


def patterns_are_those_of_like(db):
    with _schema_of_names(db, "adbc_like"):
        for pattern, expected in [
            ("a_b", ["a_b", "axb", "a%b", "a\\b", 'a"b', "a'b", "a b"]),
            ("a\\_b", ["a_b"]),
            ("a\\%b", ["a%b"]),
            ("a\\\\b", ["a\\b"]),
            ("a%b", [name for name in NAMES if name.startswith("a")]),
            ("%🦆", ["É🦆"]),
            ("__", ["É🦆"]),
            ("A\\_B", ["A_B"]),
            ("%", NAMES),
            ("", []),
            ("a", []),
        ]:
            found = _tables(db, db_schema_filter="adbc\\_like", table_name_filter=pattern)
            assert found == sorted(("adbc_like", name) for name in expected), f"{pattern!r}: {found}"


def patterns_are_no_way_in(db):
    for evil in ["' OR '1'='1", "'; DROP TABLE t; --", '" OR ""="', "x' UNION SELECT 'a", "%' --", "\\"]:
        assert _tables(db, table_name_filter=evil) == [], evil
        assert _tables(db, db_schema_filter=evil) == [], evil
    assert _tables(db, table_name_filter="%" * 2000 + "x") == []


def every_name_is_found(db):
    with _schema_of_names(db, "adbc_named"):
        for number, name in enumerate(NAMES):
            # The driver sends the name as a pattern, in which a backslash is lost, and takes the table so called.
            if "\\" not in name:
                schema = db.connection.adbc_get_table_schema(name, db_schema_filter="adbc_named")
                assert schema.names == [f"n{number}"], (name, schema)


def a_name_with_nul_is_refused_or_kept_whole(db):
    try:
        db.run('CREATE TABLE "adbc\0nul" (n INT)')
    except Exception:  # noqa: BLE001: to refuse it is right, too
        assert _tables(db, table_name_filter="adbc%nul") == []
        return
    assert db.rows('SELECT count(*) FROM "adbc\0nul"') == [(0,)]
    fails(lambda: db.rows("SELECT count(*) FROM adbc"), "adbc")
    db.run('DROP TABLE "adbc\0nul"')


def tables_are_told_from_views(db):
    db.run("CREATE TABLE adbc_kind_t (n INT)")
    db.run("CREATE VIEW adbc_kind_v AS SELECT n FROM adbc_kind_t")
    assert {"TABLE", "VIEW"} <= set(db.connection.adbc_get_table_types())
    for kind, expected in [("TABLE", ["adbc_kind_t"]), ("VIEW", ["adbc_kind_v"]), ("NO SUCH TYPE", [])]:
        found = _tables(db, table_name_filter="adbc\\_kind%", table_types_filter=[kind])
        assert found == [("main", name) for name in expected], (kind, found)
    assert db.connection.adbc_get_table_schema("adbc_kind_v").names == ["n"]


def columns_are_described(db):
    db.run("CREATE TABLE adbc_described (n INT NOT NULL, d DECIMAL(12, 3), s VARCHAR, at TIMESTAMP)")
    (catalog,) = _objects(db, depth="all", db_schema_filter="main", table_name_filter="adbc\\_described")
    (schema,) = catalog["catalog_db_schemas"]
    (table,) = schema["db_schema_tables"]
    columns = table["table_columns"]
    assert [column["column_name"] for column in columns] == ["n", "d", "s", "at"], columns
    assert [column["ordinal_position"] for column in columns] == [1, 2, 3, 4], columns
    names = [column["xdbc_type_name"] for column in columns]
    assert names == ["INTEGER", "DECIMAL", "VARCHAR", "TIMESTAMP"], names
    # The driver leaves out sizes, nullability and remarks; the schema has them.
    schema = db.connection.adbc_get_table_schema("adbc_described")
    assert [field.nullable for field in schema] == [False, True, True, True], schema
    told = schema.field("d").metadata
    assert (told[b"ARROW:FLIGHT:SQL:PRECISION"], told[b"ARROW:FLIGHT:SQL:SCALE"]) == (b"12", b"3"), told
    (named,) = _objects(db, depth="all", db_schema_filter="main", table_name_filter="adbc\\_described",
                        column_name_filter="d%")
    (kept,) = named["catalog_db_schemas"][0]["db_schema_tables"]
    assert [column["column_name"] for column in kept["table_columns"]] == ["d"], kept


def comments_are_remarks(db):
    db.run("CREATE TABLE adbc_remarks (n INT, plain INT)")
    db.run("COMMENT ON COLUMN adbc_remarks.n IS 'how many ''there'' are'")
    db.run("COMMENT ON TABLE adbc_remarks IS 'counted things'")
    schema = db.connection.adbc_get_table_schema("adbc_remarks")
    metadata = schema.field("n").metadata
    assert metadata[b"ARROW:FLIGHT:SQL:REMARKS"] == b"how many 'there' are", metadata
    assert b"ARROW:FLIGHT:SQL:REMARKS" not in schema.field("plain").metadata, schema
    assert schema.metadata[b"ARROW:FLIGHT:SQL:REMARKS"] == b"counted things", schema.metadata


def a_table_is_described_as_its_rows_are_sent(db):
    db.run("CREATE TABLE adbc_sent (a VARCHAR, b BYTEA, c TIMESTAMP, d VARCHAR[], e STRUCT<x INT, y VARCHAR>, f DATE)")
    told = db.connection.adbc_get_table_schema("adbc_sent")
    assert told.types == db.table("SELECT * FROM adbc_sent").schema.types, told


def the_server_says_who_it_is(db):
    info = db.connection.adbc_get_info()
    assert info["vendor_name"] == "Waterbuck", info
    assert db.value("SELECT version()").find(info["vendor_version"]) >= 0, info


def a_missing_table_is_not_found(db):
    fails(lambda: db.connection.adbc_get_table_schema("adbc_there_is_none"), "NOT_FOUND")


def what_a_user_may_not_see_is_not_listed(db):
    db.run("CREATE TABLE adbc_hidden (shown INT, hidden INT)")
    db.run("CREATE USER adbc_bob PASSWORD 'pw-of-bob'")
    with db.cluster.connect(user="adbc_bob", password="pw-of-bob") as connection:
        listed = connection.adbc_get_objects(depth="all").read_all()
        assert "adbc_hidden" not in str(listed.to_pylist())
        fails(lambda: connection.adbc_get_table_schema("adbc_hidden"))
        db.run("GRANT SELECT ON adbc_hidden (shown) TO USER adbc_bob")
        assert connection.adbc_get_table_schema("adbc_hidden").names == ["shown"]
    db.run("REVOKE SELECT ON adbc_hidden (shown) FROM USER adbc_bob")
    db.run("DROP USER adbc_bob")


def listings_are_of_the_standard_types(db):
    table = db.connection.adbc_get_objects(depth="all").read_all()
    assert pyarrow.types.is_list(table.schema.field("catalog_db_schemas").type), table.schema
