import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.Statement;

/**
 * Reads the rows of a query one after the other: ADDRESS QUERY. Prints their count, the sum of their first
 * column, and the most memory that this process has held.
 */
public class ReadAllRows {
    public static void main(String[] arguments) throws Exception {
        long rows = 0;
        long total = 0;
        try (Connection connection = new Checks(arguments[0]).connect();
                Statement statement = connection.createStatement();
                ResultSet result = statement.executeQuery(arguments[1])) {
            while (result.next()) {
                rows++;
                total += result.getLong(1);
            }
        }
        System.out.println(rows + " " + total + " " + peakMemoryBytes());
        System.exit(0);
    }

    private static long peakMemoryBytes() throws Exception {
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith("VmHWM:")) {
                return Long.parseLong(line.replaceAll("\\D", "")) * 1024;
            }
        }
        throw new IllegalStateException("no VmHWM in /proc/self/status");
    }
}
