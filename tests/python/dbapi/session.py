"""One connection, and the shortest ways of asking over it."""

from flightsql import FlightSQLClient
from flightsql.dbapi import connect

from cluster import PASSWORD


def client_of(cluster, user="admin", password=PASSWORD, token=None, insecure=True, **options):
    """A client of a cluster, logged in."""
    host, port = cluster.address.rsplit(":", 1)
    login = {"token": token} if token is not None else {"user": user, "password": password}
    return FlightSQLClient(host=host, port=int(port), insecure=insecure, **login, **options)


class Session:
    """A connection of the DB-API, and the client below it."""

    def __init__(self, cluster, **options):
        self.cluster = cluster
        self.client = client_of(cluster, **options)
        self.connection = connect(self.client)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()
        self.client.close()

    def rows(self, sql, parameters=None):
        """The rows of an answer, as the DB-API gives them."""
        return self.connection.cursor().execute(sql, parameters).fetchall()

    def fetch(self, info):
        """The answer to a call of the client, as an Arrow table."""
        (endpoint,) = info.endpoints
        return self.client.do_get(endpoint.ticket).read_all()

    def table(self, sql):
        """The answer of a query, as an Arrow table."""
        return self.fetch(self.client.execute(sql))
