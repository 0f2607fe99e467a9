"""Each statement commits by itself, and a client that wants otherwise is told so."""

import warnings

import adbc_driver_flightsql.dbapi as flight_sql

from cluster import PASSWORD


def a_client_is_told_that_there_are_none(db):
    options = {"username": "admin", "password": PASSWORD}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        # Without autocommit, as the DB-API wants it.
        with flight_sql.connect(f"grpc://{db.cluster.address}", db_kwargs=options) as connection:
            with connection.cursor() as cursor:
                cursor.execute("CREATE TABLE adbc_at_once (n INT)")
                cursor.execute("INSERT INTO adbc_at_once VALUES (1)")
            connection.rollback()
    assert any("autocommit" in str(warning.message) for warning in told), [str(warning.message) for warning in told]
    assert db.rows("SELECT * FROM adbc_at_once") == [(1,)]
