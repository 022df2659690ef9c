"""Calendar months as whole numbers, in SQL and out of it: 24,314 is March 2026."""

from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa


def number_of(on: date) -> int:
    """Return the number of a day's month."""
    return on.year * 12 + on.month - 1


def month_of(day: sa.ColumnElement[Any] | Any) -> sa.ColumnElement[int]:
    """Return the number of a date column's month, in SQL."""
    return sa.cast(sa.extract("year", day) * 12 + sa.extract("month", day) - 1, sa.Integer)


def first_day(number: int) -> date:
    """Return the first day of a month."""
    return date(number // 12, number % 12 + 1, 1)


def last_day(number: int) -> date:
    """Return the last day of a month."""
    return first_day(number + 1) - timedelta(days=1)


def label(number: int) -> str:
    """Write a month: ``2026-03``."""
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


def latest(as_of: date, months: int) -> range:
    """Return the numbers of the latest months, that of ``as_of`` last."""
    return range(number_of(as_of) - months + 1, number_of(as_of) + 1)


def calendar(months: range, *, until: date) -> sa.Subquery:
    """Return the months as rows (month, from_on, to_on), the last one ending at ``until``."""
    day = sa.Date()
    rows = (
        sa.select(
            sa.literal(number).label("month"),
            sa.literal(first_day(number), day).label("from_on"),
            sa.literal(min(last_day(number), until), day).label("to_on"),
        )
        for number in months
    )
    return sa.union_all(*rows).subquery()
