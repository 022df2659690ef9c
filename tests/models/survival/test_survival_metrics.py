"""Concordance, time-dependent AUC and Brier by pencil and beside scikit-survival."""

import numpy as np
import pytest

from models.sample import SampleError
from models.survival.metrics import (
    brier,
    calibration,
    expected_and_observed,
    harrell_c,
    integrated_brier,
    td_auc,
    uno_c,
)
from models.survival.nonparametric import Step, aalen_johansen, followed
from models.survival.spells import Spells

EVERYBODY = Step(np.zeros(0), np.zeros(0), 1.0)


def two_causes(n: int = 250, seed: int = 5) -> tuple[Spells, np.ndarray]:
    """Return spells (event or censored, no equal times) and a risk with some equal values."""
    rng = np.random.default_rng(seed)
    risk = np.round(rng.normal(size=n), 1)
    event, lost = rng.exponential(10 * np.exp(-0.7 * risk)), rng.exponential(12.0, n)
    return Spells.of(np.minimum(event, lost), (event <= lost).astype(int)), risk


def surv(spells: Spells) -> np.ndarray:
    from sksurv.util import Surv

    return Surv.from_arrays(spells.cause == 1, spells.duration)


def test_concordance_by_pencil() -> None:
    # events at 1 (risk 3) and 2 (risk 1); censored at 2 (risk 2) and 3 (risk 1)
    spells = Spells.of([1, 2, 2, 3], [1, 1, 0, 0])
    risk = np.array([3.0, 1.0, 2.0, 1.0])
    # who fails at 1 beats three; who fails at 2 loses to the one censored at 2, ties with the last
    assert harrell_c(spells, risk) == pytest.approx((3 + 0 + 0.5) / 5)
    assert harrell_c(spells, risk, until=1) == 1.0


def test_unos_weights_by_pencil() -> None:
    # event at 1 (risk 1), censored at 2, event at 3 (risk 3), censored at 4 (risk 2)
    spells = Spells.of([1, 2, 3, 4], [1, 0, 1, 0])
    risk = np.array([1.0, 0.0, 3.0, 2.0])
    g = followed(spells)  # lost at 2: one of three, so G(3-) = 2/3
    pairs = (3 * 1.0, 1 * (3 / 2) ** 2)
    won = (1 * 1.0, 1 * (3 / 2) ** 2)
    assert uno_c(spells, risk, until=9, followed=g) == pytest.approx(sum(won) / sum(pairs))
    assert harrell_c(spells, risk) == pytest.approx(2 / 4)


def test_who_paid_off_never_fails_and_is_compared_for_ever() -> None:
    # paid off at 1 (risk 0), event at 2 (risk 1), event-free to 3 (risk 2)
    spells = Spells.of([1, 2, 3], [2, 1, 0])
    risk = np.array([0.0, 1.0, 2.0])
    assert harrell_c(spells, risk) == pytest.approx(1 / 2)
    assert harrell_c(spells.as_censored(), risk) == 0.0
    assert td_auc(spells, risk, horizon=2, followed=EVERYBODY) == pytest.approx(1 / 2)


def test_brier_by_pencil() -> None:
    # by 2: row 0 failed, row 1 is lost at 1, rows 2 and 3 are known free (censored AT 2, seen to 3)
    spells = Spells.of([2, 1, 2, 3], [1, 0, 0, 0])
    p = np.array([0.5, 0.9, 0.2, 0.4])
    g = followed(spells)  # lost at 1: one of four, so the other three weigh 4/3
    assert brier(spells, p, horizon=2, followed=g) == pytest.approx((0.25 + 0.04 + 0.16) * (4 / 3) / 4)


def test_concordances_are_those_of_scikit_survival() -> None:
    from sksurv.metrics import concordance_index_censored, concordance_index_ipcw

    spells, risk = two_causes()
    theirs = concordance_index_censored(spells.cause == 1, spells.duration, risk)[0]
    assert harrell_c(spells, risk) == pytest.approx(theirs)
    train, _ = two_causes(400, seed=6)
    for until in (3.0, 8.0):
        expected = concordance_index_ipcw(surv(train), surv(spells), risk, tau=until)[0]
        assert uno_c(spells, risk, until=until, followed=followed(train)) == pytest.approx(expected)


