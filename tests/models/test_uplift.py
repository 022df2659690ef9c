"""Uplift: curves on rows that a pencil can follow, learners on a town whose truth is known."""

import numpy as np
import pytest

from models.evaluate import interval
from models.sample import SampleError
from models.uplift import (
    Boosting,
    Trial,
    auuc,
    by_tenth,
    fit_uplift,
    qini,
    qini_curve,
    qini_draws,
    uplift_curve,
    value_of_top,
)

FOUR = Trial(np.array([True, False, True, False]), np.array([1.0, 0.0, 0.0, 1.0]), np.full(4, 0.5))
RANKED = np.array([4.0, 3.0, 2.0, 1.0])


def test_the_qini_curve_agrees_with_a_pencil() -> None:
    curve = qini_curve(RANKED, FOUR)
    assert curve.share.tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert curve.gain.tolist() == [0.0, 0.5, 0.5, 0.5, 0.0]
    assert qini(RANKED, FOUR) == pytest.approx(0.375)


def test_the_uplift_curve_agrees_with_a_pencil() -> None:
    assert uplift_curve(RANKED, FOUR).gain.tolist() == pytest.approx([0.0, 0.0, 0.5, 0.375, 0.0])
    assert auuc(RANKED, FOUR) == pytest.approx(0.21875)


def test_equal_ranks_are_one_step_so_that_no_ranking_adds_nothing() -> None:
    assert qini_curve(np.zeros(4), FOUR).share.tolist() == [0.0, 1.0]
    assert qini(np.zeros(4), FOUR) == 0.0


def test_uneven_propensities_are_weighed() -> None:
    """Two thirds are treated among the first, one third among the others: the end is still the average effect."""
    treated = np.array([1, 1, 0, 1, 0, 0]) == 1
    trial = Trial(treated, np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0]), np.array([2, 2, 2, 1, 1, 1]) / 3)
    assert uplift_curve(np.arange(6.0), trial).gain[-1] == pytest.approx(0.0)
    assert trial.outcome[treated].mean() - trial.outcome[~treated].mean() == pytest.approx(1 / 3)


def test_customers_who_were_not_randomised_are_refused() -> None:
    with pytest.raises(SampleError, match="2 of 3 rows"):
        Trial(np.array([True, False, True]), np.zeros(3), np.array([0.5, 1.0, np.nan]))


def made(rows: int = 6_000, seed: int = 2) -> tuple[np.ndarray, Trial, np.ndarray]:
    """Risk comes from one feature, uplift from another: a third are treated, at random."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (rows, 4))
    x[rng.random(rows) < 0.05, 3] = np.nan
    treated = rng.random(rows) < 1 / 3
    effect = 0.3 * (x[:, 0] > 0)
    outcome = (rng.random(rows) < 0.35 + 0.25 * x[:, 1] + effect * treated).astype(np.float64)
    return x, Trial(treated, outcome, np.full(rows, 1 / 3)), effect


@pytest.mark.parametrize("kind", ["t", "x"])
def test_a_learner_ranks_by_uplift_where_a_response_model_ranks_by_response(kind: str) -> None:
    x, trial, _ = made()
    model = fit_uplift(x, trial, kind=kind, seed=1, size=Boosting(rounds=60))
    new, test, effect = made(seed=9)
    said = model.uplift(new)
    _, response = model.expected(new)
    assert np.corrcoef(said, effect)[0, 1] > 0.8
    assert said.mean() == pytest.approx(effect.mean(), abs=0.04)
    draws = qini_draws({"uplift": said, "response": response}, test, rng=np.random.default_rng(0), draws=100)
    assert interval(draws["uplift"] - draws["response"]).low > 0
    tenths = by_tenth(said, test)
    assert tenths[0]["observed"] > 0.2 > tenths[-1]["observed"]
    assert tenths[0]["low"] < 0.3 < tenths[0]["high"]
    assert sum(t["rows"] for t in tenths) == 6_000
    half = value_of_top(said, test, 0.5, rng=np.random.default_rng(0), draws=100).self_normalised
    assert half.interval.low < 0.35 + 0.15 < half.interval.high + 0.02


def test_a_model_is_the_same_when_it_is_learnt_twice() -> None:
    x, trial, _ = made(rows=1_500)
    one, two = (fit_uplift(x, trial, seed=3, size=Boosting(rounds=10)) for _ in range(2))
    assert one.parts == two.parts
    assert set(one.parts) == {"mu0", "mu1", "tau0", "tau1"}
    assert one.uplift(x[:0]).shape == (0,)


def test_amounts_are_learnt_too() -> None:
    x, trial, effect = made()
    paid = Trial(trial.treated, trial.outcome * 1_000.0, trial.propensity)
    assert not paid.is_binary
    said = fit_uplift(x, paid, kind="x", size=Boosting(rounds=60)).uplift(x)
    assert np.corrcoef(said, effect)[0, 1] > 0.8


def test_an_arm_without_events_is_refused() -> None:
    x, trial, _ = made(rows=400)
    with pytest.raises(SampleError, match="the untreated arm has 0 rows with the event"):
        fit_uplift(x, Trial(trial.treated, np.where(trial.treated, trial.outcome, 0.0), trial.propensity))
