"""TPC-H at scale 0.1: the 22 answers on three executors, everything split, against DuckDB's on the
same files. Arguments are the numbers of the queries to run, all by default."""

import tpc

if __name__ == "__main__":
    tpc.run("tpch", 0.1)
