"""Local time and dates: calling windows, calendar-date windows, closed days.

A law's clock is always somebody's local clock. Everything here converts at the instant itself with the
zone's own history, so that nights of daylight saving need no special case: a local time that does not
exist is simply never reached.
"""

from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

EVERY_DAY = frozenset(range(1, 8))
DAY_SECONDS = 86_400
# Weekly windows repeat after 7 days; the eighth day covers a search that begins late on a closing day.
_SEARCH_DAYS = 8


def local_date(at: datetime, zone: tzinfo) -> date:
    """Return the calendar date that the zone's clock shows at an instant."""
    return at.astimezone(zone).date()


def day_start(day: date, zone: tzinfo) -> datetime:
    """Return the instant (UTC) at which a local date begins."""
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def dates_start(at: datetime, days: int, zone: tzinfo) -> datetime:
    """Return where the window of ``days`` local dates that ends with today's date begins."""
    return day_start(local_date(at, zone) - timedelta(days=days - 1), zone)


@dataclass(frozen=True)
class DayWindow:
    """A span of local time on certain ISO weekdays; ``end`` <= ``start`` runs over midnight."""

    start: int
    end: int
    weekdays: frozenset[int] = EVERY_DAY

    @classmethod
    def between(
        cls, start: time | None, end: time | None, weekdays: Iterable[int] = (), *, guard_minutes: int = 0
    ) -> "DayWindow":
        """Build from clock times; ``None`` is midnight. The guard closes the window that much earlier."""
        first = _seconds(start) if start else 0
        last = (_seconds(end) if end else 0) or DAY_SECONDS
        length = (last - first) % DAY_SECONDS or DAY_SECONDS
        if length <= guard_minutes * 60:
            return cls(first, last, frozenset())  # shorter than its guard: it never opens
        last = (last - guard_minutes * 60) % DAY_SECONDS or DAY_SECONDS
        return cls(first, last, frozenset(weekdays) or EVERY_DAY)

    def contains(self, at: datetime, zone: tzinfo) -> bool:
        """Tell whether the zone's clock stands inside the window."""
        local = at.astimezone(zone)
        second = local.hour * 3600 + local.minute * 60 + local.second
        weekday = local.isoweekday()
        if self.start < self.end:
            return self.start <= second < self.end and weekday in self.weekdays
        yesterday = weekday - 1 or 7
        return (second >= self.start and weekday in self.weekdays) or (second < self.end and yesterday in self.weekdays)

    def next_start(self, at: datetime, zone: tzinfo) -> datetime | None:
        """Return the first opening after ``at`` (UTC), or None where the window never opens."""
        today = local_date(at, zone)
        for offset in range(_SEARCH_DAYS):
            day = today + timedelta(days=offset)
            if day.isoweekday() in self.weekdays:
                opening = _instant(day, self.start, zone)
                if opening > at and self.contains(opening, zone):
                    return opening
        return None

    def next_end(self, at: datetime, zone: tzinfo) -> datetime:
        """Return the instant at which the window that contains ``at`` closes."""
        today = local_date(at, zone)
        closing = _instant(today, self.end, zone)
        return closing if closing > at else _instant(today + timedelta(days=1), self.end, zone)


def next_inside(windows: Iterable[DayWindow], at: datetime, zone: tzinfo) -> datetime | None:
    """Return ``at`` if any window contains it, else the first opening of any; None if there is none."""
    openings = []
    for window in windows:
        if window.contains(at, zone):
            return at
        opening = window.next_start(at, zone)
        if opening is not None:
            openings.append(opening)
    return min(openings, default=None)


def next_outside(window: DayWindow, at: datetime, zone: tzinfo) -> datetime:
    """Return ``at`` if the window does not contain it, else the instant at which the window closes."""
    return window.next_end(at, zone) if window.contains(at, zone) else at


def next_open_day(closed: frozenset[date], at: datetime, zone: tzinfo) -> datetime:
    """Return ``at``, or the beginning of the first following local date that is not closed."""
    day = local_date(at, zone)
    if day not in closed:
        return at
    while day in closed:
        day += timedelta(days=1)
    return day_start(day, zone)


def _seconds(clock: time) -> int:
    return clock.hour * 3600 + clock.minute * 60 + clock.second


def _instant(day: date, second: int, zone: tzinfo) -> datetime:
    """Return the instant at which the local clock shows ``second`` of ``day`` (86,400 = next midnight)."""
    if second >= DAY_SECONDS:
        return day_start(day + timedelta(days=1), zone)
    naive = datetime.combine(day, time.min, zone).replace(
        hour=second // 3600, minute=second % 3600 // 60, second=second % 60
    )
    return naive.astimezone(UTC)


def add_months(day: date, months: int) -> date:
    """Return the same day ``months`` later; a day that the month lacks becomes its last one."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
