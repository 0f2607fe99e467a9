import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.Properties;

/** Who is let in. */
final class Logins {
    static void run(Checks checks) {
        checks.check("a wrong password is refused", connection -> refused(checks));
        checks.check("a token is taken until it is dropped", connection -> token(checks, connection));
        checks.check("a user who is dropped is put out", connection -> dropped(checks, connection));
    }

    private static void refused(Checks checks) throws Exception {
        String wrong = Checks.fails(() -> checks.connect("admin", "wrong").close()).getMessage();
        String unknown = Checks.fails(() -> checks.connect("jdbc_nobody", "wrong").close()).getMessage();
        Checks.equal(wrong, unknown);
        Checks.fails(() -> checks.connect("admin", "").close());
        Checks.fails(() -> Checks.rows(checks.connect(new Properties()), "SELECT 1"));
    }

    private static void token(Checks checks, Connection connection) throws Exception {
        Checks.update(connection, "CREATE USER jdbc_ann PASSWORD 'pw-of-ann'");
        String token;
        try (Statement statement = connection.createStatement();
                ResultSet made = statement.executeQuery("CREATE TOKEN jdbc_etl FOR USER jdbc_ann EXPIRES '1d'")) {
            made.next();
            token = made.getString("token");
        }
        try (Connection program = checks.connect(bearer(token))) {
            Checks.equal("jdbc_ann", Checks.rows(program, "SELECT current_user").get(0).get(0).toString());
        }
        Checks.fails(() -> ask(checks, token + "x"), "token");
        Checks.update(connection, "DROP TOKEN jdbc_etl FOR USER jdbc_ann");
        Checks.fails(() -> ask(checks, token), "token");
        Checks.update(connection, "DROP USER jdbc_ann");
    }

    private static void ask(Checks checks, String token) throws Exception {
        try (Connection program = checks.connect(bearer(token))) {
            Checks.rows(program, "SELECT 7");
        }
    }

    private static Properties bearer(String token) {
        Properties properties = new Properties();
        properties.put("token", token);
        return properties;
    }

    private static void dropped(Checks checks, Connection connection) throws Exception {
        Checks.update(connection, "CREATE USER jdbc_gone PASSWORD 'pw-of-gone'");
        try (Connection gone = checks.connect("jdbc_gone", "pw-of-gone")) {
            Checks.equal(7L, Checks.rows(gone, "SELECT 7").get(0).get(0));
            Checks.update(connection, "DROP USER jdbc_gone");
            Checks.fails(() -> Checks.rows(gone, "SELECT 7"), "log in");
        }
    }

    private Logins() {}
}
