"""Compares two answers: exact but for floats, in order where that is asked for."""

import datetime
import decimal
import math

RELATIVE = 1e-9
# A quotient or an average of decimals is a decimal of a few more digits on one side and a float on
# the other; multiplied afterwards, the digits that were cut off show.
RELATIVE_MIXED = 1e-6


def rows(table):
    """The rows of an Arrow table as tuples; columns may share a name."""
    columns = [column.to_pylist() for column in table.columns]
    return list(zip(*columns, strict=True)) if columns else []


def assert_same(ours, theirs, ordered=False):
    """Fails with the first difference between two lists of rows."""
    if len(ours) != len(theirs):
        raise AssertionError(f"{len(ours)} rows instead of {len(theirs)}; ours begins {ours[:3]}, right is {theirs[:3]}")
    if not ordered:
        ours, theirs = sorted(ours, key=sort_key), sorted(theirs, key=sort_key)
    for number, (left, right) in enumerate(zip(ours, theirs, strict=True)):
        if len(left) != len(right):
            raise AssertionError(f"row {number} has {len(left)} columns instead of {len(right)}")
        if not all(same(a, b) for a, b in zip(left, right, strict=True)):
            raise AssertionError(f"row {number} is {left}, right is {right}")


def same(left, right):
    """Whether two values are equal."""
    if left is None or right is None:
        return left is right
    if isinstance(left, float) or isinstance(right, float):
        unit = max(last_place(left), last_place(right), 1e-12)
        relative = RELATIVE if type(left) is type(right) else RELATIVE_MIXED
        left, right = float(left), float(right)
        both_nan = math.isnan(left) and math.isnan(right)
        return both_nan or math.isclose(left, right, rel_tol=relative, abs_tol=unit)
    return plain(left) == plain(right)


def last_place(value):
    """The unit of a decimal's last digit; 0 for anything else."""
    if isinstance(value, decimal.Decimal):
        return float(decimal.Decimal(1).scaleb(value.as_tuple().exponent))
    return 0.0


def plain(value):
    """A value without what the two sides write differently."""
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=None)
    return value


def sort_key(row):
    """An order for rows of mixed types. Exact values come first, so that numbers which differ in
    their last digits only seldom decide."""
    exact = tuple((value is None, "" if value is None else str(plain(value))) for value in row if not inexact(value))
    return exact, tuple(float(f"{float(value):.6g}") for value in row if inexact(value))


def inexact(value):
    """Whether the two sides may hold the value in different types."""
    return isinstance(value, (float, decimal.Decimal))
