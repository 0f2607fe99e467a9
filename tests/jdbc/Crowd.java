import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/** Many connections at once, each with statements of several kinds and right answers. */
final class Crowd {
    private static final int CONNECTIONS = 64;

    static void run(Checks checks) {
        checks.check("many connections get right answers", connection -> crowd(checks, connection));
    }

    private static void crowd(Checks checks, Connection connection) throws Exception {
        Checks.update(connection, "CREATE TABLE jdbc_crowd (who INT, n INT)");
        ExecutorService pool = Executors.newFixedThreadPool(CONNECTIONS);
        List<Future<Void>> all = new ArrayList<>();
        for (int who = 0; who < CONNECTIONS; who++) {
            int number = who;
            Callable<Void> one = () -> oneOfMany(checks, number);
            all.add(pool.submit(one));
        }
        for (Future<Void> done : all) {
            done.get(300, TimeUnit.SECONDS);
        }
        pool.shutdown();
        List<Object> counted =
                Checks.rows(connection, "SELECT count(*), count(DISTINCT who), sum(n) FROM jdbc_crowd").get(0);
        Checks.equal(List.of((long) CONNECTIONS, (long) CONNECTIONS, 7L * CONNECTIONS), counted);
    }

    private static Void oneOfMany(Checks checks, int who) throws Exception {
        try (Connection connection = checks.connect()) {
            Checks.equal(who * 2L, Checks.rows(connection, "SELECT ? * 2", (long) who).get(0).get(0));
            Checks.equal(1, Checks.update(connection, "INSERT INTO jdbc_crowd VALUES (" + who + ", 7)"));
            Checks.equal(7, Checks.rows(connection, "SELECT n FROM jdbc_crowd WHERE who = ?", who).get(0).get(0));
            Checks.fails(() -> Checks.rows(connection, "SELECT c" + who + " FROM jdbc_crowd"), "c" + who);
            ResultSet tables = connection.getMetaData().getTables(null, null, "jdbc\\_crowd", null);
            Checks.equal(List.of("jdbc_crowd"), Checks.column(tables, "TABLE_NAME"));
            long sum = 0;
            String sql = "SELECT i + " + who + " AS n FROM generate_series(1, 20000) AS t(i)";
            try (Statement statement = connection.createStatement(); ResultSet result = statement.executeQuery(sql)) {
                while (result.next()) {
                    sum += result.getLong(1);
                }
            }
            Checks.equal(200010000L + 20000L * who, sum);
        }
        return null;
    }

    private Crowd() {}
}
