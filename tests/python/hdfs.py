"""Files on a real HDFS: written by COPY and by INSERT, read back, partitioned and pruned."""

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from cluster import ROOT, Cluster, Suite, execute, query, wait_until
from compare import assert_same, rows

CACHE = Path(os.environ.get("WATERBUCK_TEST_CACHE", Path.home() / ".cache" / "waterbuck-tests"))


@contextmanager
def hdfs():
    """A name node and two data nodes in one Java process; gives the URL of the root."""
    with TemporaryDirectory(prefix="waterbuck-hdfs-") as directory:
        port_file = Path(directory) / "port"
        command = ["java", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{CACHE}/jars/hdfs/*",
                   ROOT / "tests" / "hdfs" / "Main.java", Path(directory) / "data", port_file]
        with open(Path(directory) / "log", "w") as log:
            process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=log, stderr=log)
        try:
            def port():
                if process.poll() is not None:
                    raise RuntimeError((Path(directory) / "log").read_text()[-2000:])
                return port_file.exists() and port_file.read_text()

            yield f"hdfs://127.0.0.1:{wait_until('HDFS', port)}"
        finally:
            process.stdin.close()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def main():
    suite = Suite("hdfs")
    with hdfs() as root, Cluster(executors=2) as cluster, cluster.connect(splitting=True) as connection:
        def copied():
            execute(connection, "COPY (SELECT i, i % 5 AS k, CAST(i AS VARCHAR) AS s FROM generate_series(1, 1000) AS t(i)) "
                                f"TO '{root}/copied/' STORED AS PARQUET")
            execute(connection, f"CREATE EXTERNAL TABLE copied STORED AS PARQUET LOCATION '{root}/copied/'")
            ours = rows(query(connection, "SELECT k, count(*), sum(i), max(s) FROM copied GROUP BY k ORDER BY k"))
            right = [(k, 200, sum(i for i in range(1, 1001) if i % 5 == k),
                      max(str(i) for i in range(1, 1001) if i % 5 == k)) for k in range(5)]
            assert_same(ours, right, ordered=True)

        def partitioned():
            execute(connection, "COPY (SELECT i, i % 3 AS k FROM generate_series(1, 99) AS t(i)) "
                                f"TO '{root}/parts/' STORED AS PARQUET PARTITIONED BY (k)")
            execute(connection, f"CREATE EXTERNAL TABLE parts STORED AS PARQUET LOCATION '{root}/parts/'")
            assert_same(rows(query(connection, "SELECT count(*), min(i), max(i) FROM parts WHERE k = 2")), [(33, 2, 98)])
            assert_same(rows(query(connection, "SELECT k, count(*) FROM parts GROUP BY k")), [(0, 33), (1, 33), (2, 33)])

        def inserted():
            execute(connection, f"CREATE EXTERNAL TABLE more (n INT, s VARCHAR) STORED AS CSV LOCATION '{root}/more/'")
            execute(connection, "INSERT INTO more VALUES (1, 'one'), (2, NULL)")
            execute(connection, "INSERT INTO more VALUES (3, 'three')")
            assert_same(rows(query(connection, "SELECT count(*), count(s), sum(n) FROM more")), [(3, 2, 6)])

        def overwritten():
            execute(connection, "INSERT OVERWRITE more SELECT 9, 'nine'")
            assert_same(rows(query(connection, "SELECT n, s FROM more")), [(9, "nine")])

        def missing():
            try:
                execute(connection, f"CREATE EXTERNAL TABLE gone STORED AS PARQUET LOCATION '{root}/gone/'")
            except Exception as error:  # noqa: BLE001: the driver has no common error class
                assert "gone" in str(error), error
            else:
                raise AssertionError("a location that does not exist was taken")

        suite.check("a copied result is read back", copied)
        suite.check("partition directories are found and pruned", partitioned)
        suite.check("inserted rows are appended", inserted)
        suite.check("an overwritten table has the new rows only", overwritten)
        suite.check("a missing location is named", missing)
    suite.end()


if __name__ == "__main__":
    main()
