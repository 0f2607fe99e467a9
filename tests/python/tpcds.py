"""TPC-DS: the 99 answers on three executors, everything split, against DuckDB's on the same files.
Arguments are the numbers of the queries to run, all by default."""

import tpc

if __name__ == "__main__":
    tpc.run("tpcds", 0.1)
