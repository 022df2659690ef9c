"""A label is certain or it is not there."""

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from models.labels import EPISODES, SNAPSHOTS, STANDING, arrived, cured, entered_m1

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


def standing(*spans: tuple[int, int, bool]) -> pl.DataFrame:
    """Return spans of account 10: (days after entry, dpd, ageing)."""
    rows = [(10, ENTRY + timedelta(days=day), dpd, ageing) for day, dpd, ageing in spans]
    return pl.DataFrame(rows, schema=STANDING, orient="row")


def rolls(
    spans: pl.DataFrame, seen: dict[int, int], *, ended: int | None = None, reason: str | None = None, on: int = 200
) -> dict[tuple[str, int], tuple[int, int | None]]:
    """Return {(label, day of observation): (horizon, outcome)} of one episode."""
    end = None if ended is None else ENTRY + timedelta(days=ended)
    episodes = pl.DataFrame([(1, 10, ENTRY, end, reason)], schema=EPISODES, orient="row")
    days: list[Any] = [(10, ENTRY + timedelta(days=d), dpd) for d, dpd in seen.items()]
    snapshots = pl.DataFrame(days, schema=SNAPSHOTS, orient="row")
    found = arrived(episodes, spans, snapshots, as_of=ENTRY + timedelta(days=on))
    return {
        (row["label"], (row["observed_on"] - ENTRY).days): (row["horizon_days"], row["outcome"])
        for row in found.iter_rows(named=True)
    }


def test_an_account_that_pays_nothing_is_bad_at_every_point_it_passes() -> None:
    passed = rolls(standing((0, 1, True)), {0: 1, 200: 201})
    assert passed == {
        ("rolled_m2", 9): (21, 1), ("rolled_m2", 14): (16, 1), ("rolled_m2", 19): (11, 1), ("rolled_m3", 30): (30, 1),
        ("rolled_m4", 60): (30, 1), ("rolled_m4", 90): (30, 1),
    }  # fmt: skip


def test_a_point_is_passed_the_first_time_only_and_a_cure_after_it_is_good() -> None:
    """DPD 12, a part payment takes it back to 5, it grows to 12 again, and is paid."""
    spans = standing((0, 1, True), (12, 5, True), (20, 0, False))
    seen = {0: 1, 11: 12, 12: 5, 19: 12}
    assert rolls(spans, seen, ended=20, reason="cured") == {("rolled_m2", 9): (21, 0)}


def test_a_weekly_look_observes_a_few_days_late_with_a_window_as_much_shorter() -> None:
    weekly = {0: 6, 7: 13, 14: 20, 21: 27, 28: 34}
    spans = standing(*((day, dpd, False) for day, dpd in weekly.items()))
    found = rolls(spans, weekly, on=60)
    assert found[("rolled_m2", 7)] == (18, 1)  # first seen at DPD 13: DPD 31 was due 18 days later
    assert found[("rolled_m2", 14)] == (11, 1)  # DPD 20 is past 15 + tolerance, but exactly 20
    assert ("rolled_m2", 0) not in found
    assert found[("rolled_m3", 28)] == (27, None)  # nobody looked again


@pytest.mark.parametrize(("reason", "outcome"), [("charged_off", 1), ("sold", None), ("paid_off", 0)])
def test_how_an_account_left_after_the_point_decides(reason: str, outcome: int | None) -> None:
    found = rolls(standing((0, 1, True)), {0: 1, 39: 40}, ended=40, reason=reason)
    assert found[("rolled_m3", 30)] == (30, outcome)


def test_no_window_is_judged_before_it_and_the_posting_lag_are_over() -> None:
    spans, seen = standing((0, 1, True)), {0: 1, 33: 34}
    assert ("rolled_m2", 9) not in rolls(spans, seen, on=32)
    assert ("rolled_m2", 9) in rolls(spans, seen, on=33)


def cure(seen: dict[int, int], *, ended: int | None = None, reason: str | None = None) -> int | None:
    end = None if ended is None else ENTRY + timedelta(days=ended)
    episodes = pl.DataFrame([(1, 10, ENTRY, end, reason)], schema=EPISODES, orient="row")
    days: list[Any] = [(10, ENTRY + timedelta(days=d), dpd) for d, dpd in seen.items()]
    found = cured(episodes, pl.DataFrame(days, schema=SNAPSHOTS, orient="row"), as_of=LATER)
    return None if found.is_empty() else found["outcome"][0]


def test_a_cure_on_the_tenth_day_counts_and_one_on_the_eleventh_does_not() -> None:
    assert cure(daily(9), ended=10, reason="cured") == 1
    assert cure(daily(10), ended=11, reason="cured") == 0


@pytest.mark.parametrize("reason", ["sold", "charged_off", "restated"])
def test_an_account_that_left_otherwise_neither_cured_itself_nor_did_not(reason: str) -> None:
    assert cure(daily(5), ended=6, reason=reason) is None


def test_silence_is_no_failure_to_cure_and_a_later_sight_proves_one() -> None:
    assert cure(daily(5)) is None
    assert cure({**daily(5), 14: 15}) == 0
    assert cure({**daily(5), 14: 2}) is None  # the debt of then was paid; another began


def test_who_is_first_seen_at_dpd_5_would_be_worked_within_the_window() -> None:
    assert cure({d: d + 5 for d in range(14)}) is None
