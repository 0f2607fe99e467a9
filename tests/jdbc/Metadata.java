import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.ResultSet;
import java.sql.Types;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/** What the driver lists: catalogs, schemas, tables, columns, keys, properties. */
final class Metadata {
    /** Names that mean something to those who do not quote or escape them. */
    private static final List<String> NAMES = List.of("a_b", "axb", "a%b", "a\\b", "a\"b", "a'b", "É🦆", "A_B");

    static void run(Checks checks) {
        checks.check("catalogs and schemas are listed", Metadata::schemas);
        checks.check("patterns are those of LIKE", Metadata::patterns);
        checks.check("patterns are no way in", Metadata::injection);
        checks.check("tables are told from views", Metadata::kinds);
        checks.check("columns are described", Metadata::columns);
        checks.check("comments are remarks", Metadata::remarks);
        checks.check("there are no keys, and that can be asked", Metadata::keys);
        checks.check("types can be asked for", Metadata::types);
        checks.check("no property of the database is missing", Metadata::properties);
        checks.check("what a user may not see is not listed", connection -> hidden(checks, connection));
    }

    private static void schemas(Connection connection) throws Exception {
        DatabaseMetaData data = connection.getMetaData();
        List<String> catalogs = Checks.column(data.getCatalogs(), "TABLE_CAT");
        Checks.equal(1, catalogs.size());
        List<String> schemas = Checks.column(data.getSchemas(), "TABLE_SCHEM");
        Checks.isTrue(schemas.containsAll(Set.of("main", "information_schema", "system")), schemas);
        Checks.equal(List.of("main"), Checks.column(data.getSchemas(catalogs.get(0), "ma_n"), "TABLE_SCHEM"));
        Checks.equal(List.of(), Checks.column(data.getSchemas("no such catalog", "%"), "TABLE_SCHEM"));
    }

    private static void patterns(Connection connection) throws Exception {
        Checks.update(connection, "CREATE SCHEMA jdbc_names");
        for (String name : NAMES) {
            Checks.update(connection, "CREATE TABLE jdbc_names.\"" + name.replace("\"", "\"\"") + "\" (n INT)");
        }
        listed(connection, "a_b", "a_b", "axb", "a%b", "a\\b", "a\"b", "a'b");
        listed(connection, "a\\_b", "a_b");
        listed(connection, "a\\%b", "a%b");
        listed(connection, "a\\\\b", "a\\b");
        listed(connection, "%🦆", "É🦆");
        listed(connection, "A%", "A_B");
        listed(connection, "");
        listed(connection, null, NAMES.toArray(new String[0]));
        try (ResultSet columns = connection.getMetaData().getColumns(null, "jdbc\\_names", "a\\_b", "%")) {
            Checks.equal(List.of("a_b"), Checks.column(columns, "TABLE_NAME"));
        }
    }

    private static void listed(Connection connection, String pattern, String... expected) throws Exception {
        ResultSet tables = connection.getMetaData().getTables(null, "jdbc\\_names", pattern, null);
        Checks.equal(new TreeSet<>(List.of(expected)), new TreeSet<>(Checks.column(tables, "TABLE_NAME")));
    }

    private static void injection(Connection connection) throws Exception {
        DatabaseMetaData data = connection.getMetaData();
        for (String evil : List.of("' OR '1'='1", "'; DROP TABLE t; --", "\" OR \"\"=\"", "\0", "\\")) {
            Checks.equal(List.of(), Checks.column(data.getTables(null, null, evil, null), "TABLE_NAME"));
            Checks.equal(List.of(), Checks.column(data.getTables(null, evil, null, null), "TABLE_NAME"));
            Checks.equal(List.of(), Checks.column(data.getTables(evil, null, null, null), "TABLE_NAME"));
        }
    }

    private static void kinds(Connection connection) throws Exception {
        Checks.update(connection, "CREATE TABLE jdbc_kind_t (n INT)");
        Checks.update(connection, "CREATE VIEW jdbc_kind_v AS SELECT n FROM jdbc_kind_t");
        DatabaseMetaData data = connection.getMetaData();
        List<String> types = Checks.column(data.getTableTypes(), "TABLE_TYPE");
        Checks.isTrue(types.containsAll(Set.of("TABLE", "VIEW")), types);
        for (String type : List.of("TABLE", "VIEW")) {
            ResultSet tables = data.getTables(null, "main", "jdbc\\_kind%", new String[] {type});
            String expected = type.equals("TABLE") ? "jdbc_kind_t" : "jdbc_kind_v";
            Checks.equal(List.of(expected), Checks.column(tables, "TABLE_NAME"));
        }
    }

