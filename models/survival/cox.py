"""Cox's proportional hazards with Breslow's ties: the baseline that other survival models must beat.

The partial likelihood is maximised by Newton's method; risk sets are walked once per distinct event time, which is
quick where time is in whole months. Proportionality is an assumption: look at calibration by horizon.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.evaluate import Floats
from models.sample import SampleError
from models.survival.nonparametric import Step
from models.survival.spells import EVENT, Spells

_STEPS = 50
_HALVINGS = 20
_RUN_AWAY = 15.0
"""Log hazard ratio of one standard deviation beyond which a coefficient is no estimate."""


@dataclass(frozen=True)
class Cox:
    """Coefficients on the raw columns, and Breslow's cumulative baseline hazard."""

    beta: Floats
    baseline: Step

    def margin(self, x: Floats) -> Floats:
        """Return the log relative hazard of each row."""
        return x @ self.beta

    def risk(self, x: Floats, times: Floats) -> Floats:
        """Return P(event by each time), rows x times: 1 - exp(-H0(t) * exp(margin))."""
        return np.asarray(-np.expm1(-np.outer(np.exp(self.margin(x)), self.baseline.at(times))))


def fit(spells: Spells, x: Floats, *, ridge: float = 0.0, entry: Floats | None = None) -> Cox:
    """Fit; competing events count as censoring (a cause-specific hazard). ``x`` is rows x columns, no NaN.

    ``ridge`` penalises half the squared length of the coefficients; ``entry``: rows are at risk after it only.
    Raise SampleError without an event, for values that are not numbers, or if the fit runs away.
    """
    if not np.isfinite(x).all():
        raise SampleError("a column of the Cox model holds a value that is not a number")
    if not (spells.cause == EVENT).any():
        raise SampleError("there is no event to fit a Cox model to")
    mean = np.average(x, axis=0, weights=spells.weight)
    z = x - mean
    begin = np.full(len(spells), -np.inf) if entry is None else entry
    times = np.unique(spells.duration[spells.cause == EVENT])
    beta = _newton(lambda b: _likelihood(spells, z, b, begin, times), np.zeros(x.shape[1]), ridge)
    if np.max(np.abs(beta) * z.std(axis=0), initial=0.0) > _RUN_AWAY:
        raise SampleError("the Cox model does not settle: a column tells the event apart perfectly")
    weight = spells.weight * np.exp(z @ beta)
    jumps = [
        float(spells.weight[(spells.duration == t) & (spells.cause == EVENT)].sum())
        / float(weight[(spells.duration >= t) & (begin < t)].sum())
        for t in times
    ]
    # Breslow's estimate belongs to a row of mean values; exp(-mean @ beta) carries it to a row of zeros.
    return Cox(beta, Step(times, np.cumsum(jumps) * float(np.exp(-mean @ beta)), 0.0))


def _newton(of: Callable[[Floats], tuple[float, Floats, Floats]], beta: Floats, ridge: float) -> Floats:
    """Climb to the maximum; a step that would go down is halved, as rare events make the first ones overshoot."""
    value, gradient, hessian = of(beta)
    for _ in range(_STEPS):
        full = np.linalg.lstsq(hessian + ridge * np.eye(len(beta)), gradient - ridge * beta, rcond=None)[0]
        before = value - ridge * float(beta @ beta) / 2
        for halvings in range(_HALVINGS):
            tried = beta + full / 2**halvings
            value, gradient, hessian = of(tried)
            if value - ridge * float(tried @ tried) / 2 >= before - 1e-9 * abs(before):
                break
        moved, beta = float(np.max(np.abs(tried - beta), initial=0.0)), tried
        if moved < 1e-9:
            break
    return beta


def _likelihood(spells: Spells, z: Floats, beta: Floats, begin: Floats, times: Floats) -> tuple[float, Floats, Floats]:
    """Return Breslow's log partial likelihood, its gradient and minus its second derivative."""
    margin = z @ beta
    weight = spells.weight * np.exp(margin)
    value, gradient, hessian = 0.0, np.zeros_like(beta), np.zeros((len(beta), len(beta)))
    for t in times:
        rows = (spells.duration >= t) & (begin < t)
        failed = rows & (spells.duration == t) & (spells.cause == EVENT)
        w, x = weight[rows], z[rows]
        total = w.sum()
        mean = w @ x / total
        deaths = spells.weight[failed]
        value += float(deaths @ margin[failed] - deaths.sum() * np.log(total))
        gradient += deaths @ z[failed] - deaths.sum() * mean
        hessian += deaths.sum() * ((x * w[:, None]).T @ x / total - np.outer(mean, mean))
    return value, gradient, hessian
