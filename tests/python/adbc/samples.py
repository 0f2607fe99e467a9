"""Values of every type that a client may send."""

import datetime
import decimal

import pyarrow as pa

MOMENT = datetime.datetime(2024, 2, 29, 23, 59, 58)
SPLIT_SECOND = MOMENT.replace(microsecond=123456)
BERLIN = datetime.timezone(datetime.timedelta(hours=1))
ZONED = SPLIT_SECOND.replace(tzinfo=datetime.timezone.utc)
TEXTS = ["", "naïve 🦆, 'quoted' \"twice\" \\ %_", None]
BYTES = [b"", bytes(range(256)), None]


def whole(data_type, low, high):
    """The ends of a type of whole numbers."""
    return pa.array([low, high, None], data_type)


def moments(unit, zone=None):
    """Timestamps of a unit, before and after 1970."""
    fine = SPLIT_SECOND if unit in ("us", "ns") else MOMENT
    values = [fine, datetime.datetime(1901, 1, 1, 0, 0, 1), None]
    if zone:
        values = [value and value.replace(tzinfo=datetime.timezone.utc) for value in values]
    return pa.array(values, pa.timestamp(unit, zone))


SAMPLES = {
    "boolean": pa.array([True, False, None]),
    "int8": whole(pa.int8(), -(1 << 7), (1 << 7) - 1),
    "int16": whole(pa.int16(), -(1 << 15), (1 << 15) - 1),
    "int32": whole(pa.int32(), -(1 << 31), (1 << 31) - 1),
    "int64": whole(pa.int64(), -(1 << 63), (1 << 63) - 1),
    "uint8": whole(pa.uint8(), 0, (1 << 8) - 1),
    "uint16": whole(pa.uint16(), 0, (1 << 16) - 1),
    "uint32": whole(pa.uint32(), 0, (1 << 32) - 1),
    "uint64": whole(pa.uint64(), 0, (1 << 64) - 1),
    "float32": pa.array([1.5, float("-inf"), None], pa.float32()),
    "float64": pa.array([1e300, -0.1, None]),
    "decimal128": pa.array([decimal.Decimal("12345678901234567890123456.789012345678"),
                            decimal.Decimal("-0.000000000001"), None], pa.decimal128(38, 12)),
    "decimal256": pa.array([decimal.Decimal("9" * 74 + ".99"), decimal.Decimal("-0.01"), None], pa.decimal256(76, 2)),
    "text": pa.array(TEXTS),
    "large text": pa.array(TEXTS, pa.large_string()),
    "text view": pa.array(TEXTS, pa.string_view()),
    "dictionary": pa.array(["a", "b", None]).dictionary_encode(),
    "bytes": pa.array(BYTES),
    "large bytes": pa.array(BYTES, pa.large_binary()),
    "bytes view": pa.array(BYTES, pa.binary_view()),
    "bytes of one length": pa.array([b"abc", b"\0\0\xff", None], pa.binary(3)),
    "date": pa.array([datetime.date(1, 1, 1), datetime.date(9999, 12, 31), None]),
    "time in seconds": pa.array([datetime.time(0), datetime.time(23, 59, 59), None], pa.time32("s")),
    "time in microseconds": pa.array([datetime.time(0), datetime.time(23, 59, 59, 999999), None]),
    "time in nanoseconds": pa.array([datetime.time(0), datetime.time(23, 59, 59, 999999), None], pa.time64("ns")),
    "timestamp in seconds": moments("s"),
    "timestamp in milliseconds": moments("ms"),
    "timestamp in microseconds": moments("us"),
    "timestamp in nanoseconds": moments("ns"),
    "timestamp in UTC": moments("us", "UTC"),
    "timestamp in Berlin": moments("us", "Europe/Berlin"),
    "interval": pa.array([pa.MonthDayNano([14, 3, 5_000_000_000]), pa.MonthDayNano([-1, -2, -3]), None]),
    "duration": pa.array([datetime.timedelta(days=1, microseconds=1), datetime.timedelta(seconds=-1), None]),
    "list": pa.array([[1, None], [], None]),
    "large list": pa.array([["a", None], [], None], pa.large_list(pa.string())),
    "list of one length": pa.array([[1, 2], [None, 4], None], pa.list_(pa.int32(), 2)),
    "list of lists": pa.array([[[1], None, []], [], None]),
    "struct": pa.array([{"x": 1, "y": "a"}, {"x": None, "y": None}, None]),
    "list of structs": pa.array([[{"x": 1.5, "y": [b"\0"]}, None], [], None]),
    "map": pa.array([[("k", 1), ("l", None)], [], None], pa.map_(pa.string(), pa.int64())),
    "null": pa.nulls(3),
}

# What comes back where it is not what was sent: the plain layout of the same SQL type.
PLAIN = {
    "text view": pa.string(),
    "large list": pa.list_(pa.string()),
    "dictionary": pa.string(),
    "bytes view": pa.binary(),
}


def check_each(check):
    """Runs `check` with the name and the values of each type; what failed is said of all of them at once."""
    failures = []
    for name, sent in SAMPLES.items():
        try:
            check(name, sent)
        except Exception as error:  # noqa: BLE001: it must not hide the other types
            failures.append(f"{name}: {error}")
    assert not failures, "\n".join(failures)


def same(sent, got):
    """Fails unless a column that came back is the one that was sent."""
    assert got.to_pylist() == sent.to_pylist(), f"{got.to_pylist()} instead of {sent.to_pylist()}"