def test_time_dependent_auc_and_brier_are_those_of_scikit_survival() -> None:
    from sksurv.metrics import brier_score, cumulative_dynamic_auc, integrated_brier_score

    spells, risk = two_causes()
    train, _ = two_causes(400, seed=6)
    g, times = followed(train), np.array([1.0, 3.0, 6.0, 9.0])
    aucs, _ = cumulative_dynamic_auc(surv(train), surv(spells), risk, times)
    assert [td_auc(spells, risk, horizon=t, followed=g) for t in times] == pytest.approx(aucs.tolist())
    p = 1 - np.exp(-np.outer(np.exp(0.7 * risk) / 10, times))
    _, scores = brier_score(surv(train), surv(spells), 1 - p, times)
    ours = [brier(spells, p[:, i], horizon=t, followed=g) for i, t in enumerate(times)]
    assert ours == pytest.approx(scores.tolist())
    whole = integrated_brier_score(surv(train), surv(spells), 1 - p, times)
    assert integrated_brier(spells, p, times=times.tolist(), followed=g) == pytest.approx(whole)


def test_in_whole_months_an_event_weighs_by_who_was_still_followed_then() -> None:
    """Half of the rows are lost at the end of month 1; an event IN month 1 was seen for everybody."""
    rng = np.random.default_rng(3)
    n = 4000
    truth = rng.geometric(0.3, n)
    lost = np.where(rng.uniform(size=n) < 0.5, 1, 3)
    spells = Spells.of(np.minimum(truth, lost), (truth <= lost).astype(int))
    g = followed(spells)
    assert g.before(1.0) == 1.0
    # A forecast of the true chances: expected Brier is p(1-p) whatever the censoring.
    for t, p in ((1, 0.3), (2, 0.51), (3, 0.657)):
        assert brier(spells, np.full(n, p), horizon=t, followed=g) == pytest.approx(p * (1 - p), abs=0.01)


def test_a_drawn_row_counts_as_often_as_it_was_drawn() -> None:
    spells, risk = two_causes(60)
    times = np.random.default_rng(0).integers(0, 3, 60)
    rows = np.repeat(np.arange(60), times)
    heavy, drawn = spells.weighing(times.astype(float)), spells.take(rows)
    g = followed(spells)
    assert uno_c(heavy, risk, until=8, followed=g) == pytest.approx(uno_c(drawn, risk[rows], until=8, followed=g))
    assert td_auc(heavy, risk, horizon=5, followed=g) == pytest.approx(td_auc(drawn, risk[rows], horizon=5, followed=g))


def test_calibration_sets_the_predicted_beside_the_observed() -> None:
    spells = Spells.of([1, 5, 5, 5, 1, 1, 5, 5], [1, 0, 0, 0, 1, 1, 0, 0])
    p = np.array([0.3, 0.2, 0.2, 0.3, 0.6, 0.5, 0.5, 0.4])
    rows = calibration(spells, p, horizon=2, bins=2)
    assert [r["p"] for r in rows] == pytest.approx([0.25, 0.5])
    assert [r["observed"] for r in rows] == pytest.approx([0.25, 0.5])
    assert all(r["low"] < r["observed"] < r["high"] and r["rows"] == 4 for r in rows)
    expected, observed = expected_and_observed(spells, p, horizon=2)
    assert (expected, observed) == pytest.approx((0.375, 0.375))
    assert observed == pytest.approx(float(aalen_johansen(spells).curve.at(2)))


def test_figures_without_an_event_or_without_a_risk_are_refused() -> None:
    quiet = Spells.of([1, 2], [0, 0])
    with pytest.raises(SampleError, match="no pair"):
        harrell_c(quiet, np.zeros(2))
    with pytest.raises(SampleError, match="no rows with"):
        td_auc(quiet, np.zeros(2), horizon=1, followed=EVERYBODY)
    undrawn = Spells.of([1, 2], [1, 0], [0.0, 1.0])  # the only event was not drawn
    with pytest.raises(SampleError, match="no rows with"):
        td_auc(undrawn, np.zeros(2), horizon=1, followed=EVERYBODY)
    with pytest.raises(SampleError, match="score every row"):
        brier(quiet, np.array([0.1, np.nan]), horizon=1, followed=EVERYBODY)
