"""Kaplan-Meier and Aalen-Johansen by pencil and beside scikit-survival."""

import numpy as np
import pytest

from models.sample import SampleError
from models.survival.nonparametric import aalen_johansen, followed, kaplan_meier
from models.survival.spells import COMPETING, EVENT, Spells

# Six accounts: event at 1, paid off at 2, event at 2, censored at 2, event at 4, censored at 5.
SIX = Spells.of([1, 2, 2, 2, 4, 5], [1, 2, 1, 0, 1, 0])


def made(n: int = 300, seed: int = 1) -> Spells:
    """Return spells without equal times, all three causes."""
    rng = np.random.default_rng(seed)
    ends = rng.exponential([[10.0], [14.0], [12.0]], (3, n))
    cause = np.array([1, 2, 0])[ends.argmin(axis=0)]
    cause[ends.min(axis=0) > 15] = 0  # the oracle divides by zero where everybody left has the event
    return Spells.of(ends.min(axis=0).clip(0, 15.5 + np.arange(n) / n), cause)


def test_kaplan_meier_by_pencil() -> None:
    km = kaplan_meier(SIX)
    # n = 6, 5, 2, 1; d = 1, 1, 1, 0
    assert km.values.tolist() == pytest.approx([5 / 6, 5 / 6 * 4 / 5, 5 / 6 * 4 / 5 / 2, 1 / 3])
    assert km.at(0.5) == 1.0
    assert km.before(2.0) == pytest.approx(5 / 6)
    assert km.at(np.array([3.9, 99.0])).tolist() == pytest.approx([2 / 3, 1 / 3])


def test_aalen_johansen_by_pencil() -> None:
    # S of every cause: 1, 5/6, 5/6*3/5 = 1/2, then 1/4
    event = aalen_johansen(SIX).curve.at(np.array([1.0, 2.0, 4.0]))
    assert event.tolist() == pytest.approx([1 / 6, 1 / 6 + 5 / 6 / 5, 1 / 3 + 1 / 4])
    assert float(aalen_johansen(SIX, COMPETING).curve.at(9.0)) == pytest.approx(1 / 6)


def test_incidences_and_survival_add_up_to_one() -> None:
    spells = made()
    every = Spells.of(spells.duration, np.minimum(spells.cause, 1))
    total = aalen_johansen(spells, EVENT).curve.values + aalen_johansen(spells, COMPETING).curve.values
    assert total == pytest.approx(1 - kaplan_meier(every).values)


def test_prepayment_as_censoring_overstates_the_event() -> None:
    spells = made()
    naive = 1 - kaplan_meier(spells.as_censored()).at(10.0)
    assert naive > aalen_johansen(spells).curve.at(10.0) + 0.05


def test_who_enters_late_is_not_at_risk_before() -> None:
    spells = Spells.of([1, 3, 3, 4], [1, 1, 0, 1])
    late = kaplan_meier(spells, entry=np.array([0.0, 2.0, 0.0, 1.0]))
    # at 1: only rows 0 and 2 (row 3 enters AT 1, so just after); at 3: rows 1, 2, 3; at 4: row 3
    assert late.values.tolist() == pytest.approx([1 / 2, 1 / 2 * 2 / 3, 0.0])


def test_following_counts_events_before_losses_of_the_same_time() -> None:
    g = followed(SIX)
    # at 2: five at risk, two ended, one of the other three lost; at 5: the last one lost
    assert g.before(np.array([1.0, 2.0, 3.0, 5.0])).tolist() == pytest.approx([1, 1, 2 / 3, 2 / 3])
    assert g.at(5.0) == 0.0


def test_a_weight_of_two_is_a_row_twice() -> None:
    twice = Spells.of(np.repeat(SIX.duration, 2), np.repeat(SIX.cause, 2))
    heavy = SIX.weighing(np.full(6, 2.0))
    assert aalen_johansen(heavy).curve.values == pytest.approx(aalen_johansen(twice).curve.values)
    assert aalen_johansen(heavy).error.values == pytest.approx(aalen_johansen(twice).error.values)


@pytest.mark.parametrize("rounded", [False, True])
def test_kaplan_meier_is_that_of_scikit_survival(rounded: bool) -> None:
    from sksurv.nonparametric import kaplan_meier_estimator

    spells = made()
    time = np.ceil(spells.duration) if rounded else spells.duration
    begin = np.random.default_rng(2).uniform(0, 0.9, len(time)) * time
    begin[:20] = 0
    for entry in (None, begin):
        at, theirs = kaplan_meier_estimator(spells.cause == 1, time, time_enter=entry)
        ours = kaplan_meier(Spells.of(time, spells.cause), entry=entry).at(at)
        assert ours == pytest.approx(theirs)


@pytest.mark.parametrize("rounded", [False, True])
def test_aalen_johansen_is_that_of_scikit_survival(rounded: bool) -> None:
    from sksurv.nonparametric import cumulative_incidence_competing_risks

    spells = made()
    time = np.ceil(spells.duration) if rounded else spells.duration
    at, theirs, bounds = cumulative_incidence_competing_risks(
        spells.cause, time, conf_type="log-log", var_type="Dinse_Approx"
    )
    for cause in (EVENT, COMPETING):
        found = aalen_johansen(Spells.of(time, spells.cause), cause)
        f, error = found.curve.at(at), found.error.at(at)
        assert f == pytest.approx(theirs[cause])
        inside = (f > 0) & (f < 1)
        root = 1.959963984540054 * error[inside] / (f[inside] * np.log(f[inside]))
        assert f[inside] ** np.exp(-root) == pytest.approx(bounds[cause][0][inside], rel=1e-6)
        assert f[inside] ** np.exp(root) == pytest.approx(bounds[cause][1][inside], rel=1e-6)


@pytest.mark.parametrize(
    ("duration", "cause", "sentence"),
    [
        ([], [], "nothing to follow"),
        ([1.0], [1, 0], "not equally many"),
        ([0.0], [1], "positive number"),
        ([np.nan], [1], "positive number"),
        ([1.0], [3], "a cause is"),
    ],
)
def test_what_is_no_spell_is_refused(duration: list[float], cause: list[int], sentence: str) -> None:
    with pytest.raises(SampleError, match=sentence):
        Spells.of(duration, cause)