    private static void columns(Connection connection) throws Exception {
        Checks.update(connection, "CREATE TABLE jdbc_described (n INT NOT NULL, d DECIMAL(12, 3), s VARCHAR, at TIMESTAMP,"
                + " b BYTEA, day DATE, f DOUBLE, l INT[])");
        String names = "";
        try (ResultSet found = connection.getMetaData().getColumns(null, "main", "jdbc\\_described", null)) {
            int[] types = {Types.INTEGER, Types.DECIMAL, Types.VARCHAR, Types.TIMESTAMP, Types.VARBINARY, Types.DATE,
                Types.DOUBLE, Types.ARRAY};
            for (int column = 0; found.next(); column++) {
                names += found.getString("COLUMN_NAME") + ":" + found.getString("TYPE_NAME") + " ";
                Checks.equal(types[column], found.getInt("DATA_TYPE"));
                Checks.equal(column + 1, found.getInt("ORDINAL_POSITION"));
                Checks.equal(column == 0 ? "NO" : "YES", found.getString("IS_NULLABLE"));
                if (column == 1) {
                    Checks.equal(12, found.getInt("COLUMN_SIZE"));
                    Checks.equal(3, found.getInt("DECIMAL_DIGITS"));
                }
            }
        }
        Checks.equal("n:INTEGER d:DECIMAL s:VARCHAR at:TIMESTAMP b:BYTEA day:DATE f:DOUBLE l:ARRAY ", names);
        ResultSet some = connection.getMetaData().getColumns(null, "main", "jdbc\\_described", "d%");
        Checks.equal(List.of("d", "day"), Checks.column(some, "COLUMN_NAME"));
    }

    private static void remarks(Connection connection) throws Exception {
        Checks.update(connection, "CREATE TABLE jdbc_remarks (n INT, plain INT)");
        Checks.update(connection, "COMMENT ON COLUMN jdbc_remarks.n IS 'how many'");
        try (ResultSet found = connection.getMetaData().getColumns(null, null, "jdbc\\_remarks", null)) {
            found.next();
            Checks.equal("how many", found.getString("REMARKS"));
            found.next();
            Checks.equal(null, found.getString("REMARKS"));
        }
    }

    private static void keys(Connection connection) throws Exception {
        Checks.update(connection, "CREATE TABLE jdbc_keys (n INT)");
        DatabaseMetaData data = connection.getMetaData();
        Checks.equal(List.of(), Checks.column(data.getPrimaryKeys(null, null, "jdbc_keys"), "COLUMN_NAME"));
        Checks.equal(List.of(), Checks.column(data.getImportedKeys(null, null, "jdbc_keys"), "FKCOLUMN_NAME"));
        Checks.equal(List.of(), Checks.column(data.getExportedKeys(null, null, "jdbc_keys"), "FKCOLUMN_NAME"));
        ResultSet cross = data.getCrossReference(null, null, "jdbc_keys", null, null, "jdbc_keys");
        Checks.equal(List.of(), Checks.column(cross, "FKCOLUMN_NAME"));
    }

    private static void types(Connection connection) throws Exception {
        // The driver answers by itself, and has no rows.
        try (ResultSet types = connection.getMetaData().getTypeInfo()) {
            Checks.equal(false, types.next());
        }
    }

    private static void properties(Connection connection) throws Exception {
        DatabaseMetaData data = connection.getMetaData();
        for (var method : DatabaseMetaData.class.getMethods()) {
            boolean property = method.getParameterCount() == 0 && !ResultSet.class.equals(method.getReturnType());
            if (property) {
                method.invoke(data);
            }
        }
        Checks.equal("Waterbuck", data.getDatabaseProductName());
        Checks.equal("\"", data.getIdentifierQuoteString());
        Checks.equal("\\", data.getSearchStringEscape());
        Checks.isTrue(data.getSQLKeywords().contains("OVERWRITE"), data.getSQLKeywords());
        Checks.equal(true, data.supportsANSI92EntryLevelSQL());
        Checks.equal(true, data.supportsSchemasInTableDefinitions());
    }

    private static void hidden(Checks checks, Connection connection) throws Exception {
        Checks.update(connection, "CREATE TABLE jdbc_hidden (shown INT, hidden INT)");
        Checks.update(connection, "CREATE USER jdbc_bob PASSWORD 'pw-of-bob'");
        try (Connection bob = checks.connect("jdbc_bob", "pw-of-bob")) {
            DatabaseMetaData data = bob.getMetaData();
            Checks.equal(List.of(), Checks.column(data.getTables(null, null, "jdbc\\_hidden", null), "TABLE_NAME"));
            Checks.update(connection, "GRANT SELECT ON jdbc_hidden (shown) TO USER jdbc_bob");
            ResultSet seen = data.getColumns(null, null, "jdbc\\_hidden", null);
            Checks.equal(List.of("shown"), Checks.column(seen, "COLUMN_NAME"));
        }
        Checks.update(connection, "REVOKE SELECT ON jdbc_hidden (shown) FROM USER jdbc_bob");
        Checks.update(connection, "DROP USER jdbc_bob");
    }

    private Metadata() {}
}
