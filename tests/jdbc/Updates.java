import java.sql.Connection;
import java.sql.Statement;
import java.util.List;

/** Statements that change something, and their counts. */
final class Updates {
    static void run(Checks checks) {
        checks.check("an update gives its count", Updates::counts);
        checks.check("execute tells rows from counts", Updates::execute);
        checks.check("an update runs once", Updates::once);
        checks.check("each statement commits by itself", connection -> atOnce(checks, connection));
    }

    private static void counts(Connection connection) throws Exception {
        Checks.equal(0, Checks.update(connection, "CREATE TABLE jdbc_t (n INT, s VARCHAR)"));
        Checks.equal(2, Checks.update(connection, "INSERT INTO jdbc_t VALUES (1, 'a'), (2, NULL)"));
        Checks.equal(0, Checks.update(connection, "INSERT INTO jdbc_t SELECT * FROM jdbc_t WHERE n > 5"));
        Checks.equal(List.of(List.of(2L, 1L)), Checks.rows(connection, "SELECT count(*), count(s) FROM jdbc_t"));
        Checks.equal(1, Checks.update(connection, "INSERT OVERWRITE jdbc_t SELECT 7, 'z'"));
        Checks.equal(List.of(List.of(7, "z")), Checks.rows(connection, "SELECT * FROM jdbc_t"));
        Checks.equal(0, Checks.update(connection, "DROP TABLE jdbc_t"));
    }

    private static void execute(Connection connection) throws Exception {
        try (Statement statement = connection.createStatement()) {
            Checks.equal(true, statement.execute("SELECT 1"));
            statement.getResultSet().close();
            Checks.equal(false, statement.execute("CREATE TABLE jdbc_execute AS SELECT 1 AS n"));
            Checks.equal(1, statement.getUpdateCount());
            Checks.equal(true, statement.execute("SHOW SCHEMAS"));
            statement.getResultSet().close();
        }
    }

    private static void once(Connection connection) throws Exception {
        Checks.update(connection, "CREATE TABLE jdbc_once (n INT)");
        try (Statement statement = connection.createStatement()) {
            statement.execute("INSERT INTO jdbc_once VALUES (1)");
            statement.executeUpdate("INSERT INTO jdbc_once VALUES (2)");
        }
        Checks.equal(List.of(List.of(2L)), Checks.rows(connection, "SELECT count(*) FROM jdbc_once"));
    }

    private static void atOnce(Checks checks, Connection connection) throws Exception {
        Checks.equal(true, connection.getAutoCommit());
        Checks.equal(false, connection.getMetaData().supportsTransactions());
        Checks.update(connection, "CREATE TABLE jdbc_seen (n INT)");
        try (Connection other = checks.connect()) {
            Checks.equal(List.of(List.of(0L)), Checks.rows(other, "SELECT count(*) FROM jdbc_seen"));
        }
    }

    private Updates() {}
}
