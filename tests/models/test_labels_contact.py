"""Weeks of calling, promises and placements: a label is certain or it is not there."""

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from models.labels_contact import CALLS, CASH, PLACEMENTS, PROMISES, contacted, promise_verdicts, recovered

MONDAY = date(2026, 1, 5)
WEEKS = {"account_id": pl.Int64, "episode_id": pl.Int64, "case_id": pl.Int64, "observed_on": pl.Date}


def call(day: int, **over: bool) -> tuple[Any, ...]:
    told = {"is_settled": True, "is_rpc": False, "is_answered": False, **over}
    return (1, MONDAY + timedelta(days=day), *told.values())


def week(*calls: tuple[Any, ...], on: int = 8) -> dict[str, int | None]:
    """Return the labels of one week with these calls."""
    weeks = pl.DataFrame([(5, 6, 1, MONDAY)], schema=WEEKS, orient="row")
    made = pl.DataFrame(list(calls), schema=CALLS, orient="row")
    return dict(contacted(weeks, made, as_of=MONDAY + timedelta(days=on)).select("label", "outcome").iter_rows())


EARLIER = call(-20, is_answered=True)


def test_one_word_with_the_customer_makes_the_week_and_a_call_of_the_next_week_does_not() -> None:
    assert week(call(0), call(6, is_rpc=True, is_answered=True)) == {"rpc_7d": 1}
    assert week(call(0), call(7, is_rpc=True, is_answered=True)) == {"rpc_7d": 0}


def test_a_week_without_a_call_says_nothing() -> None:
    assert week(EARLIER) == {}


def test_a_customer_who_answered_before_and_now_leaves_two_calls_unanswered_is_lost() -> None:
    assert week(EARLIER, call(0), call(2)) == {"rpc_7d": 0, "lost_7d": 1}
    assert week(EARLIER, call(0), call(2, is_answered=True))["lost_7d"] == 0


def test_one_unanswered_call_proves_nobody_lost_and_who_never_answered_cannot_be() -> None:
    assert week(EARLIER, call(0))["lost_7d"] is None
    assert "lost_7d" not in week(call(-100, is_answered=True), call(0), call(2))


def test_a_call_that_is_not_settled_leaves_the_week_open() -> None:
    assert week(EARLIER, call(0), call(1, is_settled=False)) == {"rpc_7d": None, "lost_7d": None}


def test_a_week_matures_the_day_after_it_ended() -> None:
    assert week(call(0), on=7) == {}
    assert week(call(0), on=8) == {"rpc_7d": 0}


@pytest.mark.parametrize(("lag", "rows"), [(2, 0), (3, 1)])
def test_a_verdict_on_a_promise_is_believed_after_the_posting_lag(lag: int, rows: int) -> None:
    made = pl.DataFrame([(5, 1, MONDAY, MONDAY + timedelta(days=4), MONDAY + timedelta(days=6), True)],
                        schema=PROMISES, orient="row")  # fmt: skip
    found = promise_verdicts(made, as_of=MONDAY + timedelta(days=6 + lag))
    assert found.height == rows
    if rows:
        assert (found["outcome"][0], found["horizon_days"][0], found["observed_on"][0]) == (1, 4, MONDAY)


def placed(
    *cash: tuple[int, int], arrears: int = 100_00, heard: int | None = 95, sold: int | None = None
) -> tuple[int | None, float | None]:
    """Return outcome and share of a placement with this cash: (days after placement, amount)."""
    on = {None: None}
    on |= {d: MONDAY + timedelta(days=d) for d in (heard, sold) if d is not None}
    placement = pl.DataFrame([(5, 1, MONDAY, arrears, on[heard], on[sold])], schema=PLACEMENTS, orient="row")
    money = pl.DataFrame([(5, MONDAY + timedelta(days=d), a) for d, a in cash], schema=CASH, orient="row")
    row = recovered(placement, money, as_of=MONDAY + timedelta(days=93)).row(0, named=True)
    return row["outcome"], row["value"]


def test_the_share_is_what_came_in_ninety_days_of_what_was_overdue_and_never_above_one() -> None:
    assert placed((0, 20_00), (89, 5_00)) == (1, 0.25)
    assert placed((-1, 50_00), (90, 50_00)) == (0, 0)
    assert placed((3, 250_00)) == (1, 1)


def test_cash_that_was_taken_back_did_not_come() -> None:
    assert placed((3, 20_00), (3, -20_00)) == (0, 0)


def test_sold_silent_and_without_a_payment_feed_is_not_nothing_paid() -> None:
    assert placed(sold=60) == (None, None)
    assert placed(heard=80) == (None, None)
    assert placed(heard=None) == (None, None)
    assert placed(arrears=0) == (None, None)
    assert placed(sold=90) == (0, 0)


def test_a_placement_matures_after_its_window_and_the_posting_lag() -> None:
    placement = pl.DataFrame([(5, 1, MONDAY, 1, MONDAY, None)], schema=PLACEMENTS, orient="row")
    nothing = pl.DataFrame(schema=CASH)
    assert recovered(placement, nothing, as_of=MONDAY + timedelta(days=92)).is_empty()
