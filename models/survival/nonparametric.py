"""Kaplan-Meier and Aalen-Johansen: what was observed, without any model (domain brief §3.8)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.evaluate import Floats
from models.survival.spells import CENSORED, COMPETING, EVENT, Spells


@dataclass(frozen=True)
class Step:
    """A step function: ``values[i]`` from ``times[i]`` on, ``start`` before the first time."""

    times: Floats
    values: Floats
    start: float

    def at(self, time: Floats | float) -> Floats:
        """Return the value at each time, steps at that very time taken."""
        return self._read(np.searchsorted(self.times, time, side="right"))

    def before(self, time: Floats | float) -> Floats:
        """Return the value just before each time."""
        return self._read(np.searchsorted(self.times, time, side="left"))

    def _read(self, place: Any) -> Floats:
        return np.asarray(np.concatenate([[self.start], self.values])[place])


@dataclass(frozen=True)
class Incidence:
    """Cumulative incidence of one cause, with its standard error at each step."""

    curve: Step
    error: Step


def _counts(spells: Spells, entry: Floats | None) -> tuple[Floats, Floats, Floats, Floats]:
    """Return distinct times, weights at risk just before each, and weights of event and competing event at each."""
    times, place = np.unique(spells.duration, return_inverse=True)
    w = spells.weight
    left = np.bincount(place, w, len(times))
    at_risk = np.asarray(np.cumsum(left[::-1])[::-1], dtype=np.float64)
    if entry is not None:
        # A row that enters at e is at risk from just after e: it counts at the times t > e only.
        late = np.searchsorted(times, entry, side="right")
        at_risk = at_risk - w.sum() + np.cumsum(np.bincount(late, w, len(times) + 1))[: len(times)]
    return times, at_risk, _at_each(spells, place, times, EVENT), _at_each(spells, place, times, COMPETING)


def kaplan_meier(spells: Spells, *, entry: Floats | None = None) -> Step:
    """Return S(t) = prod(1 - d/n) over event times up to t; competing events count as censoring.

    ``entry`` is the time from which each row was watched (left truncation); before it a row is not at risk.
    """
    times, at_risk, event, _ = _counts(spells, entry)
    return Step(times, np.asarray(np.cumprod(1 - _share(event, at_risk))), 1.0)


def followed(spells: Spells) -> Step:
    """Return G(t) = P(still followed after t): Kaplan-Meier of censoring; events of the same time come first.

    A competing event is an end that was seen, like the event: it is no loss to follow-up.
    """
    times, at_risk, event, competing = _counts(spells, None)
    lost = _at_each(spells, np.searchsorted(times, spells.duration), times, CENSORED)
    return Step(times, np.asarray(np.cumprod(1 - _share(lost, at_risk - event - competing))), 1.0)


def aalen_johansen(spells: Spells, cause: int = EVENT, *, entry: Floats | None = None) -> Incidence:
    """Return the cumulative incidence sum(S(t-) * d_cause / n), S being survival of every cause.

    The standard error is the delta method's (Dinse and Larson 1986).
    """
    times, n, event, competing = _counts(spells, entry)
    ours = event if cause == EVENT else competing
    ended = event + competing
    survival = np.concatenate([[1.0], np.cumprod(1 - _share(ended, n))[:-1]])
    curve = np.cumsum(survival * _share(ours, n))
    # var F(t) = sum_j [F(t)-F(j)]^2 a_j + sum_j b_j - 2 sum_j [F(t)-F(j)] c_j, expanded into running sums
    a = _share(ended, n * (n - ended))
    b = survival**2 * _share((n - ours) * ours, n**3)
    c = survival * _share(ours, n**2)
    variance = (
        curve**2 * np.cumsum(a) - 2 * curve * np.cumsum(curve * a) + np.cumsum(curve**2 * a)
        + np.cumsum(b) - 2 * (curve * np.cumsum(c) - np.cumsum(curve * c))
    )  # fmt: skip
    return Incidence(Step(times, curve, 0.0), Step(times, np.sqrt(np.maximum(variance, 0.0)), 0.0))


def _at_each(spells: Spells, place: Any, times: Floats, cause: int) -> Floats:
    """Return the weight that leaves by a cause at each of the times."""
    return np.asarray(np.bincount(place, spells.weight * (spells.cause == cause), len(times)), dtype=np.float64)


def _share(part: Floats, whole: Floats) -> Floats:
    """Divide; nothing at risk gives nothing."""
    return np.asarray(np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0), dtype=np.float64)
