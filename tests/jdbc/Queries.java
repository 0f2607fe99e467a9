import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.Statement;
import java.sql.Types;

/** Results as the driver gives them. */
final class Queries {
    static void run(Checks checks) {
        checks.check("a query gives its rows", Queries::rows);
        checks.check("a result is described", Queries::described);
        checks.check("a result may be empty", Queries::empty);
        checks.check("two columns may share a name", Queries::sameName);
        checks.check("a connection serves several statements at once", Queries::several);
        checks.check("an ordered result comes in order", Queries::ordered);
        checks.check("a large result arrives whole", Queries::large);
        checks.check("a result may be left unread", Queries::leftUnread);
    }

    private static void rows(Connection connection) throws Exception {
        String sql = "SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS t(n, s) ORDER BY n";
        try (Statement statement = connection.createStatement(); ResultSet result = statement.executeQuery(sql)) {
            result.next();
            Checks.equal(1L, result.getLong(1));
            result.next();
            Checks.equal(2L, result.getLong("n"));
            Checks.equal("b", result.getString("s"));
            Checks.equal(false, result.next());
        }
    }

    private static void described(Connection connection) throws Exception {
        String sql = "SELECT 1 AS n, 'a' AS s, CAST(1.5 AS DECIMAL(12, 3)) AS d, TIMESTAMP '2024-01-01 00:00:00' AS at";
        try (PreparedStatement statement = connection.prepareStatement(sql);
                ResultSet result = statement.executeQuery()) {
            ResultSetMetaData told = result.getMetaData();
            Checks.equal(4, told.getColumnCount());
            int[] types = {Types.BIGINT, Types.VARCHAR, Types.DECIMAL, Types.TIMESTAMP};
            String[] names = {"n", "s", "d", "at"};
            for (int column = 1; column <= 4; column++) {
                Checks.equal(names[column - 1], told.getColumnLabel(column));
                Checks.equal(types[column - 1], told.getColumnType(column));
            }
        }
    }

    private static void empty(Connection connection) throws Exception {
        try (PreparedStatement statement = connection.prepareStatement("SELECT 1 AS n WHERE false");
                ResultSet result = statement.executeQuery()) {
            Checks.equal(false, result.next());
        }
    }

    private static void sameName(Connection connection) throws Exception {
        String sql = "SELECT x.n, y.n FROM (VALUES (1)) AS x(n) JOIN (VALUES (2)) AS y(n) ON x.n < y.n";
        try (Statement statement = connection.createStatement(); ResultSet result = statement.executeQuery(sql)) {
            result.next();
            Checks.equal(1L, result.getLong(1));
            Checks.equal(2L, result.getLong(2));
            Checks.equal("n", result.getMetaData().getColumnLabel(2));
        }
    }

    private static void several(Connection connection) throws Exception {
        try (Statement one = connection.createStatement();
                Statement other = connection.createStatement();
                ResultSet slow = one.executeQuery("SELECT i FROM generate_series(1, 100000) AS t(i)")) {
            slow.next();
            try (ResultSet quick = other.executeQuery("SELECT 7")) {
                quick.next();
                Checks.equal(7L, quick.getLong(1));
            }
            long count = 1;
            while (slow.next()) {
                count++;
            }
            Checks.equal(100000L, count);
        }
    }

    private static void ordered(Connection connection) throws Exception {
        String sql = "SELECT i FROM generate_series(1, 100000) AS t(i) ORDER BY i DESC";
        try (Statement statement = connection.createStatement(); ResultSet result = statement.executeQuery(sql)) {
            for (long expected = 100000; expected > 0; expected--) {
                result.next();
                Checks.equal(expected, result.getLong(1));
            }
            Checks.equal(false, result.next());
        }
    }

    private static void large(Connection connection) throws Exception {
        String sql = "SELECT i, CAST(i AS VARCHAR) AS s FROM generate_series(1, 200000) AS t(i)";
        try (Statement statement = connection.createStatement(); ResultSet result = statement.executeQuery(sql)) {
            long count = 0;
            long sum = 0;
            while (result.next()) {
                count++;
                sum += result.getLong(1);
                Checks.equal(result.getLong(1), Long.parseLong(result.getString(2)));
            }
            Checks.equal(200000L, count);
            Checks.equal(20000100000L, sum);
        }
    }

    private static void leftUnread(Connection connection) throws Exception {
        for (int round = 0; round < 20; round++) {
            try (Statement statement = connection.createStatement();
                    ResultSet result = statement.executeQuery("SELECT i FROM generate_series(1, 1000000) AS t(i)")) {
                result.next();
                result.getLong(1);
            }
        }
        Checks.equal(7L, Checks.rows(connection, "SELECT 7").get(0).get(0));
    }

    private Queries() {}
}
