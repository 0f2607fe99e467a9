import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/** Ways to stop a query: however the client lets go of it, the server ends it within a second. */
final class Cancel {
    private static final Set<String> LIVE = Set.of("planning", "queued", "running");
    private static final long END_MILLIS = 1000;
    private static final long START_MILLIS = 60_000;

    static void run(Checks checks) {
        checks.check("a statement that waits is cancelled", connection -> waiting(checks, connection));
        checks.check("a result that is read is cancelled", connection -> reading(checks, connection));
        checks.check("a statement that is closed stops its query", connection -> closed(checks, connection));
        checks.check("a timeout stops a query", connection -> timeout(checks, connection));
    }

    /** Computes for hours before its only row. */
    private static String forever(String tag) {
        return "SELECT count(*) AS " + tag + " FROM generate_series(1, 3000000) AS a(i)"
                + " JOIN generate_series(1, 3000000) AS b(j) ON i % 7 <> j % 11";
    }

    /** Gives rows for hours. */
    private static String endless(String tag) {
        return "SELECT i AS " + tag + " FROM generate_series(1, 1000000000000) AS t(i)";
    }

    private static void waiting(Checks checks, Connection connection) throws Exception {
        try (Connection watch = checks.connect(); Statement statement = connection.createStatement()) {
            ExecutorService background = Executors.newSingleThreadExecutor();
            Callable<Boolean> read = () -> statement.executeQuery(forever("jdbc_waits")).next();
            Future<Boolean> answer = background.submit(read);
            started(watch, "jdbc_waits");
            // As long as the driver waits for the FlightInfo it has nothing to cancel.
            ended(watch, "jdbc_waits", statement::cancel);
            try {
                throw new AssertionError("a cancelled query gave " + answer.get(30, TimeUnit.SECONDS));
            } catch (ExecutionException expected) {
                // As it should be.
            }
            background.shutdown();
        }
        Checks.equal(7L, Checks.rows(connection, "SELECT 7").get(0).get(0));
    }

    private static void reading(Checks checks, Connection connection) throws Exception {
        try (Connection watch = checks.connect(); Statement statement = connection.createStatement()) {
            ResultSet result = statement.executeQuery(endless("jdbc_reads"));
            Checks.equal(true, result.next());
            started(watch, "jdbc_reads");
            statement.cancel();
            Checks.fails(() -> {
                while (result.next()) {
                    result.getLong(1);
                }
            });
            ended(watch, "jdbc_reads");
        }
    }

    private static void closed(Checks checks, Connection connection) throws Exception {
        try (Connection watch = checks.connect()) {
            try (Statement statement = connection.createStatement()) {
                Checks.equal(true, statement.executeQuery(endless("jdbc_closed")).next());
                started(watch, "jdbc_closed");
            }
            ended(watch, "jdbc_closed");
        }
    }

    private static void timeout(Checks checks, Connection connection) throws Exception {
        try (Connection watch = checks.connect()) {
            try (Statement statement = connection.createStatement()) {
                statement.setQueryTimeout(1);
                Checks.fails(() -> statement.executeQuery(forever("jdbc_timeout")));
            }
            ended(watch, "jdbc_timeout");
        }
    }

    private static List<String> states(Connection watch, String tag) throws SQLException {
        List<String> states = new ArrayList<>();
        for (List<Object> row : Checks.rows(watch, "SELECT sql, state FROM system.queries")) {
            if (row.get(0).toString().contains(tag)) {
                states.add(row.get(1).toString());
            }
        }
        return states;
    }

    private static void started(Connection watch, String tag) throws SQLException {
        long end = System.currentTimeMillis() + START_MILLIS;
        while (!states(watch, tag).contains("running")) {
            Checks.isTrue(System.currentTimeMillis() < end, tag + " never ran");
        }
    }

    private static void ended(Connection watch, String tag) throws Exception {
        ended(watch, tag, () -> {});
    }

    /** Waits for the end of a query, doing {@code meanwhile} again and again. */
    private static void ended(Connection watch, String tag, Checks.Action meanwhile) throws Exception {
        long end = System.currentTimeMillis() + END_MILLIS;
        List<String> states;
        do {
            Checks.isTrue(System.currentTimeMillis() < end, tag + " still runs");
            meanwhile.run();
            states = states(watch, tag);
        } while (states.stream().anyMatch(LIVE::contains));
        Checks.isTrue(states.contains("cancelled"), states);
    }

    private Cancel() {}
}
