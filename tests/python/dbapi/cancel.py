"""Ways to stop a query that the client has: to let go of its result, and a deadline."""

from flightsql import FlightSQLCallOptions

from expect import fails
from watch import Watch, endless, forever

from .session import Session


def a_result_that_is_read_is_cancelled(db):
    with Watch(db.cluster) as watch:
        info = db.client.execute(endless("dbapi_read"))
        reader = db.client.do_get(info.endpoints[0].ticket)
        assert reader.read_chunk().data.num_rows > 0
        watch.started("dbapi_read")
        reader.cancel()
        watch.ended("dbapi_read")


def a_deadline_stops_a_query(db):
    with Watch(db.cluster) as watch:
        info = db.client.execute(forever("dbapi_deadline"))
        options = FlightSQLCallOptions(timeout=0.5)
        fails(lambda: db.client.do_get(info.endpoints[0].ticket, options).read_all())
        watch.ended("dbapi_deadline")


def a_session_that_is_closed_stops_its_queries(db):
    with Watch(db.cluster) as watch:
        with Session(db.cluster) as other:
            info = other.client.execute(endless("dbapi_closed"))
            reader = other.client.do_get(info.endpoints[0].ticket)
            assert reader.read_chunk().data.num_rows > 0
            watch.started("dbapi_closed")
            del reader
        watch.ended("dbapi_closed")
