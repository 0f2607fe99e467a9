"""TPC-H: the 22 answers on three executors, everything split, against DuckDB's on the same files.
Arguments are the numbers of the queries to run, all by default."""

import sys

import tpc
from cluster import Suite

if __name__ == "__main__":
    suite = Suite("tpch")
    tpc.run(suite, "tpch", 0.1, [int(number) for number in sys.argv[1:]])
    suite.end()
