import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.Statement;

/** Errors have the server's words, with the place in them, and none is taken for an end. */
final class Errors {
    static void run(Checks checks) {
        checks.check("an error has the server's words", Errors::words);
        checks.check("an error shows its place", Errors::place);
        checks.check("an error leaves the connection usable", Errors::usable);
        checks.check("an error late in a result is no end", Errors::late);
    }

    private static void words(Connection connection) throws Exception {
        String t = "(VALUES (1)) AS t(something)";
        Checks.fails(() -> Checks.rows(connection, "SELECT nothing FROM " + t), "nothing", "something");
        Checks.fails(() -> Checks.rows(connection, "SELECT * FROM jdbc_there_is_none"), "jdbc_there_is_none", "does not exist");
        Checks.fails(() -> Checks.rows(connection, "SELECT 1 / (something - 1) FROM " + t), "zero");
        Checks.fails(() -> Checks.update(connection, "INSERT INTO jdbc_there_is_none VALUES (1)"), "jdbc_there_is_none");
        Checks.fails(() -> Checks.update(connection, "BEGIN"), "BEGIN", "not supported");
    }

    private static void place(Connection connection) throws Exception {
        Checks.fails(() -> Checks.rows(connection, "SELECT\n  m FROM (VALUES (1)) AS t(n)"), "line 2, column 3", "^");
        Checks.fails(() -> Checks.rows(connection, "SELEC 1"), "line 1, column 1");
    }

    private static void usable(Connection connection) throws Exception {
        for (int round = 0; round < 5; round++) {
            Checks.fails(() -> Checks.rows(connection, "SELECT 1 / 0 FROM jdbc_there_is_none"));
            Checks.equal(7L, Checks.rows(connection, "SELECT 7").get(0).get(0));
        }
    }

    private static void late(Connection connection) throws Exception {
        Checks.update(connection, "SET result_hold_time = '0s'");
        Checks.update(connection, "SET result_hold_bytes = 0");
        long[] read = {0};
        String sql = "SELECT 1000 / (4000000 - i) AS n FROM generate_series(1, 4000000) AS t(i)";
        Checks.fails(() -> {
            try (Statement statement = connection.createStatement(); ResultSet result = statement.executeQuery(sql)) {
                while (result.next()) {
                    read[0]++;
                }
            }
        }, "zero");
        Checks.isTrue(read[0] > 0 && read[0] < 4000000, read[0] + " rows came before the error");
    }

    private Errors() {}
}
