import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hdfs.MiniDFSCluster;

/** A real HDFS in one process: writes its port to the file named second, ends with its input. */
public class Main {
    public static void main(String[] arguments) throws Exception {
        Configuration configuration = new Configuration();
        configuration.set(MiniDFSCluster.HDFS_MINIDFS_BASEDIR, new File(arguments[0]).getAbsolutePath());
        configuration.setBoolean("dfs.permissions.enabled", false);
        MiniDFSCluster cluster = new MiniDFSCluster.Builder(configuration).numDataNodes(2).build();
        cluster.waitActive();
        Path aside = Path.of(arguments[1] + ".part");
        Files.writeString(aside, Integer.toString(cluster.getNameNodePort()));
        Files.move(aside, Path.of(arguments[1]));
        while (System.in.read() >= 0) {
            // Only the end of the input counts: it comes even when the parent is killed.
        }
        cluster.shutdown();
    }
}
