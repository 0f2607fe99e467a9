import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.Date;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.Statement;
import java.sql.Time;
import java.sql.Timestamp;
import java.sql.Types;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** Every type that the driver reads and writes. */
final class Values {
    /** A column's type, and a value that is sent as a parameter and read back. */
    private record Column(String type, Object value) {}

    private static final List<Column> COLUMNS = List.of(
            new Column("BOOLEAN", true),
            new Column("TINYINT", (byte) -128),
            new Column("SMALLINT", (short) -32768),
            new Column("INT", Integer.MAX_VALUE),
            new Column("BIGINT", Long.MIN_VALUE),
            new Column("REAL", 0.25f),
            new Column("DOUBLE", 0.1),
            new Column("DECIMAL(10, 2)", new BigDecimal("-12345678.91")),
            new Column("DECIMAL(38, 10)", new BigDecimal("1234567890123456789012345678.0123456789")),
            new Column("VARCHAR", "naïve 🦆 'q'"),
            new Column("BYTEA", new byte[] {0, -1}),
            new Column("DATE", Date.valueOf("2024-02-29")),
            new Column("TIME", Time.valueOf("23:59:58")),
            new Column("TIMESTAMP", Timestamp.valueOf("1969-07-20 20:17:40.123")));

    static void run(Checks checks) {
        checks.check("scalars are read", Values::scalars);
        checks.check("wide decimals are read", Values::wideDecimals);
        checks.check("times and intervals are read", Values::times);
        checks.check("nested values are read", Values::nested);
        checks.check("NULL is NULL", Values::nulls);
        checks.check("columns take parameters of their types", Values::columns);
        checks.check("NULL is a parameter of every type", Values::nullParameters);
    }

    private static void scalars(Connection connection) throws Exception {
        String sql = "SELECT true, CAST(1 AS TINYINT), CAST(2 AS SMALLINT), CAST(3 AS INT), 4, CAST(2.5 AS REAL), 2.5,"
                + " CAST(12.34 AS DECIMAL(10, 2)), 'text 🦆', X'00ff'";
        try (Statement statement = connection.createStatement(); ResultSet result = statement.executeQuery(sql)) {
            result.next();
            Checks.equal(true, result.getBoolean(1));
            Checks.equal((byte) 1, result.getByte(2));
            Checks.equal((short) 2, result.getShort(3));
            Checks.equal(3, result.getInt(4));
            Checks.equal(4L, result.getLong(5));
            Checks.equal(2.5f, result.getFloat(6));
            Checks.equal(2.5, result.getDouble(7));
            Checks.equal("12.34", result.getBigDecimal(8).toPlainString());
            Checks.equal("text 🦆", result.getString(9));
            Checks.equal("[0, -1]", Arrays.toString(result.getBytes(10)));
        }
    }

    private static void wideDecimals(Connection connection) throws Exception {
        String digits = "1234567890123456789012345678901234567890.12";
        String sql = "SELECT CAST('" + digits + "' AS DECIMAL(60, 2)), CAST('-0.0000000001' AS DECIMAL(38, 10))";
        try (Statement statement = connection.createStatement(); ResultSet result = statement.executeQuery(sql)) {
            result.next();
            Checks.equal(new BigDecimal(digits), result.getBigDecimal(1));
            Checks.equal(new BigDecimal("-0.0000000001"), result.getBigDecimal(2));
        }
    }

    private static void times(Connection connection) throws Exception {
        String sql = "SELECT DATE '2024-02-29', TIME '01:02:03', TIMESTAMP '2024-02-29 01:02:03.123456',"
                + " arrow_cast('2024-02-29T01:02:03Z', 'Timestamp(Microsecond, Some(\"+00:00\"))'),"
                + " INTERVAL '14 months 3 days'";
        try (Statement statement = connection.createStatement(); ResultSet result = statement.executeQuery(sql)) {
            result.next();
            Checks.equal("2024-02-29", result.getDate(1).toString());
            Checks.equal(Time.valueOf("01:02:03").toString(), result.getTime(2).toString().substring(0, 8));
            Checks.equal(Timestamp.valueOf("2024-02-29 01:02:03.123456"), result.getTimestamp(3));
            Checks.equal(Instant.parse("2024-02-29T01:02:03Z"), result.getTimestamp(4).toInstant());
            Checks.isTrue(result.getString(5).contains("14") && result.getString(5).contains("3"), result.getString(5));
        }
    }

