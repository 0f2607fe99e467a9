"""Checks through the ADBC driver, by the DB-API of its Python package.

Each public function of a module is a check, named for what it shows.
"""

from . import cancel, crowd, errors, ingest, logins, metadata, parameters, partitions, queries, transactions, values

MODULES = [queries, values, parameters, ingest, metadata, errors, cancel, partitions, transactions, logins, crowd]
