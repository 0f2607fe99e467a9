import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.Date;
import java.sql.ParameterMetaData;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.Timestamp;
import java.sql.Types;
import java.util.List;

/** Parameters: typed, NULL, in batches, too few, too many, of a type that does not fit. */
final class Parameters {
    private static final String T = "(VALUES (1, 'a'), (2, NULL), (3, 'c')) AS t(n, s)";

    static void run(Checks checks) {
        checks.check("parameters are bound", Parameters::bound);
        checks.check("parameters are described", Parameters::described);
        checks.check("a prepared statement runs again", Parameters::again);
        checks.check("a parameter without a type is text", Parameters::untyped);
        checks.check("NULL is a parameter", Parameters::isNull);
        checks.check("text is never read as SQL", Parameters::injection);
        checks.check("a batch of parameters is inserted", Parameters::batch);
        checks.check("a batch is inserted whole or not at all", Parameters::batchIsWhole);
        checks.check("too many parameters are refused", Parameters::tooMany);
        checks.check("a value of the wrong type is refused", Parameters::wrongType);
        checks.check("LIMIT takes a parameter", Parameters::limit);
    }

    private static void bound(Connection connection) throws Exception {
        String sql = "SELECT n FROM " + T + " WHERE n > ? AND s <> ?";
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            statement.setLong(1, 0);
            statement.setString(2, "c");
            try (ResultSet result = statement.executeQuery()) {
                Checks.equal(List.of(List.of(1L)), Checks.rows(result));
            }
        }
    }

    private static void described(Connection connection) throws Exception {
        String sql = "SELECT n FROM " + T + " WHERE n > ? AND s <> ? AND CAST(1.5 AS DECIMAL(10, 2)) > ? AND ? IS NULL";
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            ParameterMetaData told = statement.getParameterMetaData();
            Checks.equal(4, told.getParameterCount());
            Checks.equal(Types.BIGINT, told.getParameterType(1));
            Checks.equal(Types.VARCHAR, told.getParameterType(2));
            Checks.equal(Types.DECIMAL, told.getParameterType(3));
            Checks.equal(Types.VARCHAR, told.getParameterType(4));
        }
    }

    private static void again(Connection connection) throws Exception {
        try (PreparedStatement statement = connection.prepareStatement("SELECT s FROM " + T + " WHERE n = ?")) {
            for (int round = 0; round < 3; round++) {
                statement.setInt(1, round % 2 == 0 ? 1 : 3);
                try (ResultSet result = statement.executeQuery()) {
                    Checks.equal(List.of(List.of(round % 2 == 0 ? "a" : "c")), Checks.rows(result));
                }
            }
        }
    }

    private static void untyped(Connection connection) throws Exception {
        Checks.equal("7", Checks.rows(connection, "SELECT ?", "7").get(0).get(0));
        Checks.equal(8L, Checks.rows(connection, "SELECT ? + 1", 7L).get(0).get(0));
    }

    private static void isNull(Connection connection) throws Exception {
        String sql = "SELECT n FROM " + T + " WHERE s IS NOT DISTINCT FROM ?";
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            statement.setNull(1, Types.VARCHAR);
            try (ResultSet result = statement.executeQuery()) {
                Checks.equal(List.of(List.of(2L)), Checks.rows(result));
            }
        }
    }

    private static void injection(Connection connection) throws Exception {
        String evil = "'; DROP TABLE jdbc_t; -- \" ? $1 \\";
        Checks.equal(List.of(List.of(evil)), Checks.rows(connection, "SELECT s FROM (SELECT ? AS s) AS t", evil));
    }

    private static void batch(Connection connection) throws Exception {
        Checks.update(connection, "CREATE TABLE jdbc_batch (n INT, s VARCHAR, d DATE, at TIMESTAMP, x DECIMAL(10, 2))");
        String sql = "INSERT INTO jdbc_batch VALUES (?, ?, ?, ?, ?)";
        try (PreparedStatement insert = connection.prepareStatement(sql)) {
            for (int n = 1; n <= 500; n++) {
                insert.setInt(1, n);
                insert.setString(2, n % 2 == 0 ? null : "row " + n);
                insert.setDate(3, Date.valueOf("2024-01-0" + (n % 9 + 1)));
                insert.setTimestamp(4, Timestamp.valueOf("2024-01-01 00:00:00.123"));
                insert.setBigDecimal(5, new BigDecimal(n).movePointLeft(2));
                insert.addBatch();
            }
            insert.executeBatch();
        }
        String counts = "SELECT count(*), sum(n), count(s), max(d), max(at), CAST(sum(x) AS VARCHAR) FROM jdbc_batch";
        try (PreparedStatement statement = connection.prepareStatement(counts);
                ResultSet result = statement.executeQuery()) {
            result.next();
            Checks.equal(500L, result.getLong(1));
            Checks.equal(125250L, result.getLong(2));
            Checks.equal(250L, result.getLong(3));
            Checks.equal("2024-01-09", result.getDate(4).toString());
            Checks.equal(Timestamp.valueOf("2024-01-01 00:00:00.123"), result.getTimestamp(5));
            Checks.equal("1252.50", result.getString(6));
        }
    }

    private static void batchIsWhole(Connection connection) throws Exception {
        Checks.update(connection, "CREATE TABLE jdbc_whole (n INT NOT NULL)");
        try (PreparedStatement insert = connection.prepareStatement("INSERT INTO jdbc_whole VALUES (?)")) {
            for (int n = 0; n < 3; n++) {
                if (n == 2) {
                    insert.setNull(1, Types.INTEGER);
                } else {
                    insert.setInt(1, n);
                }
                insert.addBatch();
            }
            Checks.fails(insert::executeBatch);
        }
        Checks.equal(List.of(List.of(0L)), Checks.rows(connection, "SELECT count(*) FROM jdbc_whole"));
    }

    private static void tooMany(Connection connection) throws Exception {
        try (PreparedStatement statement = connection.prepareStatement("SELECT n FROM " + T + " WHERE n = ?")) {
            Checks.fails(() -> statement.setInt(2, 1), "2");
        }
    }

    private static void wrongType(Connection connection) throws Exception {
        Checks.update(connection, "CREATE TABLE jdbc_unfit (n INT)");
        try (PreparedStatement insert = connection.prepareStatement("INSERT INTO jdbc_unfit VALUES (?)")) {
            insert.setString(1, "seven");
            Checks.fails(insert::executeUpdate);
        }
        String sql = "SELECT n FROM " + T + " WHERE CAST(? AS INT) = n";
        Checks.fails(() -> Checks.rows(connection, sql, "seven"));
        Checks.equal(List.of(List.of(0L)), Checks.rows(connection, "SELECT count(*) FROM jdbc_unfit"));
    }

    private static void limit(Connection connection) throws Exception {
        String sql = "SELECT n FROM " + T + " ORDER BY n LIMIT ? OFFSET ?";
        Checks.equal(List.of(List.of(2L)), Checks.rows(connection, sql, 1L, 1L));
    }

    private Parameters() {}
}
