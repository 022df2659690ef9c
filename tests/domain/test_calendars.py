"""Local time: windows by the clock of a zone, dates by its calendar, nights of daylight saving included."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from collections_app.domain.calendars import (
    DayWindow,
    dates_start,
    day_start,
    local_date,
    next_inside,
    next_open_day,
    next_outside,
)

CHICAGO = ZoneInfo("America/Chicago")
LONDON = ZoneInfo("Europe/London")
DAY = DayWindow.between(time(8), time(21))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_window_opens_at_its_first_second_and_is_shut_at_its_last_hour() -> None:
    assert not DAY.contains(at("2026-03-04 13:59:59"), CHICAGO)
    assert DAY.contains(at("2026-03-04 14:00:00"), CHICAGO)
    assert DAY.contains(at("2026-03-05 02:59:59"), CHICAGO)
    assert not DAY.contains(at("2026-03-05 03:00:00"), CHICAGO)


def test_the_guard_shuts_the_window_earlier() -> None:
    guarded = DayWindow.between(time(8), time(21), guard_minutes=2)
    assert guarded.contains(at("2026-03-05 02:57:59"), CHICAGO)
    assert not guarded.contains(at("2026-03-05 02:58:00"), CHICAGO)


def test_a_window_shorter_than_its_guard_never_opens() -> None:
    brief = DayWindow.between(time(10), time(10, 1), guard_minutes=2)
    assert next_inside([brief], at("2026-03-04 12:00"), CHICAGO) is None


def test_the_window_stays_at_eight_on_the_night_that_loses_an_hour() -> None:
    # 2026-03-08: 02:00 becomes 03:00 in Chicago, so that 8:00 is 13:00 UTC instead of 14:00.
    assert next_inside([DAY], at("2026-03-08 03:30"), CHICAGO) == at("2026-03-08 13:00")
    assert DAY.contains(at("2026-03-09 01:59:59"), CHICAGO)
    assert not DAY.contains(at("2026-03-09 02:00:00"), CHICAGO)


def test_an_opening_that_does_not_exist_on_the_clock_is_reached_an_hour_later() -> None:
    night = DayWindow.between(time(2, 30), time(6))
    assert next_inside([night], at("2026-03-08 07:00"), CHICAGO) == at("2026-03-08 08:30")


def test_the_window_stays_at_eight_on_the_night_that_gains_an_hour() -> None:
    assert next_inside([DAY], at("2026-11-01 04:00"), CHICAGO) == at("2026-11-01 14:00")


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_opens() -> None:
    friday_night = DayWindow.between(time(22), time(2), [5])
    assert friday_night.contains(at("2026-03-07 05:00"), CHICAGO)  # Friday 23:00
    assert friday_night.contains(at("2026-03-07 07:00"), CHICAGO)  # Saturday 01:00
    assert not friday_night.contains(at("2026-03-08 05:00"), CHICAGO)  # Saturday 23:00
    assert next_outside(friday_night, at("2026-03-07 05:00"), CHICAGO) == at("2026-03-07 08:00")


def test_weekdays_without_a_window_are_skipped() -> None:
    weekdays = DayWindow.between(time(8), time(21), [1, 2, 3, 4, 5])
    saturday = DayWindow.between(time(9), time(18), [6])
    assert next_inside([weekdays, saturday], at("2026-02-14 19:00"), LONDON) == at("2026-02-16 08:00")
    assert next_inside([weekdays, saturday], at("2026-02-14 08:00"), LONDON) == at("2026-02-14 09:00")


def test_closed_days_in_a_row_are_passed_over() -> None:
    closed = frozenset({date(2026, 12, 25), date(2026, 12, 26)})
    assert next_open_day(closed, at("2026-12-25 10:00"), LONDON) == at("2026-12-27 00:00")
    assert next_open_day(closed, at("2026-12-27 10:00"), LONDON) == at("2026-12-27 10:00")


def test_a_window_of_seven_dates_is_not_168_hours() -> None:
    # Monday 20:59 and the next Monday 08:01 are 155 hours apart, yet in different windows.
    monday = at("2026-03-03 02:59")
    next_monday = at("2026-03-09 13:01")
    assert local_date(monday, CHICAGO) == date(2026, 3, 2)
    assert dates_start(next_monday, 7, CHICAGO) == day_start(date(2026, 3, 3), CHICAGO) > monday