    private static void nested(Connection connection) throws Exception {
        String sql = "SELECT [1, NULL, 2], named_struct('a', 1, 'b', 'x'), map(['k'], [1]), [['a'], []]";
        try (Statement statement = connection.createStatement(); ResultSet result = statement.executeQuery(sql)) {
            result.next();
            Checks.equal("[1, null, 2]", Arrays.toString((Object[]) result.getArray(1).getArray()));
            Map<?, ?> struct = (Map<?, ?>) result.getObject(2);
            Checks.equal(1L, struct.get("a"));
            Checks.equal("x", String.valueOf(struct.get("b")));
            Map<?, ?> map = (Map<?, ?>) result.getObject(3);
            Checks.equal(1, map.size());
            Checks.equal("k=1", map.entrySet().iterator().next().toString());
            Checks.isTrue(result.getString(4).contains("a"), result.getString(4));
        }
    }

    private static void nulls(Connection connection) throws Exception {
        String sql = "SELECT CAST(NULL AS INT), CAST(NULL AS VARCHAR), CAST(NULL AS DECIMAL(10, 2)), CAST(NULL AS DATE),"
                + " CAST(NULL AS TIMESTAMP), CAST(NULL AS BYTEA), NULL";
        try (Statement statement = connection.createStatement(); ResultSet result = statement.executeQuery(sql)) {
            result.next();
            Checks.equal(0, result.getInt(1));
            Checks.equal(true, result.wasNull());
            Checks.equal(null, result.getString(2));
            Checks.equal(null, result.getBigDecimal(3));
            Checks.equal(null, result.getDate(4));
            Checks.equal(null, result.getTimestamp(5));
            Checks.equal(null, result.getBytes(6));
            Checks.equal(null, result.getObject(7));
        }
    }

    private static String definition() {
        StringBuilder columns = new StringBuilder();
        for (int index = 0; index < COLUMNS.size(); index++) {
            columns.append(index == 0 ? "" : ", ").append("c").append(index).append(' ').append(COLUMNS.get(index).type());
        }
        return columns.toString();
    }

    private static String insertInto(String table) {
        return "INSERT INTO " + table + " VALUES (" + "?, ".repeat(COLUMNS.size() - 1) + "?)";
    }

    private static void columns(Connection connection) throws Exception {
        Checks.update(connection, "CREATE TABLE jdbc_columns (" + definition() + ")");
        try (PreparedStatement insert = connection.prepareStatement(insertInto("jdbc_columns"))) {
            for (int index = 0; index < COLUMNS.size(); index++) {
                insert.setObject(index + 1, COLUMNS.get(index).value());
            }
            Checks.equal(1, insert.executeUpdate());
        }
        try (Statement statement = connection.createStatement();
                ResultSet result = statement.executeQuery("SELECT * FROM jdbc_columns")) {
            result.next();
            for (int index = 0; index < COLUMNS.size(); index++) {
                Object expected = COLUMNS.get(index).value();
                Object got = read(result, index + 1, expected);
                boolean same = expected instanceof byte[] bytes ? Arrays.equals(bytes, (byte[]) got) : expected.equals(got);
                Checks.isTrue(same, COLUMNS.get(index).type() + ": " + got + " instead of " + expected);
            }
        }
        for (int index = 0; index < COLUMNS.size(); index++) {
            String sql = "SELECT count(*) FROM jdbc_columns WHERE c" + index + " = ?";
            Object found = Checks.rows(connection, sql, COLUMNS.get(index).value()).get(0).get(0);
            Checks.isTrue(found.equals(1L), COLUMNS.get(index).type() + " is not found by its value");
        }
    }

    /** A column by the getter of its type: {@code getObject} widens. */
    private static Object read(ResultSet result, int column, Object like) throws Exception {
        if (like instanceof Byte) {
            return result.getByte(column);
        } else if (like instanceof Short) {
            return result.getShort(column);
        } else if (like instanceof Float) {
            return result.getFloat(column);
        } else if (like instanceof Time) {
            return Time.valueOf(result.getTime(column).toString().substring(0, 8));
        } else if (like instanceof Timestamp) {
            return result.getTimestamp(column);
        } else if (like instanceof Date) {
            return result.getDate(column);
        }
        return result.getObject(column);
    }

    private static void nullParameters(Connection connection) throws Exception {
        Checks.update(connection, "CREATE TABLE jdbc_nulls (" + definition() + ")");
        try (PreparedStatement insert = connection.prepareStatement(insertInto("jdbc_nulls"))) {
            for (int index = 0; index < COLUMNS.size(); index++) {
                insert.setNull(index + 1, Types.NULL);
            }
            Checks.equal(1, insert.executeUpdate());
        }
        for (Object value : Checks.rows(connection, "SELECT * FROM jdbc_nulls").get(0)) {
            Checks.equal(null, value);
        }
    }

    private Values() {}
}
