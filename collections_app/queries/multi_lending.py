"""Windows of applications for credit, for a whole portfolio at once: the set-based twin of domain/multi_lending.

Every event becomes one whole number (observation point, institution, age, type and time-of-day bits); the numbers
are sorted once, and each figure is a histogram over a part of them. Institutions are distinct because only the
first number of each point and institution is counted, so nothing is ever added over keys or types (trap 21).
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

import numpy as np
import polars as pl
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.tables import CreditEnquiry
from collections_app.domain.multi_lending import (
    SCOPES,
    SPANS,
    InstitutionType,
    KeyType,
    LendingRules,
    slope_weights,
    span_days,
)

EVENTS = {
    "customer_id": pl.Int64, "key_type": pl.String, "institution": pl.String, "institution_type": pl.String,
    "enquired_at": pl.Datetime("us", "UTC"), "local_hour": pl.Int64, "is_own": pl.Boolean, "received_on": pl.Date,
}  # fmt: skip
"""Raw enquiries of ONE provider: the pseudonyms of institutions are its own."""

POINTS = {"customer_id": pl.Int64, "key_type": pl.String, "as_of": pl.Date, "entry_on": pl.Date}
"""What is asked: customer and key on a day; ``entry_on`` = when the customer fell overdue, null = is not."""

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

_TYPES = tuple(InstitutionType)
_KINDS = pl.Enum([t.value for t in _TYPES])
_OTHER = _TYPES.index(InstitutionType.ELSE)
# An event's low bits, from the right: night, weekend, hour unknown (1 each), institution type (4), age in days (9).
_NIGHT, _WEEKEND, _UNTIMED = 1, 2, 4
_TYPE_AT, _AGE_AT, _WHO_AT = 3, 7, 16
_MAX_AGE = 2 ** (_WHO_AT - _AGE_AT)
# Points counted at once: their histograms fit a processor's cache.
_PART = 50_000
# UTC hours in a week, and local hours of a day with one for the unknown.
_WEEK, _HOURS = 168, 25


def read_enquiries(session: Session, *, provider: str, customers: pl.Series, since: date) -> pl.DataFrame:
    """Return EVENTS of these customers since a day; what of them was known when is for the count to judge."""
    enquiry = table_of(CreditEnquiry)
    wanted = bulk.stage(session, "enquiry_customer", customers.unique().to_frame("customer_id"), index=("customer_id",))
    return bulk.read(
        session,
        sa.select(*(enquiry.c[c] for c in EVENTS))
        .join(wanted, wanted.c.customer_id == enquiry.c.customer_id)
        .where(enquiry.c.provider == provider, enquiry.c.enquired_at >= datetime.combine(since, time.min, UTC)),
        EVENTS,
    )


def count_windows(
    events: pl.DataFrame, points: pl.DataFrame, *, known_on: date, rules: LendingRules, scopes: Sequence[str] = ()
) -> pl.DataFrame:
    """Count EVENTS for POINTS: one row per point, ``{type}_{measure}_{window}`` and more, whole numbers or null.

    Only enquiries received by ``known_on`` count, our own never do. ``scopes``: the institution types wanted, by
    default the rules'. Columns are those of domain.count_windows without their ``ml_{key}_``: name_columns adds it.
    """
    parts = count_parts(events, points, known_on=known_on, rules=rules, scopes=scopes)
    return pl.concat(parts)


def count_parts(
    events: pl.DataFrame, points: pl.DataFrame, *, known_on: date, rules: LendingRules, scopes: Sequence[str] = ()
) -> Iterator[pl.DataFrame]:
    """Yield what ``count_windows`` returns in parts of the points, in their order: the memory of one part at a time."""
    if rules.look_back > _MAX_AGE:
        raise ValueError(f"a window may have {_MAX_AGE} days at most")
    packed, institutions = _packed(events, points, known_on=known_on, rules=rules)
    for start in range(0, max(points.height, 1), _PART):
        part = points.slice(start, _PART)
        edges = np.array([start, start + _PART]) * institutions << _WHO_AT
        first, last = np.searchsorted(packed, edges)
        own = packed[first:last] - edges[0]
        counted = _Counted(own, part.height, institutions, rules)
        columns: dict[str, Any] = {}
        for scope in scopes or rules.scopes:
            columns |= counted.of_types(scope)
        columns |= counted.of_times() | counted.of_ages(part)
        yield part.with_columns(pl.Series(name, values, dtype=pl.Int32) for name, values in columns.items())


def name_columns(counted: pl.DataFrame, key: KeyType) -> pl.DataFrame:
    """Return the points of one key with the canonical names ``ml_{key}_...``."""
    of_key = counted.filter(pl.col("key_type") == key.value)
    return of_key.rename({c: f"ml_{key}_{c}" for c in counted.columns if c not in POINTS})


def _packed(events: pl.DataFrame, points: pl.DataFrame, *, known_on: date, rules: LendingRules) -> tuple[Ints, int]:
    """Return the usable events as sorted whole numbers, and how many institutions there are."""
    # One number for customer and key: a join on it costs a quarter of a join on both.
    subject = pl.col("customer_id") * 2 + (pl.col("key_type") == KeyType.MOBILE.value)
    numbered = points.lazy().select(
        subject.alias("subject"), until=pl.col("as_of").to_physical(), point=pl.int_range(pl.len(), dtype=pl.Int64)
    )
    coded = events.lazy().select(
        "is_own", "received_on", subject.alias("subject"), hour=pl.col("enquired_at").dt.epoch("s") // 3600,
        local=pl.col("local_hour").fill_null(-1), institution=pl.col("institution").cast(pl.Categorical).to_physical(),
        kind=pl.col("institution_type").cast(_KINDS, strict=False).to_physical().fill_null(_OTHER),
    )  # fmt: skip
    used = (
        coded.filter(~pl.col("is_own") & (pl.col("received_on") <= known_on))
        .join(numbered, on="subject")
        .with_columns(age=pl.col("until") - pl.col("hour") // 24)
        .filter(pl.col("age").is_between(0, rules.look_back - 1))
        .select("point", "institution", "age", "kind", time=pl.col("hour") % _WEEK * _HOURS + pl.col("local") + 1)
        .collect()
    )
    highest: Any = used["institution"].max()
    institutions = int(highest or 0) + 1
    if points.height * institutions >= 2 ** (63 - _WHO_AT):
        raise ValueError("too many customers and institutions at once: count the portfolio in parts")
    packed: Ints = used["point"].to_numpy() * institutions
    packed += used["institution"].to_numpy()
    packed <<= _WHO_AT - _AGE_AT
    packed += used["age"].to_numpy()
    packed <<= _AGE_AT - _TYPE_AT
    packed += used["kind"].to_numpy()
    packed <<= _TYPE_AT
    packed += _time_bits(rules)[used["time"].to_numpy()]
    packed.sort()
    return packed, institutions


def _time_bits(rules: LendingRules) -> Ints:
    """Return night, weekend and hour unknown for each UTC hour of the week (1970 began on a Thursday) and local hour.

    A local hour of -1, not told, comes first; the offset is the nearest of -11 to +12 hours, as domain.local_day.
    """
    hour, local = np.arange(_WEEK)[:, None], np.arange(-1, _HOURS - 1)[None, :]
    offset = (local - hour % 24 + 11) % 24 - 11
    weekday = ((hour + offset) // 24 + 3) % 7 + 1
    night = np.isin(local, sorted(rules.night_hours))
    bits = night * _NIGHT + np.isin(weekday, sorted(rules.weekend)) * _WEEKEND
    return np.where(local < 0, _UNTIMED, bits).ravel()


class _Counted:
    """Histograms over sorted, packed events."""

    def __init__(self, packed: Ints, points: int, institutions: int, rules: LendingRules) -> None:
        self.rules, self.points = rules, points
        self.who = packed >> _WHO_AT
        self.point = self.who // institutions
        self.age = (packed >> _AGE_AT) & (_MAX_AGE - 1)
        self.kind = (packed >> _TYPE_AT) & (2 ** (_AGE_AT - _TYPE_AT) - 1)
        self.bits = packed & (2**_TYPE_AT - 1)
        # The narrowest window that an age lies in, and the point: the cell of the histogram.
        ends = np.array([days for _, days in rules.windows])
        band = np.searchsorted(ends, np.arange(rules.look_back), side="right")
        self.cell: Ints = band[self.age] * points + self.point

    def of_types(self, scope: str) -> dict[str, Ints]:
        inside = None
        if scope != "all":
            wanted = np.zeros(2 ** (_AGE_AT - _TYPE_AT), dtype=bool)
            wanted[[_TYPES.index(t) for t in SCOPES[scope]]] = True
            inside = wanted[self.kind]
        return self._windows(scope, "", inside)

    def of_times(self) -> dict[str, pl.Series]:
        untimed = self._histogram((self.bits & _UNTIMED) > 0)
        columns: dict[str, pl.Series] = {}
        for bit, name in ((_NIGHT, "night_"), (_WEEKEND, "weekend_")):
            windows = self._windows("all", name, (self.bits & bit) > 0)
            for position, (window, _) in enumerate(self.rules.windows):
                known = pl.Series(untimed[position] == 0)
                for measure in ("apps", "orgs"):
                    column = f"all_{name}{measure}_{window}"
                    columns[column] = pl.Series(windows[column]).zip_with(known, pl.Series([None], dtype=pl.Int64))
        return columns

    def of_ages(self, points: pl.DataFrame) -> dict[str, pl.Series]:
        """Days since the first and the last application, institutions never seen before, institutions since entry."""
        count = self.points
        first, last = np.full(count, -1, dtype=np.int64), np.full(count, -1, dtype=np.int64)
        np.maximum.at(first, self.point, self.age)
        seen = first >= 0
        nearest = np.full(count, self.rules.look_back, dtype=np.int64)
        np.minimum.at(nearest, self.point, self.age)
        last[seen] = nearest[seen]
        oldest = np.append(self.who[1:] != self.who[:-1], self.who.size > 0)[: self.who.size]
        new = np.bincount(self.point[oldest & (self.age < self.rules.new_org_days)], minlength=count)
        days = (points["as_of"] - points["entry_on"]).dt.total_days()
        newest = self._first_of_each(None)
        reach = days.fill_null(-1).to_numpy()[self.point[newest]]
        since = np.bincount(self.point[newest][self.age[newest] <= reach], minlength=count)
        nothing = pl.Series([None], dtype=pl.Int64)
        return {
            "all_days_since_last_app": pl.Series(last).zip_with(pl.Series(seen), nothing),
            "all_days_since_first_app": pl.Series(first).zip_with(pl.Series(seen), nothing),
            f"all_new_orgs_{self.rules.new_org_days}d": pl.Series(new),
            "all_orgs_since_entry": pl.Series(since).zip_with(days.is_not_null(), nothing),
        }

    def _windows(self, scope: str, time: str, inside: Flags | None) -> dict[str, Ints]:
        apps = self._histogram(inside)
        orgs = self._histogram(self._first_of_each(inside))
        columns: dict[str, Ints] = {}
        for position, (window, _) in enumerate(self.rules.windows):
            columns[f"{scope}_{time}apps_{window}"] = apps[position]
            columns[f"{scope}_{time}orgs_{window}"] = orgs[position]
        return columns

    def _histogram(self, chosen: Flags | Ints | None) -> Ints:
        """Count the chosen events by window (rows) and point (columns); windows are nested, hence the running sum."""
        where = self.cell if chosen is None else self.cell[chosen]
        shape = len(self.rules.windows), self.points
        cells: Ints = np.bincount(where, minlength=shape[0] * shape[1]).reshape(shape)
        # Window by window along whole rows: many times faster than along the six figures of each customer.
        np.cumsum(cells, axis=0, out=cells)
        return cells

    def _first_of_each(self, inside: Flags | None) -> Ints:
        """Return the positions of the newest event of each point and institution among those inside."""
        positions = np.arange(self.who.size) if inside is None else np.flatnonzero(inside)
        who = self.who[positions]
        chosen: Ints = positions[np.append(who.size > 0, who[1:] != who[:-1])[: who.size]]
        return chosen


def with_derived(counted: pl.DataFrame, rules: LendingRules) -> pl.DataFrame:
    """Add accel, ratio_nbank, night_share and slope to a frame of count_windows (formulae: domain.derive)."""
    month = pl.col("all_orgs_1m") * (rules.days("7d") / rules.days("1m")) + rules.accel_guard
    slope = pl.lit(0.0)
    for (inner, outer), weight in zip(SPANS, slope_weights(rules), strict=True):
        rest = pl.col(f"all_apps_{outer}") - (pl.col(f"all_apps_{inner}") if inner else 0)
        slope = slope + pl.when(rest >= 0).then(rest) * (30 * weight / span_days(inner, outer, rules))
    return counted.with_columns(
        accel=pl.col("all_orgs_7d") / month,
        ratio_nbank=_share("nbank_orgs_12m", "all_orgs_12m"),
        night_share=_share("all_night_apps_3m", "all_apps_3m"),
        slope=slope,
    )


def _share(part: str, whole: str) -> pl.Expr:
    return pl.when(pl.col(whole) > 0).then(pl.col(part) / pl.col(whole))
