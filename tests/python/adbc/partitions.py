"""Results handed to other processes, and results that are polled."""

import pyarrow

from compare import assert_same, rows
from expect import fails


def a_result_is_read_over_another_connection(db):
    with db.cursor() as cursor:
        parts, schema = cursor.adbc_execute_partitions("SELECT i FROM generate_series(1, 1000) AS t(i)")
    assert schema.names == ["i"], schema
    total = []
    for part in parts:
        with db.cluster.connect() as other, other.cursor() as cursor:
            cursor.adbc_read_partition(part)
            total += cursor.fetchall()
    assert_same(total, [(number,) for number in range(1, 1001)])


def a_partition_is_read_once_and_by_its_user_alone(db):
    db.run("CREATE USER adbc_thief PASSWORD 'pw-of-thief'")
    with db.cursor() as cursor:
        parts, _schema = cursor.adbc_execute_partitions("SELECT 'secret' AS s")
        with db.cluster.connect(user="adbc_thief", password="pw-of-thief") as thief, thief.cursor() as other:
            fails(lambda: (other.adbc_read_partition(parts[0]), other.fetchall()), "ticket")
        cursor.adbc_read_partition(parts[0])
        assert cursor.fetchall() == [("secret",)]
        fails(lambda: (cursor.adbc_read_partition(parts[0]), cursor.fetchall()), "ticket")
    db.run("DROP USER adbc_thief")


def parameters_are_bound_to_partitions(db):
    with db.cursor() as cursor:
        parts, _schema = cursor.adbc_execute_partitions("SELECT ? + 1 AS n", (41,))
        cursor.adbc_read_partition(parts[0])
        assert cursor.fetchall() == [(42,)]


def a_polled_query_gives_all_its_rows(db):
    with db.cursor() as cursor:
        statement = cursor.adbc_statement
        statement.set_options(**{"adbc.statement.exec.incremental": "true"})
        statement.set_sql_query("SELECT i FROM generate_series(1, 1000) AS t(i)")
        parts = []
        for _ in range(100):
            found, _schema, _rows = statement.execute_partitions()
            if not found:
                break
            parts += found
        assert parts, "no endpoint came"
    with db.cursor() as cursor:
        total = 0
        for part in parts:
            cursor.adbc_read_partition(part)
            table = cursor.fetch_arrow_table()
            assert table.schema.types == [pyarrow.int64()], table.schema
            total += sum(number for (number,) in rows(table))
    assert total == 500_500, total
