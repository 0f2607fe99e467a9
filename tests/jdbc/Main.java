/** Checks through the Flight SQL JDBC driver, as far as it goes: ADDRESS. Prints one closing line. */
public class Main {
    public static void main(String[] arguments) throws Exception {
        Checks checks = new Checks(arguments[0]);
        Queries.run(checks);
        Values.run(checks);
        Parameters.run(checks);
        Updates.run(checks);
        Metadata.run(checks);
        Errors.run(checks);
        Cancel.run(checks);
        Logins.run(checks);
        Crowd.run(checks);
        checks.end();
    }
}
