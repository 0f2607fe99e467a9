"""Files on an S3 server: secrets, external tables, COPY and INSERT."""

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import boto3
import botocore.config
import pyarrow
import pyarrow.parquet as parquet

from cluster import Cluster, Suite, execute, query, wait_until
from compare import assert_same, rows

REGION = "us-east-1"
KEY, SECRET = "test-key", "test-secret-that-must-not-be-shown"


@contextmanager
def s3():
    """An S3 server with an empty bucket; gives its URL and a client."""
    with TemporaryDirectory(prefix="waterbuck-s3-") as directory:
        log_file = Path(directory) / "log"
        program = Path(sys.executable).parent / "moto_server"
        with open(log_file, "w") as log:
            # Port 0: the server picks a free one and writes its address into its log.
            process = subprocess.Popen([program, "-H", "127.0.0.1", "-p", "0"], stdout=log, stderr=log)
        try:
            def address():
                if process.poll() is not None:
                    raise RuntimeError(log_file.read_text()[-2000:])
                found = [word for word in log_file.read_text().split() if word.startswith("http://127.0.0.1:")]
                return found and found[0].rstrip("/")

            url = wait_until("the S3 server", address)
            client = boto3.client("s3", endpoint_url=url, aws_access_key_id=KEY, aws_secret_access_key=SECRET,
                                  region_name=REGION, config=botocore.config.Config(retries={"max_attempts": 1}))
            client.create_bucket(Bucket="lake")
            yield url, client
        finally:
            process.kill()
            process.wait()


def put_parquet(client, key, table):
    """Another program's file in the bucket."""
    sink = pyarrow.BufferOutputStream()
    parquet.write_table(table, sink)
    client.put_object(Bucket="lake", Key=key, Body=sink.getvalue().to_pybytes())


def keys(client, prefix):
    """The objects below a prefix."""
    return sorted(item["Key"] for item in client.list_objects_v2(Bucket="lake", Prefix=prefix).get("Contents", []))


def main():
    suite = Suite("s3")
    with s3() as (url, client), Cluster(executors=2) as cluster, cluster.connect(splitting=True) as connection:
        def secret():
            execute(connection, f"CREATE SECRET lake (TYPE s3, KEY_ID '{KEY}', SECRET '{SECRET}', REGION '{REGION}', "
                                f"ENDPOINT '{url}', SCOPE 's3://lake')")
            shown = str(query(connection, "SHOW SECRETS").to_pylist())
            assert "lake" in shown and SECRET not in shown, shown

        def read():
            for day in range(1, 4):
                table = pyarrow.table({"id": list(range(day * 100, day * 100 + 50)), "amount": [float(day)] * 50})
                put_parquet(client, f"sales/day=2024-01-0{day}/part.parquet", table)
            execute(connection, "CREATE EXTERNAL TABLE sales STORED AS PARQUET PARTITIONED BY (day) LOCATION 's3://lake/sales/'")
            assert_same(rows(query(connection, "SELECT count(*), sum(id), sum(amount) FROM sales")), [(150, 33675, 300.0)])
            pruned = "SELECT count(*), min(id) FROM sales WHERE day = DATE '2024-01-02'"
            assert_same(rows(query(connection, pruned)), [(50, 200)])
            shown = str(query(connection, "SHOW CREATE TABLE sales").to_pylist())
            assert "s3://lake/sales" in shown and SECRET not in shown, shown

        def copied():
            execute(connection, "COPY (SELECT id, amount FROM sales WHERE amount > 1) TO 's3://lake/out/' STORED AS PARQUET")
            assert keys(client, "out/"), "no object was written"
            execute(connection, "CREATE EXTERNAL TABLE copied STORED AS PARQUET LOCATION 's3://lake/out/'")
            assert_same(rows(query(connection, "SELECT count(*), sum(id) FROM copied")), [(100, 27450)])

        def inserted():
            execute(connection, "INSERT INTO copied VALUES (1, 2.5)")
            assert_same(rows(query(connection, "SELECT count(*), min(id) FROM copied")), [(101, 1)])
            execute(connection, "INSERT OVERWRITE copied VALUES (7, 7.0)")
            assert_same(rows(query(connection, "SELECT id, amount FROM copied")), [(7, 7.0)])
            left = [key for key in keys(client, "out/") if "_waterbuck" in key]
            assert not left, f"left behind: {left}"

        def failed_write():
            try:
                execute(connection, "COPY (SELECT 1 / (i - 900) AS x FROM generate_series(1, 1000) AS t(i)) "
                                    "TO 's3://lake/broken/' STORED AS PARQUET")
            except Exception as error:  # noqa: BLE001: the driver has no common error class
                assert "zero" in str(error).lower(), error
            else:
                raise AssertionError("a division by zero was taken")
            # What was written aside is removed behind the answer.
            wait_until("the removal of what was written", lambda: not keys(client, "broken/"), seconds=10)

        def plain_credentials():
            try:
                execute(connection, "CREATE EXTERNAL TABLE open_secret STORED AS PARQUET LOCATION 's3://lake/sales/' "
                                    f"OPTIONS ('secret_access_key' '{SECRET}')")
            except Exception as error:  # noqa: BLE001: the driver has no common error class
                assert "SECRET" in str(error) and SECRET not in str(error), error
            else:
                raise AssertionError("a credential was taken as a plain option")

        suite.check("a secret is stored and not shown", secret)
        suite.check("partitioned objects are read", read)
        suite.check("a result is copied into the bucket", copied)
        suite.check("rows are inserted and overwritten", inserted)
        suite.check("a failed write leaves no object", failed_write)
        suite.check("credentials as plain options are refused", plain_credentials)
    suite.end()


if __name__ == "__main__":
    main()
