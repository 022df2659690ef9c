"""A label is certain or it is not there."""

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from models.labels import EPISODES, SNAPSHOTS, entered_m1

ENTRY = date(2026, 1, 1)
LAST = ENTRY + timedelta(days=30)
LATER = ENTRY + timedelta(days=60)


def outcome(
    seen: dict[int, int], *, ended: int | None = None, reason: str | None = None, as_of: date = LATER
) -> int | None:
    """Return the label of one episode seen with these DPDs on these days after its entry."""
    end = None if ended is None else ENTRY + timedelta(days=ended)
    episodes = pl.DataFrame([(1, 10, ENTRY, end, reason)], schema=EPISODES, orient="row")
    days: list[Any] = [(10, ENTRY + timedelta(days=d), dpd) for d, dpd in seen.items()]
    found = entered_m1(episodes, pl.DataFrame(days, schema=SNAPSHOTS, orient="row"), as_of=as_of)
    return None if found.is_empty() or found["outcome"][0] is None else int(found["outcome"][0])


def daily(until: int) -> dict[int, int]:
    return {d: d + 1 for d in range(until + 1)}


def test_an_account_at_dpd_31_on_the_last_day_is_bad() -> None:
    assert outcome(daily(30)) == 1


def test_an_account_cured_the_day_before_is_good() -> None:
    assert outcome(daily(28), ended=29, reason="cured") == 0


@pytest.mark.parametrize(("reason", "label"), [("cured", 0), ("paid_off", 0), ("charged_off", 1), ("sold", None)])
def test_the_reason_of_an_early_end_decides(reason: str, label: int | None) -> None:
    assert outcome(daily(9), ended=10, reason=reason) == label


def test_a_part_payment_that_moves_the_due_date_makes_a_good() -> None:
    assert outcome({**daily(20), 21: 5, 25: 9, 30: 14, 40: 24}) == 0


def test_an_account_that_fell_silent_is_neither_good_nor_bad() -> None:
    assert outcome(daily(5)) is None


def test_a_weekly_look_after_the_window_proves_a_bad() -> None:
    assert outcome({0: 1, 7: 8, 14: 15, 21: 22, 28: 29, 35: 36}) == 1


def test_a_weekly_look_that_leaves_the_last_day_open_proves_nothing() -> None:
    assert outcome({0: 1, 7: 8, 14: 15, 21: 22, 28: 29}, ended=35, reason="cured") is None


def test_an_end_after_the_window_does_not_undo_a_bad() -> None:
    assert outcome(daily(33), ended=34, reason="cured") == 1


@pytest.mark.parametrize(("lag", "mature"), [(2, False), (3, True)])
def test_nothing_matures_before_the_window_and_the_posting_lag_have_passed(lag: int, mature: bool) -> None:
    assert (outcome(daily(30), as_of=LAST + timedelta(days=lag)) is not None) is mature


def test_what_became_known_after_the_cut_does_not_count() -> None:
    seen = {**daily(20), 21: 5, 30: 14, 50: 51}
    assert outcome(seen, as_of=LAST + timedelta(days=3)) == 0


def test_an_episode_first_seen_late_is_not_observed_at_entry() -> None:
    assert outcome({d: d + 12 for d in range(31)}) is None
