import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.Date;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.Set;

/** Checks through the Flight SQL JDBC driver; prints one closing line. */
public class Main {
    interface Check {
        void run(Connection connection) throws Exception;
    }

    static String url;
    static int passed = 0;
    static int failed = 0;

    public static void main(String[] arguments) throws Exception {
        url = "jdbc:arrow-flight-sql://" + arguments[0] + "/?useEncryption=false";
        check("a query gives its rows", Main::rows);
        check("every type is read", Main::types);
        check("NULL is NULL", Main::nulls);
        check("an update gives its count", Main::updates);
        check("parameters are bound", Main::parameters);
        check("a batch of parameters is inserted", Main::batch);
        check("tables and columns are listed", Main::metadata);
        check("no property of the database is missing", Main::properties);
        check("an error has the server's words", Main::errors);
        check("a large result arrives whole", Main::large);
        check("a wrong password is refused", connection -> refused());
        System.out.println("jdbc: " + passed + " passed, " + failed + " failed");
        System.exit(failed == 0 ? 0 : 1);
    }

    static void check(String name, Check check) {
        try (Connection connection = connect("test")) {
            check.run(connection);
            passed++;
        } catch (Throwable problem) {
            failed++;
            System.out.println("jdbc: " + name + " FAILED: " + problem);
        }
    }

    static Connection connect(String password) throws SQLException {
        Properties properties = new Properties();
        properties.put("user", "admin");
        properties.put("password", password);
        return DriverManager.getConnection(url, properties);
    }

    static void rows(Connection connection) throws Exception {
        try (Statement statement = connection.createStatement();
                ResultSet result = statement.executeQuery("SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS t(n, s) ORDER BY n")) {
            ResultSetMetaData columns = result.getMetaData();
            equal(2, columns.getColumnCount());
            equal("n", columns.getColumnLabel(1));
            equal("s", columns.getColumnLabel(2));
            result.next();
            equal(1L, result.getLong(1));
            result.next();
            equal(2L, result.getLong("n"));
            equal("b", result.getString("s"));
            equal(false, result.next());
        }
    }

    static void types(Connection connection) throws Exception {
        String sql = "SELECT true AS b, CAST(1 AS SMALLINT) AS i16, 2.5 AS f, CAST(12.34 AS DECIMAL(10, 2)) AS d,"
                + " 'text' AS s, DATE '2024-02-29' AS day, TIMESTAMP '2024-02-29 01:02:03' AS at";
        try (Statement statement = connection.createStatement(); ResultSet result = statement.executeQuery(sql)) {
            result.next();
            equal(true, result.getBoolean(1));
            equal((short) 1, result.getShort(2));
            equal(2.5, result.getDouble(3));
            equal("12.34", result.getBigDecimal(4).toPlainString());
            equal("text", result.getString(5));
            equal("2024-02-29", result.getDate(6).toString());
            equal(Timestamp.valueOf("2024-02-29 01:02:03"), result.getTimestamp(7));
        }
    }

    static void nulls(Connection connection) throws Exception {
        try (Statement statement = connection.createStatement();
                ResultSet result = statement.executeQuery("SELECT CAST(NULL AS INT) AS i, CAST(NULL AS VARCHAR) AS s")) {
            result.next();
            equal(0, result.getInt(1));
            equal(true, result.wasNull());
            equal(null, result.getString(2));
        }
    }

    static void updates(Connection connection) throws Exception {
        try (Statement statement = connection.createStatement()) {
            statement.executeUpdate("CREATE TABLE jdbc_t (n INT, s VARCHAR)");
            equal(2, statement.executeUpdate("INSERT INTO jdbc_t VALUES (1, 'a'), (2, NULL)"));
            try (ResultSet result = statement.executeQuery("SELECT count(*), count(s) FROM jdbc_t")) {
                result.next();
                equal(2L, result.getLong(1));
                equal(1L, result.getLong(2));
            }
            statement.executeUpdate("DROP TABLE jdbc_t");
        }
    }

