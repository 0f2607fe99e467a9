"""Reads the rows of a query through ADBC, batch by batch: ADDRESS QUERY. Prints their count, the sum of
their first column, and the most memory that this process has held."""

import os
import sys

import pyarrow.compute

from cluster import PASSWORD, flight_sql, peak_memory_bytes


def main(address, sql):
    options = {"username": "admin", "password": PASSWORD}
    rows = total = 0
    with flight_sql.connect(f"grpc://{address}", db_kwargs=options, autocommit=True) as connection:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            for batch in cursor.fetch_record_batch():
                rows += batch.num_rows
                total += pyarrow.compute.sum(batch.column(0)).as_py()
    print(rows, total, peak_memory_bytes(os.getpid()))


if __name__ == "__main__":
    main(*sys.argv[1:])
