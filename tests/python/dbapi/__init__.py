"""Checks through flightsql-dbapi: its client, its DB-API and its SQLAlchemy dialect.

The driver reads the first endpoint of a result alone, whole, and has no bulk ingestion. Each public
function of a module is a check, named for what it shows.
"""

from . import cancel, crowd, engine, errors, logins, metadata, queries

MODULES = [queries, metadata, errors, cancel, engine, logins, crowd]
