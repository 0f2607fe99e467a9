import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Properties;

/** Runs checks, each over a connection of its own, and counts them. */
final class Checks {
    interface Check {
        void run(Connection connection) throws Exception;
    }

    interface Action {
        void run() throws Exception;
    }

    private final String address;
    private int passed = 0;
    private int failed = 0;

    Checks(String address) {
        this.address = address;
    }

    void check(String name, Check check) {
        try (Connection connection = connect()) {
            check.run(connection);
            passed++;
        } catch (Throwable problem) {
            failed++;
            String text = String.valueOf(problem).replace('\n', ' ');
            System.out.println("jdbc: " + name + " FAILED: " + text + " at " + placeOf(problem));
        }
    }

    /** The line of these programs at which something failed. */
    private static String placeOf(Throwable problem) {
        for (StackTraceElement frame : problem.getStackTrace()) {
            String file = String.valueOf(frame.getFileName());
            boolean ours = frame.getClassName().indexOf('.') < 0 && !file.equals("Checks.java");
            if (ours) {
                return file + ":" + frame.getLineNumber();
            }
        }
        return "?";
    }

    void end() {
        System.out.println("jdbc: " + passed + " passed, " + failed + " failed");
        System.exit(failed == 0 ? 0 : 1);
    }

    Connection connect() throws SQLException {
        return connect("admin", "test");
    }

    Connection connect(String user, String password) throws SQLException {
        Properties properties = new Properties();
        properties.put("user", user);
        properties.put("password", password);
        return connect(properties);
    }

    Connection connect(Properties properties) throws SQLException {
        return DriverManager.getConnection("jdbc:arrow-flight-sql://" + address + "/?useEncryption=false", properties);
    }

    /** Runs a statement that changes something and gives its count. */
    static int update(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            return statement.executeUpdate(sql);
        }
    }

    /** The rows of a query, as {@code getObject} gives them. */
    static List<List<Object>> rows(Connection connection, String sql, Object... parameters) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            for (int index = 0; index < parameters.length; index++) {
                statement.setObject(index + 1, parameters[index]);
            }
            try (ResultSet result = statement.executeQuery()) {
                return rows(result);
            }
        }
    }

    static List<List<Object>> rows(ResultSet result) throws SQLException {
        List<List<Object>> rows = new ArrayList<>();
        while (result.next()) {
            List<Object> row = new ArrayList<>();
            for (int column = 1; column <= result.getMetaData().getColumnCount(); column++) {
                row.add(result.getObject(column));
            }
            rows.add(row);
        }
        return rows;
    }

    /** One column of a listing, as text. */
    static List<String> column(ResultSet result, String name) throws SQLException {
        try (result) {
            List<String> values = new ArrayList<>();
            while (result.next()) {
                values.add(result.getString(name));
            }
            return values;
        }
    }

    static void equal(Object expected, Object actual) {
        if (!Objects.equals(expected, actual)) {
            throw new AssertionError("expected " + expected + ", got " + actual);
        }
    }

    static void isTrue(boolean condition, Object shown) {
        if (!condition) {
            throw new AssertionError(String.valueOf(shown));
        }
    }

    /** Runs an action that must fail with all of these words in its text or those of its causes. */
    static Throwable fails(Action action, String... words) {
        try {
            action.run();
        } catch (Exception problem) {
            StringBuilder text = new StringBuilder();
            for (Throwable cause = problem; cause != null; cause = cause.getCause()) {
                text.append(cause.getMessage()).append('\n');
            }
            String lower = text.toString().toLowerCase(Locale.ROOT);
            for (String word : words) {
                isTrue(lower.contains(word.toLowerCase(Locale.ROOT)), "no \"" + word + "\" in " + text);
            }
            return problem;
        }
        throw new AssertionError("it was taken");
    }
}
