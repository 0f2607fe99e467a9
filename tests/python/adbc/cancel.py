"""Ways to stop a query: however the client lets go of it, the server ends it within a second.

The driver's `Connection.adbc_cancel` is no such way: it stops its calls for metadata alone.
"""

import os
import signal
import subprocess
import sys
import threading

from adbc_driver_flightsql import StatementOptions

from cluster import PASSWORD
from expect import fails
from watch import Watch, endless, forever


def _in_background(action):
    """Runs `action` in a thread; gives a function that waits for it and returns what it raised."""
    raised = []

    def run():
        try:
            action()
        except Exception as error:  # noqa: BLE001: it is what is asked for
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def wait():
        thread.join(timeout=30)
        assert not thread.is_alive(), "the client still waits for its query"
        return raised[0] if raised else None

    return wait


def a_cursor_that_waits_is_cancelled(db):
    with Watch(db.cluster) as watch, db.cluster.connect() as connection, connection.cursor() as cursor:
        cursor.execute(forever("adbc_waits"))
        error = _in_background(cursor.fetchall)
        watch.started("adbc_waits")
        cursor.adbc_cancel()
        watch.ended("adbc_waits")
        assert error() is not None, "a cancelled query gave an answer"
        cursor.execute("SELECT 7")
        assert cursor.fetchall() == [(7,)]


def a_result_that_is_read_is_cancelled(db):
    with Watch(db.cluster) as watch, db.cluster.connect() as connection, connection.cursor() as cursor:
        cursor.execute(endless("adbc_read"))
        reader = cursor.fetch_record_batch()
        assert reader.read_next_batch().num_rows > 0
        watch.started("adbc_read")
        cursor.adbc_cancel()

        def rest():
            while True:
                reader.read_next_batch()

        error = fails(rest)
        assert not isinstance(error, StopIteration), "a cancelled result ended as if it were whole"
        watch.ended("adbc_read")


def an_update_is_cancelled(db):
    db.run("CREATE TABLE adbc_stopped (n BIGINT)")
    with Watch(db.cluster) as watch, db.cluster.connect() as connection, connection.cursor() as cursor:
        error = _in_background(lambda: cursor.execute(f"INSERT INTO adbc_stopped {forever('adbc_update')}"))
        watch.started("adbc_update")
        cursor.adbc_cancel()
        watch.ended("adbc_update")
        assert error() is not None
    assert db.rows("SELECT count(*) FROM adbc_stopped") == [(0,)]


def a_cursor_that_is_closed_stops_its_query(db):
    with Watch(db.cluster) as watch, db.cluster.connect() as connection:
        cursor = connection.cursor()
        cursor.execute(endless("adbc_closed"))
        assert cursor.fetchone() is not None
        watch.started("adbc_closed")
        cursor.close()
        watch.ended("adbc_closed")


def a_connection_that_is_closed_stops_its_queries(db):
    with Watch(db.cluster) as watch:
        connection = db.cluster.connect()
        cursor = connection.cursor()
        cursor.execute(forever("adbc_left"))
        watch.started("adbc_left")
        connection.close()
        watch.ended("adbc_left")


def a_deadline_stops_a_query(db):
    options = {StatementOptions.TIMEOUT_FETCH.value: "0.5"}
    with Watch(db.cluster) as watch, db.cluster.connect() as connection:
        with connection.cursor(adbc_stmt_kwargs=options) as cursor:
            fails(lambda: (cursor.execute(forever("adbc_deadline")), cursor.fetchall()))
            watch.ended("adbc_deadline")


def a_limit_of_time_stops_a_query(db):
    with Watch(db.cluster) as watch, db.cluster.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET query_timeout = '500ms'")
        fails(lambda: (cursor.execute(forever("adbc_timeout")), cursor.fetchall()), "query_timeout")
        watch.ended("adbc_timeout")


def kill_query_stops_it(db):
    with Watch(db.cluster) as watch, db.cluster.connect() as connection, connection.cursor() as cursor:
        cursor.execute(forever("adbc_killed"))
        error = _in_background(cursor.fetchall)
        watch.started("adbc_killed")
        found = db.rows("SELECT query_id FROM system.queries WHERE sql LIKE ? AND state = 'running'",
                        ("SELECT count(*) AS adbc_killed%",))
        db.run(f"KILL QUERY '{found[0][0]}'")
        watch.ended("adbc_killed")
        assert "cancelled" in str(error()).lower(), error()


def a_client_that_dies_stops_its_queries(db):
    # A process of its own, since the driver shares connections within one.
    code = ("import sys\n"
            "import adbc_driver_flightsql.dbapi as flight_sql\n"
            "options = {'username': 'admin', 'password': sys.argv[2]}\n"
            "connection = flight_sql.connect(sys.argv[1], db_kwargs=options, autocommit=True)\n"
            "cursor = connection.cursor(); cursor.execute(sys.argv[3]); cursor.fetchall()\n")
    command = [sys.executable, "-c", code, f"grpc://{db.cluster.address}", PASSWORD,
               forever("adbc_orphan")]
    with Watch(db.cluster) as watch:
        client = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        try:
            watch.started("adbc_orphan")
            os.kill(client.pid, signal.SIGKILL)
        finally:
            client.kill()
            client.wait()
        watch.ended("adbc_orphan")