    static void parameters(Connection connection) throws Exception {
        String sql = "SELECT n FROM (VALUES (1, 'a'), (2, 'b'), (3, 'c')) AS t(n, s) WHERE n > ? AND s <> ?";
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            statement.setLong(1, 1);
            statement.setString(2, "c");
            try (ResultSet result = statement.executeQuery()) {
                result.next();
                equal(2L, result.getLong(1));
                equal(false, result.next());
            }
        }
    }

    static void batch(Connection connection) throws Exception {
        try (Statement statement = connection.createStatement()) {
            statement.executeUpdate("CREATE TABLE jdbc_batch (n INT, s VARCHAR, d DATE)");
        }
        try (PreparedStatement insert = connection.prepareStatement("INSERT INTO jdbc_batch VALUES (?, ?, ?)")) {
            for (int n = 1; n <= 3; n++) {
                insert.setInt(1, n);
                insert.setString(2, "row " + n);
                insert.setDate(3, Date.valueOf("2024-01-0" + n));
                insert.addBatch();
            }
            insert.executeBatch();
        }
        try (Statement statement = connection.createStatement();
                ResultSet result = statement.executeQuery("SELECT count(*), sum(n), max(s), max(d) FROM jdbc_batch")) {
            result.next();
            equal(3L, result.getLong(1));
            equal(6L, result.getLong(2));
            equal("row 3", result.getString(3));
            equal("2024-01-03", result.getDate(4).toString());
        }
    }

    static void metadata(Connection connection) throws Exception {
        try (Statement statement = connection.createStatement()) {
            statement.executeUpdate("CREATE TABLE jdbc_meta (first INT, second VARCHAR)");
        }
        DatabaseMetaData data = connection.getMetaData();
        List<String> names = new ArrayList<>();
        try (ResultSet tables = data.getTables(null, null, "jdbc_meta", null)) {
            while (tables.next()) {
                names.add(tables.getString("TABLE_NAME"));
            }
        }
        equal(List.of("jdbc_meta"), names);
        names.clear();
        try (ResultSet columns = data.getColumns(null, null, "jdbc_meta", null)) {
            while (columns.next()) {
                names.add(columns.getString("COLUMN_NAME"));
            }
        }
        equal(List.of("first", "second"), names);
        names.clear();
        try (ResultSet schemas = data.getSchemas()) {
            while (schemas.next()) {
                names.add(schemas.getString("TABLE_SCHEM"));
            }
        }
        equal(true, names.containsAll(Set.of("main", "information_schema")));
    }

    static void properties(Connection connection) throws Exception {
        DatabaseMetaData data = connection.getMetaData();
        for (var method : DatabaseMetaData.class.getMethods()) {
            boolean property = method.getParameterCount() == 0 && !ResultSet.class.equals(method.getReturnType());
            if (property) {
                method.invoke(data);
            }
        }
    }

    static void errors(Connection connection) throws Exception {
        try (Statement statement = connection.createStatement()) {
            statement.executeQuery("SELECT nothing FROM (VALUES (1)) AS t(something)");
            throw new AssertionError("an unknown column was taken");
        } catch (SQLException expected) {
            equal(true, expected.getMessage().contains("nothing"));
        }
    }

    static void large(Connection connection) throws Exception {
        try (Statement statement = connection.createStatement();
                ResultSet result = statement.executeQuery("SELECT i FROM generate_series(1, 200000) AS t(i)")) {
            long count = 0;
            long sum = 0;
            while (result.next()) {
                count++;
                sum += result.getLong(1);
            }
            equal(200000L, count);
            equal(20000100000L, sum);
        }
    }

    static void refused() throws Exception {
        try (Connection connection = connect("wrong")) {
            throw new AssertionError("a wrong password was taken");
        } catch (SQLException expected) {
            // As it should be.
        }
    }

    static void equal(Object expected, Object actual) {
        if (expected == null ? actual != null : !expected.equals(actual)) {
            throw new AssertionError("expected " + expected + ", got " + actual);
        }
    }
}
