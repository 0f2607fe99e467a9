"""TPC-DS: the 99 answers on three executors, everything split, against DuckDB's on the same files.
Arguments are the numbers of the queries to run, all by default."""

import sys

import tpc
from cluster import Suite

# At the small scale these have no row to answer, so they run at the next one as well.
EMPTY_WHEN_SMALL = [8, 23, 24, 25, 37, 41, 44, 54, 64, 65, 82, 84, 85, 91]

if __name__ == "__main__":
    suite = Suite("tpcds")
    named = [int(number) for number in sys.argv[1:]]
    tpc.run(suite, "tpcds", 0.1, named)
    again = [number for number in EMPTY_WHEN_SMALL if number in named or not named]
    if again:
        tpc.run(suite, "tpcds", 1, again)
    suite.end()
