"""What the two TPC suites share: data made once and kept, DuckDB with the query texts, and a run
of every query against a cluster in which everything is split."""

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pyarrow.parquet as parquet

from cluster import Cluster, execute, query
from compare import assert_same, rows

CACHE = Path(os.environ.get("WATERBUCK_TEST_CACHE", Path.home() / ".cache" / "waterbuck-tests"))
FILES_PER_TABLE = 3


def data(suite, scale):
    """The directory of the data, one subdirectory of Parquet files for each table."""
    directory = CACHE / "data" / f"{suite}-{scale}"
    if directory.is_dir():
        return directory
    aside = directory.with_name(f"{directory.name}.{os.getpid()}")
    generator = Path(sys.executable).parent / "tpcgen-cli"
    whole = aside / "whole"
    whole.mkdir(parents=True)
    subprocess.run([generator, suite, "parquet", "-s", str(scale), "-o", whole, "--quiet"], check=True)
    for file in sorted(whole.glob("*.parquet")):
        split(file, aside / file.stem)
    shutil.rmtree(whole)
    aside.rename(directory)
    return directory


def split(file, directory):
    """Cuts one file into several with several row groups, so that there is something to split."""
    directory.mkdir()
    table = parquet.read_table(file)
    size = -(-table.num_rows // FILES_PER_TABLE) or 1
    for index in range(FILES_PER_TABLE):
        part = table.slice(index * size, size)
        if part.num_rows or index == 0:
            parquet.write_table(part, directory / f"part-{index}.parquet", row_group_size=max(1, size // 2 + 1))


def reference(suite, directory):
    """DuckDB with the tables as views, and the suite's own extension loaded."""
    connection = duckdb.connect(config={"threads": 2})
    package = Path(importlib.util.find_spec(f"duckdb_extension_{suite}").origin).parent
    (extension,) = package.glob(f"extensions/*/{suite}.duckdb_extension")
    connection.execute(f"LOAD '{extension}'")
    # Where NULLs sort decides which rows a LIMIT leaves.
    connection.execute("SET default_null_order = 'nulls_last_on_asc_first_on_desc'")
    for table in sorted(directory.iterdir()):
        connection.execute(f"CREATE VIEW {table.name} AS SELECT * FROM read_parquet('{table}/*.parquet')")
    return connection


def run(suite, suite_name, scale, wanted=()):
    """Runs queries (all by default) on three executors and compares every answer."""
    directory = data(suite_name, scale)
    duck = reference(suite_name, directory)
    texts = dict(duck.execute(f"SELECT query_nr, query FROM {suite_name}_queries()").fetchall())
    seconds = {}
    with Cluster(executors=3) as cluster, cluster.connect(splitting=True) as connection:
        for table in sorted(directory.iterdir()):
            execute(connection, f"CREATE EXTERNAL TABLE {table.name} STORED AS PARQUET LOCATION '{table}/'")
        for number in wanted or sorted(texts):
            text = texts[number].strip().rstrip(";")

            def compare(text=text, number=number):
                start = time.monotonic()
                ours = rows(query(connection, text))
                seconds[number] = time.monotonic() - start
                assert_same(ours, duck.execute(text).fetchall())

            suite.check(f"scale {scale}, query {number}", compare)
    worst = sorted(seconds.items(), key=lambda item: -item[1])[:5]
    worst = ", ".join(f"q{number} {time:.1f} s" for number, time in worst)
    print(f"{suite_name}: scale {scale} in {sum(seconds.values()):.0f} s, slowest {worst}", flush=True)
