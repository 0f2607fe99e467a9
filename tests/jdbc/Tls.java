import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.Properties;

/** Asks for 41 + 1 over TLS and prints the answer: ADDRESS PASSWORD AUTHORITY [CERTIFICATE KEY]. */
public class Tls {
    public static void main(String[] arguments) throws Exception {
        Properties properties = new Properties();
        properties.put("user", "admin");
        properties.put("password", arguments[1]);
        properties.put("useEncryption", "true");
        properties.put("useSystemTrustStore", "false");
        properties.put("tlsRootCerts", arguments[2]);
        if (arguments.length > 3) {
            properties.put("clientCertificate", arguments[3]);
            properties.put("clientKey", arguments[4]);
        }
        String url = "jdbc:arrow-flight-sql://" + arguments[0] + "/";
        try (Connection connection = DriverManager.getConnection(url, properties);
                Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("SELECT 41 + 1")) {
            rows.next();
            System.out.println(rows.getLong(1));
        }
    }
}
