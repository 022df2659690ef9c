"""Cox's model by pencil and beside scikit-survival."""

import numpy as np
import pytest

from models.sample import SampleError
from models.survival import cox
from models.survival.spells import Spells


def test_one_column_by_pencil() -> None:
    # x = 1 fails first of (1, 0), then x = 0 of (0): the likelihood e^b/(e^b+1) * 1 runs away, so one more pair
    spells = Spells.of([1, 2, 3], [1, 1, 1])
    x = np.array([[1.0], [0.0], [1.0]])
    # e^b/(2e^b+1) * 1/(1+e^b): derivative zero at e^2b = 1/2
    found = cox.fit(spells, x)
    assert found.beta[0] == pytest.approx(-np.log(2) / 2)
    e = np.exp(found.beta[0])
    assert found.baseline.values.tolist() == pytest.approx(np.cumsum([1 / (2 * e + 1), 1 / (1 + e), 1 / e]).tolist())


@pytest.mark.parametrize("months", [False, True])
def test_coefficients_and_curves_are_those_of_scikit_survival(months: bool) -> None:
    from sksurv.linear_model import CoxPHSurvivalAnalysis
    from sksurv.util import Surv

    rng = np.random.default_rng(4)
    x = rng.normal(size=(400, 3)) + 2
    event, lost = rng.exponential(10 * np.exp(-x @ [0.8, -0.5, 0.0])), rng.exponential(6, 400)
    time = np.minimum(event, lost)
    time = np.ceil(time) if months else time
    spells = Spells.of(time, (event <= lost).astype(int))
    theirs = CoxPHSurvivalAnalysis(ties="breslow").fit(x, Surv.from_arrays(event <= lost, time))
    ours = cox.fit(spells, x)
    assert ours.beta == pytest.approx(theirs.coef_, abs=1e-6)
    at = np.array([1.0, 2.0, 4.0])
    expected = np.array([1 - f(at) for f in theirs.predict_survival_function(x[:5])])
    assert ours.risk(x[:5], at) == pytest.approx(expected, rel=1e-5)


def test_who_enters_late_is_compared_from_then_on() -> None:
    rng = np.random.default_rng(9)
    x = rng.normal(size=(6000, 1))
    event = rng.exponential(5 * np.exp(-x[:, 0]))
    entry = 2.0 * (x[:, 0] > 0)  # the risky are met two months later
    event = np.ceil(event * 10) / 10  # few distinct times, few risk sets
    seen = event > entry  # who failed before we looked is not in the book
    spells = Spells.of(event[seen], np.ones(int(seen.sum())))
    naive, aware = (cox.fit(spells, x[seen], entry=e).beta[0] for e in (None, entry[seen]))
    assert aware == pytest.approx(1.0, abs=0.06)
    assert abs(naive - 1) > abs(aware - 1) + 0.05


def test_a_model_that_cannot_be_fitted_is_refused() -> None:
    quiet = Spells.of([1.0, 2.0], [0, 2])
    with pytest.raises(SampleError, match="no event"):
        cox.fit(quiet, np.zeros((2, 1)))
    with pytest.raises(SampleError, match="not a number"):
        cox.fit(Spells.of([1.0], [1]), np.array([[np.nan]]))
    with pytest.raises(SampleError, match="tells the event apart perfectly"):
        cox.fit(Spells.of([1.0, 2.0, 3.0, 3.0], [1, 1, 0, 0]), np.array([[1.0], [1.0], [0.0], [0.0]]))


def test_rare_events_and_a_long_tail_do_not_throw_the_climb_off() -> None:
    rng = np.random.default_rng(2)
    x = np.column_stack([rng.uniform(size=4000) < 0.01, rng.exponential(size=4000) ** 2]).astype(float)
    event = rng.exponential(400 * np.exp(-4 * x[:, 0] - 0.1 * x[:, 1]))
    time = np.ceil(np.minimum(event, 12))
    found = cox.fit(Spells.of(time, (event <= 12).astype(int)), x)
    assert found.beta == pytest.approx([4.0, 0.1], abs=0.5)
