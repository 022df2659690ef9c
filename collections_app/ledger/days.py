"""Days as integers, account and day as one sortable integer, and paused days counted by them."""

from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_EPOCH = date(1970, 1, 1).toordinal()
_DAY_BITS = 22
_DAY_ZERO = 1 << 20
# Later than any date; stands for "no such day" wherever the earliest day is looked for.
NEVER = 1 << 30
_LAST_DAY = date.max.toordinal() - _EPOCH


def day_number(day: date) -> int:
    """Return the day as days since 1970-01-01, as polars and numpy count it."""
    return day.toordinal() - _EPOCH


def day_numbers(column: pl.Series, *, null: int = NEVER) -> Ints:
    """Return a column of dates as day numbers."""
    return column.cast(pl.Int32).cast(pl.Int64).fill_null(null).to_numpy()


def dates(days: Ints) -> pl.Series:
    """Return day numbers as dates; NEVER becomes null."""
    numbers = pl.Series(days, dtype=pl.Int64)
    return pl.select(pl.when(numbers < NEVER).then(numbers)).to_series().cast(pl.Int32).cast(pl.Date)


def key_of(position: Ints, day: Ints) -> Ints:
    """Return account position and day as one integer that sorts by account, then day."""
    return (position << _DAY_BITS) + day + _DAY_ZERO


def position_of(key: Ints) -> Ints:
    """Return the account position of a key."""
    return key >> _DAY_BITS


def day_of(key: Ints) -> Ints:
    """Return the day number of a key."""
    return (key & ((1 << _DAY_BITS) - 1)) - _DAY_ZERO


class PausedDays:
    """The days that do not count, over all accounts: overlapping and adjoining pauses are one.

    Intervals of keys, sorted, with the number of paused days before each: one binary search per question.
    """

    def __init__(self, pauses: pl.DataFrame) -> None:
        """Take columns position, from_on, until_on (null = until further notice)."""
        frame = pauses.select(
            "position",
            first=pl.col("from_on").cast(pl.Int32).cast(pl.Int64),
            last=pl.col("until_on").cast(pl.Int32).cast(pl.Int64).fill_null(_LAST_DAY),
        )
        reach = pl.col("last").cum_max().shift().over("position")
        merged = (
            frame.filter(pl.col("first") <= pl.col("last"))
            .sort("position", "first", "last")
            .with_columns(is_new=(pl.col("first") > reach + 1).fill_null(value=True))
            .group_by("position", pl.col("is_new").cum_sum().alias("run"))
            .agg(pl.col("first").min(), pl.col("last").max())
            .sort("position", "first")
        )
        position = merged["position"].to_numpy()
        first, last = merged["first"].to_numpy(), merged["last"].to_numpy()
        self._first, self._last = key_of(position, first), key_of(position, last)
        self._before = np.cumsum(last - first + 1) - (last - first + 1)
        ends = last < _LAST_DAY
        # The days on which a pause begins, and the days after its end.
        self.edges = np.sort(np.concatenate([self._first, self._last[ends] + 1]))

    def _until(self, key: Ints) -> Ints:
        """Return the paused days of all accounts up to a key."""
        if not self._first.size:
            return np.zeros(key.shape, np.int64)
        at = np.searchsorted(self._first, key, side="right") - 1
        return np.where(at >= 0, self._before[at] + np.minimum(key, self._last[at]) - self._first[at] + 1, 0)

    def between(self, position: Ints, after: Ints, until: Ints) -> Ints:
        """Return the number of paused days in (after, until]."""
        return self._until(key_of(position, until)) - self._until(key_of(position, after))

    def holds(self, key: Ints) -> Flags:
        """Tell whether the day of a key is paused."""
        return self._until(key) > self._until(key - 1)

    def next_edge(self, position: Ints, day: int) -> Ints:
        """Return the first day after ``day`` on which a pause begins or has ended; NEVER if none does."""
        at = np.searchsorted(self.edges, key_of(position, np.full(position.shape, day)), side="right")
        found = np.append(self.edges, np.int64(-1))[at]
        return np.where(position_of(found) == position, day_of(found), NEVER)
