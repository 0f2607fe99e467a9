"""Every type, written in SQL, sent as a parameter, inserted and read back."""

import datetime
import decimal

import pyarrow

from . import samples
from .session import parameters_of

UTC = datetime.timezone.utc

# A column's type, and a value of it. Another client's INSERT sends the value as a parameter of that type.
COLUMNS = [
    ("BOOLEAN", True),
    ("TINYINT", -128),
    ("SMALLINT", -32768),
    ("INT", 2147483647),
    ("BIGINT", -9223372036854775808),
    ("TINYINT UNSIGNED", 255),
    ("SMALLINT UNSIGNED", 65535),
    ("INT UNSIGNED", 4294967295),
    ("BIGINT UNSIGNED", 9223372036854775807),
    ("REAL", 0.25),
    ("DOUBLE", 0.1),
    ("DECIMAL(10, 2)", decimal.Decimal("-12345678.91")),
    ("DECIMAL(38, 10)", decimal.Decimal("1234567890123456789012345678.0123456789")),
    ("VARCHAR", "naïve 🦆 'q'"),
    ("BYTEA", b"\x00\xff"),
    ("DATE", datetime.date(2024, 2, 29)),
    ("TIME", datetime.time(23, 59, 59, 123456)),
    ("TIMESTAMP", datetime.datetime(1969, 7, 20, 20, 17, 40, 123456)),
    ("TIMESTAMP WITH TIME ZONE", datetime.datetime(2024, 2, 29, 1, 2, 3, 4, tzinfo=UTC)),
    ("INT[]", [1, None, 3]),
    ("STRUCT<x INT, y VARCHAR>", {"x": 1, "y": None}),
]


def literals(db):
    digits = "1234567890123456789012345678901234567890.12"
    row = db.table(
        f"SELECT true AS b, CAST(1 AS SMALLINT) AS i, 2.5 AS f, CAST(12.34 AS DECIMAL(10, 2)) AS d, "
        f"CAST('{digits}' AS DECIMAL(60, 2)) AS wide, 'text' AS s, X'00ff' AS y, DATE '2024-02-29' AS day, "
        "TIME '01:02:03.5' AS t, TIMESTAMP '2024-02-29 01:02:03.000004' AS at, "
        "arrow_cast('2024-02-29T01:02:03Z', 'Timestamp(Microsecond, Some(\"+00:00\"))') AS zoned, "
        "INTERVAL '14 months 3 days 5 seconds' AS span, [1, NULL, 2] AS l, named_struct('a', 1, 'b', 'x') AS r, "
        "map(['k'], [1]) AS m, CAST(NULL AS INT) AS n, NULL AS nothing")
    assert pyarrow.types.is_decimal256(row.schema.field("wide").type), row.schema
    (values,) = row.to_pylist()
    span = values.pop("span")
    assert (span.months, span.days, span.nanoseconds) == (14, 3, 5_000_000_000), span
    assert values == {
        "b": True, "i": 1, "f": 2.5, "d": decimal.Decimal("12.34"), "wide": decimal.Decimal(digits), "s": "text",
        "y": b"\x00\xff", "day": datetime.date(2024, 2, 29), "t": datetime.time(1, 2, 3, 500000),
        "at": datetime.datetime(2024, 2, 29, 1, 2, 3, 4), "zoned": datetime.datetime(2024, 2, 29, 1, 2, 3, tzinfo=UTC),
        "l": [1, None, 2], "r": {"a": 1, "b": "x"}, "m": [("k", 1)], "n": None, "nothing": None,
    }, values


def parameters_come_back_as_they_were_sent(db):
    def check(name, sent):
        for number in range(len(sent)):
            one = sent.slice(number, 1)
            got = db.table("SELECT ? AS v", parameters_of(one))
            samples.same(one, got["v"])
            expected = samples.PLAIN.get(name, sent.type)
            assert got.schema.types == [expected], f"{got.schema} instead of {expected}"

    samples.check_each(check)


def many_rows_of_parameters_come_back_as_they_were_sent(db):
    samples.check_each(lambda _, sent: samples.same(sent, db.table("SELECT ? AS v", parameters_of(sent))["v"]))


def columns_take_parameters_of_their_types(db):
    columns = ", ".join(f"c{number} {kind}" for number, (kind, _) in enumerate(COLUMNS))
    marks = ", ".join("?" for _ in COLUMNS)
    db.run(f"CREATE TABLE adbc_columns ({columns})")
    values = tuple(value for _, value in COLUMNS)
    assert db.run(f"INSERT INTO adbc_columns VALUES ({marks})", values) == 1
    assert db.run(f"INSERT INTO adbc_columns VALUES ({marks})", (None,) * len(COLUMNS)) == 1
    got, nothing = db.rows("SELECT * FROM adbc_columns ORDER BY c0 NULLS LAST")
    assert nothing == (None,) * len(COLUMNS), nothing
    for (kind, value), read in zip(COLUMNS, got, strict=True):
        assert read == value, f"{kind}: {read!r} instead of {value!r}"
    for number, (kind, value) in enumerate(COLUMNS):
        if not isinstance(value, (list, dict)):
            found = db.rows(f"SELECT count(*) FROM adbc_columns WHERE c{number} = ?", (value,))
            assert found == [(1,)], f"{kind} = {value!r}: {found}"


def types_of_parameters_are_told(db):
    columns = ", ".join(f"c{number} {kind}" for number, (kind, _) in enumerate(COLUMNS))
    db.run(f"CREATE TABLE adbc_told ({columns})")
    with db.cursor() as cursor:
        marks = ", ".join("?" for _ in COLUMNS)
        told = cursor.adbc_prepare(f"INSERT INTO adbc_told VALUES ({marks})")
    stored = db.connection.adbc_get_table_schema("adbc_told")
    for (kind, _), parameter, column in zip(COLUMNS, told.types, stored.types, strict=True):
        assert parameter == _as_told(column), f"{kind}: {parameter}"


def _as_told(kind):
    """The Java driver writes milliseconds into any timestamp and any time."""
    if pyarrow.types.is_timestamp(kind):
        return pyarrow.timestamp("ms", kind.tz)
    return pyarrow.time32("ms") if pyarrow.types.is_time(kind) else kind
