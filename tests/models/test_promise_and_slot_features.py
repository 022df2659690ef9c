"""What a promise says by itself, and what the hour of a call does."""

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from models.promise_features import PROMISE_NAMES, PROMISED, promise_features
from models.slot_features import ASKED, CALLS, SLOT_NAMES, slot_features

TUESDAY = date(2026, 3, 3)


def promise(**over: Any) -> dict[str, Any]:
    row = {"row": 1, "amount": 50_00, "arrears_amount": 200_00, "created_on": TUESDAY, "due_on": date(2026, 3, 7),
           "made_by": "agent", "last_paid_on": date(2026, 2, 5), "earlier_60d": 2, **over}  # fmt: skip
    return promise_features(pl.DataFrame([row], schema=PROMISED)).row(0, named=True)


def test_a_promise_is_told_by_its_size_its_day_and_who_heard_it() -> None:
    said = promise()
    assert set(said) == {"row", *PROMISE_NAMES}
    assert (said["promise_of_arrears"], said["promise_days_to_due"], said["promises_60d"]) == (0.25, 4, 2)
    assert (said["promise_weekday"], said["promise_weekend"], said["promise_to_agent"]) == (6, 1, 1)
    assert promise(made_by="robot")["promise_to_agent"] == 0


def test_the_gap_to_the_payday_goes_round_the_month_the_shorter_way() -> None:
    assert promise()["promise_payday_gap"] == pytest.approx(30.4375 - 30, abs=1e-6)  # paid on 5 February, due 7 March
    assert promise(due_on=date(2026, 2, 20))["promise_payday_gap"] == 15
    assert promise(last_paid_on=None)["promise_payday_gap"] is None


def test_a_promise_without_arrears_has_no_size() -> None:
    assert promise(arrears_amount=0)["promise_of_arrears"] is None


def call(
    back: int, hour: int | None = 10, *, answered: bool | None = False, settled: int | None = None
) -> dict[str, Any]:
    on = TUESDAY - timedelta(days=back)
    known = None if answered is None else TUESDAY - timedelta(days=back if settled is None else settled)
    weekday = None if hour is None else on.isoweekday()
    return {"customer_id": 7, "on": on, "local_hour": hour, "local_weekday": weekday, "settled_on": known,
            "is_answered": answered, "point_kind": "mobile"}  # fmt: skip


def asked(*calls: dict[str, Any], hour: int | None = 11) -> dict[str, Any]:
    row = {"row": 1, "customer_id": 7, "on": TUESDAY, "local_hour": hour,
           "local_weekday": None if hour is None else 2, "point_kind": "work_phone", "days_in_case": 9}  # fmt: skip
    return slot_features(pl.DataFrame([row], schema=ASKED), pl.DataFrame(list(calls), schema=CALLS)).row(0, named=True)


def test_earlier_calls_of_the_same_part_of_the_day_are_told_apart() -> None:
    told = asked(call(1, 9, answered=True), call(5, 11), call(8, 18, answered=True), call(40, 18))
    assert set(told) == {"row", *SLOT_NAMES}
    assert (told["slot_hour"], told["slot_weekday"], told["slot_weekend"]) == (11, 2, 0)
    assert (told["slot_calls_90d"], told["slot_answered_90d"]) == (2, 0.5)
    assert (told["calls_30d"], told["calls_answered_90d"], told["days_since_answer"]) == (3, 0.5, 1)
    assert (told["point_is_mobile"], told["point_is_work"]) == (0, 1)


def test_calls_of_the_same_day_or_told_of_since_teach_nothing() -> None:
    told = asked(call(0, answered=True), call(1, answered=True, settled=0), call(100, answered=True))
    assert (told["calls_30d"], told["calls_answered_90d"], told["days_since_answer"]) == (1, 0, None)


def test_a_weekday_morning_is_another_slot_than_a_saturday_morning() -> None:
    saturday = call(3)  # TUESDAY - 3 days
    assert (asked(saturday)["slot_calls_90d"], asked(saturday)["calls_30d"]) == (0, 1)


def test_without_a_zone_no_hour_is_made_up() -> None:
    told = asked(call(1, None, answered=True), hour=None)
    assert (told["slot_hour"], told["slot_calls_90d"], told["slot_answered_90d"]) == (None, None, None)
    assert told["calls_answered_90d"] == 1
