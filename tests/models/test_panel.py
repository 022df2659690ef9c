"""The monthly panel: what a row may know, and who is at risk of what."""

from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from models.panel import (
    CENSORED,
    DEFAULT,
    HISTORY,
    NO_LOAN,
    PAID_OFF,
    PREPAID,
    Panel,
    expand,
    history,
    landmark,
    latest,
    observations,
)
from models.sample import SampleError

X, C = NO_LOAN, PAID_OFF


def panel_of(*accounts: list[int], first_mob: int = 0, customers: list[int] | None = None) -> Panel:
    rows = [
        (i, (customers or list(range(len(accounts))))[i], m, m + first_mob, s)
        for i, states in enumerate(accounts)
        for m, s in enumerate(states)
    ]
    return Panel.of(pl.DataFrame(rows, schema=["account_id", "customer", "month", "mob", "state"], orient="row"))


def test_history_by_pencil() -> None:
    told = history(panel_of([X, 0, 1, 2, 0]))
    last = told.row(4, named=True)
    assert {k: last[k] for k in ("seen", "first_state", "state_0", "state_1", "state_2")} == {
        "seen": 5, "first_state": X, "state_0": 0, "state_1": 2, "state_2": 1}  # fmt: skip
    assert (last["late_3"], last["late_ever"], last["worst_3"], last["worst_ever"]) == (2, 2, 2, 2)
    assert (last["idle_3"], last["idle_6"], last["idle_share"]) == (0, 1, 0.2)
    assert (last["spells"], last["since_late"], last["since_idle"]) == (1, 1, 4)
    assert (last["run"], last["switches"]) == (1, 4)
    assert told["since_late"].to_list() == [None, None, 0, 0, 1]


def test_a_state_of_tomorrow_never_moves_todays_feature() -> None:
    rng = np.random.default_rng(7)
    book = [rng.integers(X, 3, 14).tolist() for _ in range(30)]
    before = history(panel_of(*book)).filter(pl.col("mob") <= 8)
    changed = history(panel_of(*[[*s[:9], 5, 0, X, 4, 1] for s in book])).filter(pl.col("mob") <= 8)
    assert before.equals(changed)
    assert set(HISTORY) <= set(before.columns)


def test_history_is_the_same_whether_or_not_the_future_is_in_the_table() -> None:
    panel = panel_of([X, 0, 1, 0, 0, X], [0, 0, 2, 3])
    known = panel.until(2)
    assert history(known).equals(history(panel).filter(pl.col("month") <= 2))


def test_no_account_reads_the_history_of_the_one_before_it() -> None:
    alone = history(panel_of([0, 0, 0])).drop("account_id", "customer")
    beside = history(panel_of([5, 5, 5, 5], [0, 0, 0])).filter(pl.col("account_id") == 1)
    assert alone.equals(beside.drop("account_id", "customer"))


def test_time_and_cause_count_from_the_observation() -> None:
    found = observations(panel_of([0, 0, 1, 0], [0, C, C], [0, 0, 0]), event_state=1)
    assert found.select("account_id", "mob", "duration", "cause").rows() == [
        (0, 0, 2, DEFAULT), (0, 1, 1, DEFAULT), (1, 0, 1, PREPAID), (2, 0, 2, CENSORED), (2, 1, 1, CENSORED),
    ]  # fmt: skip


def test_after_the_event_and_after_the_pay_off_nobody_is_at_risk() -> None:
    found = expand(observations(panel_of([0, 1, 0, 0, 1], [0, C, C, C]), event_state=1), 1)
    assert found.select("account_id", "mob", "ahead", "cause").rows() == [(0, 0, 1, DEFAULT), (1, 0, 1, PREPAID)]


def test_an_account_late_when_first_seen_is_not_at_risk_of_a_first_time() -> None:
    with pytest.raises(SampleError, match="at risk"):
        observations(panel_of([1, 0, 0]), event_state=1)


def test_left_truncation_an_account_enters_when_first_seen() -> None:
    found = observations(panel_of([0, 0, 0], first_mob=20), event_state=1)
    assert found["mob"].to_list() == [20, 21]
    assert found["seen"].to_list() == [1, 2]


def test_person_periods_end_with_the_event_or_the_horizon() -> None:
    found = observations(panel_of([0, 0, 0, 2], [0, 0, 0, 0]), event_state=2, every=10)
    rows = expand(found, 2).select("account_id", "ahead", "cause").rows()
    assert rows == [(0, 1, 0), (0, 2, 0), (1, 1, 0), (1, 2, 0)]
    assert expand(found, 5)["cause"].to_list() == [0, 0, DEFAULT, 0, 0, 0]


def test_a_landmark_wants_the_whole_window_seen() -> None:
    rows = landmark(panel_of([0, 0, 0, 1], [0, 0, C, C], [0, 0, 0]), event_state=1, at_mob=1, window=2)
    assert rows.select("account_id", "outcome").rows() == [(0, 1), (1, 0)]
    late = panel_of([1, 1, 0, 0], [0, 0, 0, 0])
    assert landmark(late, event_state=1, at_mob=1, window=2).height == 1
    assert landmark(late, event_state=1, at_mob=1, window=2, everybody=True).height == 2


def test_only_accounts_still_at_risk_are_scored_today() -> None:
    told = latest(panel_of([0, 0, 0], [0, 1, 0], [0, 0, C], [0, 0]), event_state=1)
    assert told["account_id"].to_list() == [0]  # had the event, paid off, and no word this month


def test_people_are_split_whole() -> None:
    panel = panel_of(*[[0, 0]] * 6, customers=[1, 1, 2, 3, 3, 4])
    train, test = panel.split([3, 4])
    assert set(test.frame["customer"]) == {3, 4}
    assert set(train.frame["customer"]) == {1, 2}
    with pytest.raises(SampleError, match="none of these"):
        panel.split([99])


def test_paid_off_is_for_ever() -> None:
    assert panel_of([0, C, 0, 3]).frame["state"].to_list() == [0, C, C, C]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda f: f.clear(), "no rows"),
        (lambda f: f.drop("state"), "no column state"),
        (lambda f: f.with_columns(state=pl.lit(9)), "states outside"),
        (lambda f: f.with_columns(state=pl.lit("C")), "not numbers"),
        (lambda f: f.with_columns(state=pl.lit(300)), "do not fit"),
        (lambda f: f.with_columns(customer=pl.lit(None, pl.Int64)), "rows without"),
        (lambda f: pl.concat([f, f]), "month twice or a month missing"),
        (lambda f: f.filter(pl.col("mob") != 1), "month twice or a month missing"),
    ],
)
def test_what_is_no_panel_is_refused_in_one_sentence(change, sentence: str) -> None:
    good = panel_of([0, 0, 0]).frame
    with pytest.raises(SampleError, match=sentence):
        Panel.of(change(good))


def test_the_months_of_an_account_follow_one_another() -> None:
    frame = panel_of([0, X, 1, 0], [0, 0]).frame.sample(fraction=1.0, shuffle=True, seed=3)
    for account in Panel.of(frame).frame.partition_by("account_id"):
        assert all(b - a == 1 for a, b in pairwise(account["mob"].to_list()))
