"""The metrics are exact: the domain brief's vectors T22 and T23, and a naive twin."""

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evaluate import StabilityBins, auc, capture, evaluate, ks, logistic_line, logit, psi


def test_t22_the_stability_index_of_the_brief_is_reproduced() -> None:
    expected = np.full(10, 0.10)
    actual = np.array([0.15] * 5 + [0.05] * 5)
    assert psi(expected, actual) == pytest.approx(5 * 0.05 * log(1.5) - 5 * 0.05 * log(0.5), abs=1e-12)
    assert psi(expected, actual) == pytest.approx(0.2747, abs=1e-4)


def test_t23_ks_looks_at_every_distinct_score_with_ties_together() -> None:
    scores = np.array([700.0, 650, 600, 600, 500])
    bad = np.array([0, 0, 0, 1, 1])
    assert ks(bad, -scores) == pytest.approx(2 / 3)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 1)), min_size=4, max_size=40))
def test_auc_and_ks_equal_their_definitions(rows: list[tuple[int, int]]) -> None:
    risk, bad = np.array([float(r) for r, _ in rows]), np.array([b for _, b in rows])
    if not 0 < bad.sum() < len(bad):
        return
    bads, goods = risk[bad == 1], risk[bad == 0]
    wins = sum((b > g) + 0.5 * (b == g) for b in bads for g in goods)
    gaps = [abs((bads <= s).mean() - (goods <= s).mean()) for s in risk]
    assert auc(bad, risk) == pytest.approx(wins / (len(bads) * len(goods)))
    assert ks(bad, risk) == pytest.approx(max(gaps))


def test_a_wrong_scale_shows_in_the_calibration_slope_but_not_in_the_ranking() -> None:
    rng = np.random.default_rng(3)
    p = rng.uniform(0.05, 0.95, 20_000)
    bad = (rng.uniform(size=p.size) < p).astype(np.int64)
    honest = evaluate(bad, p, rng=rng, draws=20)
    timid = evaluate(bad, 1 / (1 + np.exp(-0.5 * logit(p))), rng=rng, draws=20)
    assert honest.calibration_slope == pytest.approx(1, abs=0.05)
    assert honest.ece < 0.02
    assert timid.calibration_slope == pytest.approx(2, abs=0.1)
    assert timid.auc == pytest.approx(honest.auc)
    assert honest.auc_interval.low < honest.auc < honest.auc_interval.high


def test_amounts_that_cannot_weigh_give_no_amount_weighted_figure() -> None:
    bad, p = np.tile([0, 1], 50), np.linspace(0.1, 0.9, 100)
    nothing = evaluate(bad, p, rng=np.random.default_rng(0), draws=5, amount=np.where(bad == 1, 0.0, 5.0))
    assert nothing.amount_ks is None
    same = evaluate(bad, p, rng=np.random.default_rng(0), draws=5, amount=np.full(100, 7.0))
    assert same.amount_ks == pytest.approx(same.ks)
    assert same.amount_capture_20 == pytest.approx(same.capture_20)


def test_people_with_many_rows_widen_the_interval() -> None:
    rng = np.random.default_rng(1)
    p = rng.uniform(0.1, 0.9, 200)
    bad = (rng.uniform(size=200) < p).astype(np.int64)
    people = np.repeat(np.arange(200), 20)
    rows = evaluate(np.repeat(bad, 20), np.repeat(p, 20), rng=rng, draws=200)
    drawn = evaluate(np.repeat(bad, 20), np.repeat(p, 20), rng=rng, draws=200, people=people)
    width = [m.auc_interval.high - m.auc_interval.low for m in (rows, drawn)]
    assert width[1] > 3 * width[0]


def test_capture_counts_the_bads_among_the_worst_rows() -> None:
    assert capture(np.array([1, 1, 0, 0, 0, 1, 0, 0, 0, 0]), np.linspace(1, 0, 10), 0.2) == pytest.approx(2 / 3)


def test_metrics_of_one_class_are_refused() -> None:
    with pytest.raises(ValueError, match="with and without"):
        evaluate(np.zeros(10, dtype=np.int64), np.linspace(0, 1, 10), rng=np.random.default_rng(0))


def test_platt_survives_perfect_separation() -> None:
    slope, intercept = logistic_line(np.array([0, 0, 1, 1]), np.array([-2.0, -1, 1, 2]))
    assert np.isfinite([slope, intercept]).all()
    assert slope > 0


def test_stability_bins_are_frozen_and_a_shifted_book_stands_out() -> None:
    rng = np.random.default_rng(0)
    bins = StabilityBins.of(rng.normal(500, 20, 10_000))
    assert bins.psi(rng.normal(500, 20, 10_000)) < 0.01
    assert bins.psi(rng.normal(525, 20, 10_000)) > 0.25
    assert np.isfinite(bins.psi(np.full(50, 900.0)))
    assert sum(bins.shares) == pytest.approx(1)


def test_stability_bins_of_a_constant_score_still_work() -> None:
    bins = StabilityBins.of(np.full(100, 480.0))
    assert bins.psi(np.full(20, 480.0)) == pytest.approx(0)


def test_accounts_that_owe_nothing_have_no_figures_by_amount() -> None:
    outcome, p = np.array([1, 0, 1, 0]), np.array([0.9, 0.2, 0.6, 0.4])
    told = evaluate(outcome, p, rng=np.random.default_rng(0), draws=20, amount=np.zeros(4))
    assert (told.amount_ks, told.amount_capture_20) == (None, None)
    weighed = evaluate(outcome, p, rng=np.random.default_rng(0), draws=20, amount=np.ones(4))
    assert weighed.amount_ks == pytest.approx(1.0)
