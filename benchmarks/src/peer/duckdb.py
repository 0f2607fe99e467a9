"""The process of the peer `duckdb`: arguments are the data directory and the number of threads."""

import json
import os
import sys
import time

import duckdb


def cell(value):
    if value is None or isinstance(value, float):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def open_tables(data_dir, threads):
    connection = duckdb.connect()
    connection.execute(f"SET threads = {threads}")
    # The bar would be written between the replies.
    connection.execute("SET enable_progress_bar = false")
    for table in sorted(os.listdir(data_dir)):
        path = os.path.join(data_dir, table)
        if os.path.isdir(path):
            files = os.path.join(path, "*.parquet").replace("'", "''")
            view = f"CREATE VIEW {table} AS SELECT * FROM read_parquet('{files}')"
            connection.execute(view)
    return connection


def run(connection, request):
    start = time.perf_counter()
    rows = connection.execute(request["sql"]).fetchall()
    reply = {"seconds": time.perf_counter() - start}
    if request["answer"]:
        reply["answer"] = [[cell(value) for value in row] for row in rows]
    return reply


def main():
    connection = open_tables(sys.argv[1], int(sys.argv[2]))
    for line in sys.stdin:
        try:
            reply = run(connection, json.loads(line))
        except duckdb.Error as error:
            reply = {"error": str(error)}
        print(json.dumps(reply), flush=True)


main()
