"""Attaches a catalog with DuckDB, read-only, and compares its answers with the expected ones.

Usage: duckdb_reads.py CATALOG.
"""

import importlib
import pathlib
import sys

import duckdb

QUESTIONS = [
    ("SELECT table_schema, table_name FROM information_schema.tables WHERE table_catalog = 'lake' "
     "ORDER BY ALL",
     [("main", "o"), ("main", "p"), ("main", "t"), ("main", "v"), ("side", "odd")]),
    ("SELECT i, s, d::VARCHAR, f::VARCHAR, b, day::VARCHAR, ts::VARCHAR, tz::VARCHAR, l, m, st FROM t "
     "ORDER BY i",
     [(1, "hello", "1.50", "nan", True, "1970-01-01", "1970-01-01 00:00:00",
       "1970-01-01 00:00:00+00", [1, 2], {"k": 1}, {"n": "x", "l": [1]}),
      (2, None, "-2.25", "1.5", False, "2024-01-01", "2023-11-14 22:13:20",
       "2023-11-14 22:13:20+00", [], {"j": 2}, {"n": None, "l": [2, 3]})]),
    ("SELECT count(*) FROM t WHERE tz >= TIMESTAMPTZ '2023-11-14 22:13:20+00'", [(1,)]),
    ("SELECT count(*) FROM t WHERE tz > TIMESTAMPTZ '2023-11-14 22:13:20+00'", [(0,)]),
    ("SELECT count(*) FROM t WHERE ts = TIMESTAMP '2023-11-14 22:13:20'", [(1,)]),
    ("SELECT count(*) FROM t WHERE day = DATE '1970-01-01'", [(1,)]),
    ("SELECT count(*) FROM t WHERE d = -2.25", [(1,)]),
    ("SELECT count(*) FROM t WHERE NOT b", [(1,)]),
    ("SELECT count(*) FROM t WHERE s IS NULL", [(1,)]),
    ("SELECT count(*) FROM t WHERE f = 1.5", [(1,)]),
    ("SELECT count(*) FROM t WHERE st.n = 'x'", [(1,)]),
    ("SELECT count(*) FROM t WHERE st.n IS NULL", [(1,)]),
    ("SELECT a, k, n FROM p ORDER BY a", [(1, "x", 7), (2, "a/b c", None), (3, None, 8)]),
    ("SELECT a FROM p WHERE k = 'x'", [(1,)]),
    ("SELECT a FROM p WHERE k = 'a/b c'", [(2,)]),
    ("SELECT a FROM p WHERE k IS NULL", [(3,)]),
    ("SELECT a FROM p WHERE n = 8", [(3,)]),
    ("SELECT a FROM p WHERE n IS NULL", [(2,)]),
    ("SELECT a FROM p WHERE n > 6 AND a < 3", [(1,)]),
    ("SELECT count(*), min(a), max(a), min(w), max(w) FROM o", [(2, 5, 100, "w100", "w5")]),
    ("SELECT a FROM o WHERE a = 100", [(100,)]),
    ("SELECT a FROM o WHERE w = 'w100'", [(100,)]),
    ("SELECT a FROM o WHERE a = 9", []),
    ("SELECT a FROM o WHERE a IS NOT NULL ORDER BY a", [(5,), (100,)]),
    ("SELECT next FROM v ORDER BY 1", [(2,), (3,), (4,)]),
    ("SELECT count(*) FROM side.odd", [(0,)]),
    ("SELECT count(*), count(DISTINCT author) FROM ducklake_snapshots('lake')", [(16, 1)]),
    ("SELECT count(*) FROM o AT (VERSION => 7)", [(2,)]),
    ("SELECT max(a) FROM o AT (VERSION => 7)", [(9,)]),
]


def extension(package):
    found = pathlib.Path(importlib.import_module(package).__file__).parent
    return next(found.glob("extensions/*/*.duckdb_extension"))


def main(catalog):
    extensions = [extension("duckdb_extension_ducklake"), extension("duckdb_extension_sqlite_scanner")]
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    for path in extensions:
        connection.execute(f"LOAD '{path}'")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"ATTACH 'ducklake:sqlite:{catalog}' AS lake (READ_ONLY)")
    connection.execute("USE lake")
    wrong = 0
    for question, expected in QUESTIONS:
        try:
            answer = connection.execute(question).fetchall()
        except duckdb.Error as error:
            answer = error
        if answer != expected:
            wrong += 1
            print(f"{question}\n  expected {expected}\n  got      {answer}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
