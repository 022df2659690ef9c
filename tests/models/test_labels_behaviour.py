"""Outcomes of good accounts: the day on which a DPD is reached is exact, and only then is anybody bad."""

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from models.labels_behaviour import BEHAVIOUR_LABELS, SPANS, BehaviourLabel, last_end, outcomes, reached_on

ON = date(2026, 3, 1)
BAD7 = BehaviourLabel("bad7_30d", bad_dpd=7, days=30, cadence="week")


def span(
    after: int, dpd: int, *, account: int = 1, ageing: bool | None = None, status: str = "active"
) -> dict[str, Any]:
    return {"account_id": account, "from_on": ON + timedelta(days=after), "dpd": dpd,
            "is_ageing": dpd > 0 if ageing is None else ageing, "status": status}  # fmt: skip


def spans(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=dict(SPANS)).sort("account_id", "from_on")


def outcome(*rows: dict[str, Any]) -> tuple[int, date | None] | None:
    observed = pl.DataFrame({"account_id": [1]})
    found = outcomes(observed, spans(span(-90, 0), *rows), BAD7, on=ON)
    return None if found.is_empty() else (found["outcome"][0], found["bad_on"][0])


def test_an_ageing_span_reaches_a_dpd_on_an_exact_day_if_it_lasts() -> None:
    found = reached_on(spans(span(3, 1), span(20, 0), span(25, 40, ageing=False)), dpd=7, until=ON + timedelta(60))
    assert found["reached_on"].to_list() == [ON + timedelta(9), ON + timedelta(25)]
    paid_on_the_day = reached_on(spans(span(3, 1), span(9, 0)), dpd=7, until=ON + timedelta(60))
    assert paid_on_the_day.is_empty()


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], (0, None)),
        ([span(3, 1), span(9, 0)], (0, None)),  # paid on the day it would have been a week late
        ([span(3, 1), span(10, 0)], (1, ON + timedelta(9))),
        ([span(24, 1)], (1, ON + timedelta(30))),  # the last day of the window still counts
        ([span(25, 1)], (0, None)),
        ([span(5, 0, status="closed")], (0, None)),
        ([span(5, 0, status="charged_off")], (1, ON + timedelta(5))),
        ([span(5, 0, status="sold")], None),  # nobody tells what became of it
        ([span(3, 1), span(12, 9, status="sold")], (1, ON + timedelta(9))),  # but what was, was
    ],
)
def test_who_is_bad_within_the_window(rows: list[dict[str, Any]], expected: tuple[int, date | None] | None) -> None:
    assert outcome(*rows) == expected


def test_what_was_before_the_observation_is_no_outcome() -> None:
    assert outcome(span(-60, 1), span(-20, 0)) == (0, None)


def test_observations_stand_at_the_ends_of_months_and_weeks() -> None:
    assert last_end("month", date(2026, 3, 31)) == date(2026, 3, 31)
    assert last_end("month", date(2026, 3, 30)) == date(2026, 2, 28)
    assert last_end("week", date(2026, 3, 1)) == date(2026, 3, 1)  # a Sunday
    assert last_end("week", date(2026, 3, 7)) == date(2026, 3, 1)


def test_the_last_observed_day_is_one_whose_window_and_posting_lag_have_passed() -> None:
    monthly, weekly = BEHAVIOUR_LABELS
    assert (monthly.name, weekly.name) == ("bad30_6m", "bad7_30d")
    assert monthly.last_observed(date(2026, 11, 22)) == date(2026, 4, 30)
    assert weekly.last_observed(date(2026, 11, 22)) == date(2026, 10, 18)
