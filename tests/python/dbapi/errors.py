"""Errors keep their kind and their words, and none is taken for an end."""

import pyarrow
from pyarrow import flight

from expect import fails


def kinds_of_errors_are_told_apart(db):
    for sql, kind, words in [
        ("SELEC 1", pyarrow.ArrowInvalid, ["syntax error", "line 1"]),
        ("SELECT * FROM dbapi_there_is_none", KeyError, ["dbapi_there_is_none"]),
        ("SELECT 1 / (n - 1) FROM (VALUES (1)) AS t(n)", pyarrow.ArrowInvalid, ["zero"]),
        ("BEGIN", pyarrow.ArrowNotImplementedError, ["BEGIN"]),
    ]:
        error = fails(lambda sql=sql: db.rows(sql), *words)
        assert isinstance(error, kind), f"{sql}: {type(error)}: {error}"
    assert db.rows("SELECT 7") == [[7]]


def a_place_is_shown_in_the_text(db):
    fails(lambda: db.rows("SELECT\n  m FROM (VALUES (1)) AS t(n)"), "line 2, column 3", "^")


def an_error_late_in_a_result_is_no_end(db):
    db.rows("SET result_hold_time = '0s'")
    db.rows("SET result_hold_bytes = 0")
    info = db.client.execute("SELECT 1000 / (4000000 - i) AS n FROM generate_series(1, 4000000) AS t(i)")
    reader = db.client.do_get(info.endpoints[0].ticket)
    read = 0

    def read_all():
        nonlocal read
        for chunk in reader:
            read += chunk.data.num_rows

    fails(read_all, "zero")
    assert 0 < read < 4_000_000, f"{read} rows came before the error"


def a_ticket_is_used_once(db):
    info = db.client.execute("SELECT 7")
    assert db.fetch(info).num_rows == 1
    fails(lambda: db.fetch(info), "ticket")
    forged = flight.Ticket(info.endpoints[0].ticket.ticket[:-1] + b"x")
    fails(lambda: db.client.do_get(forged).read_all(), "ticket")
