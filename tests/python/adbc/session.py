"""One connection, and the shortest ways of asking over it."""

import pyarrow

from compare import rows


class Session:
    """A connection to a cluster, in autocommit."""

    def __init__(self, cluster, **options):
        self.cluster = cluster
        self.connection = cluster.connect(**options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def cursor(self):
        """A new cursor; close it."""
        return self.connection.cursor()

    def table(self, sql, parameters=None):
        """The answer of a query."""
        with self.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetch_arrow_table()

    def rows(self, sql, parameters=None):
        """The rows of an answer as tuples."""
        return rows(self.table(sql, parameters))

    def value(self, sql, parameters=None):
        """The only value of an answer."""
        (row,) = self.rows(sql, parameters)
        (value,) = row
        return value

    def run(self, sql, parameters=None):
        """Runs a statement that changes something and gives its count."""
        with self.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.rowcount

    def ingest(self, name, data, mode="create", **options):
        """Uploads rows and gives their count."""
        with self.cursor() as cursor:
            return cursor.adbc_ingest(name, data, mode=mode, **options)


def parameters_of(*columns):
    """Rows of parameters, by position."""
    names = [str(number + 1) for number in range(len(columns))]
    return pyarrow.record_batch(list(columns), names=names)
