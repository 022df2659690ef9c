"""Exact survival metrics (domain brief §3.5, §3.8): concordance, time-dependent AUC, Brier, calibration.

All take ``Spells`` and weigh rows by inverse probability of having been followed, so that a book with much censoring
is not judged by the rows that happened to end early. A row with the competing event is known never to have the event:
it is compared as event-free for ever (Wolbers et al. 2014), not thrown out.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from models.evaluate import Floats
from models.sample import SampleError
from models.survival.nonparametric import Step, aalen_johansen, followed
from models.survival.spells import CENSORED, COMPETING, EVENT, Spells

_ALWAYS = Step(np.zeros(0), np.zeros(0), 1.0)


def harrell_c(spells: Spells, risk: Floats, *, until: float = np.inf) -> float:
    """Return the share of comparable pairs in which who fails first was ranked riskier; ties of risk count one half.

    Biased upwards under heavy censoring: give ``uno_c`` beside it.
    """
    return _concordance(spells, risk, _ALWAYS, until)


def uno_c(spells: Spells, risk: Floats, *, until: float, followed: Step) -> float:
    """Return Uno's concordance up to ``until``: each pair weighed by 1 / G^2 (Uno et al. 2011).

    ``followed`` is G, from ``nonparametric.followed`` of the training or test spells.
    """
    return _concordance(spells, risk, followed, until)


def _concordance(spells: Spells, risk: Floats, chance: Step, until: float) -> float:
    _finite(risk)
    order = np.argsort(risk, kind="stable")
    s, r = spells.take(order), risk[order]
    own = _inverse(chance.before(s.duration))
    won = pairs = 0.0
    for t in np.unique(s.duration[(s.cause == EVENT) & (s.duration <= until)]):
        gone = s.duration <= t
        case = gone & (s.duration == t) & (s.cause == EVENT)
        alive = ~gone | ((s.duration == t) & (s.cause == CENSORED))
        inverse = float(_inverse(chance.before(t)))
        against = s.weight * (alive * inverse + (gone & (s.cause == COMPETING)) * own)
        below = np.concatenate([[0.0], np.cumsum(against)])
        mass = s.weight[case] * inverse
        less = below[np.searchsorted(r, r[case], side="left")]
        same = below[np.searchsorted(r, r[case], side="right")] - less
        won += float(np.sum(mass * (less + same / 2)))
        pairs += float(mass.sum() * below[-1])
    if pairs == 0:
        raise SampleError("no pair of rows can be compared: there is no event, or nobody outlived one")
    return won / pairs


def td_auc(spells: Spells, risk: Floats, *, horizon: float, followed: Step) -> float:
    """Return the cumulative/dynamic AUC: P(who has the event by ``horizon`` was ranked above who has not)."""
    _finite(risk)
    order = np.argsort(risk, kind="stable")
    s, r = spells.take(order), risk[order]
    event, free, weight = _weighed(s, horizon, followed)
    below = np.concatenate([[0.0], np.cumsum(weight * free)])
    if not (weight[event].sum() > 0 and below[-1] > 0):
        raise SampleError(f"by {horizon:g} there are no rows with, or none without the event")
    less = below[np.searchsorted(r, r[event], side="left")]
    same = below[np.searchsorted(r, r[event], side="right")] - less
    return float(np.sum(weight[event] * (less + same / 2)) / (weight[event].sum() * below[-1]))


def brier(spells: Spells, p: Floats, *, horizon: float, followed: Step) -> float:
    """Return the weighed mean of (event by ``horizon`` - p)^2, rows lost before it standing in others' weight."""
    _finite(p)
    event, free, weight = _weighed(spells, horizon, followed)
    return float(np.sum(weight * ((1 - p) ** 2 * event + p**2 * free)) / spells.weight.sum())


def integrated_brier(spells: Spells, p: Floats, *, times: Sequence[float], followed: Step) -> float:
    """Return the mean of Brier over ``times`` (trapezoids); ``p`` is rows x times."""
    scores = [brier(spells, p[:, i], horizon=t, followed=followed) for i, t in enumerate(times)]
    return float(np.trapezoid(scores, times) / (times[-1] - times[0]))


def calibration(spells: Spells, p: Floats, *, horizon: float, bins: int = 10) -> list[dict[str, Any]]:
    """Return expected and observed P(event by ``horizon``) per equal-count bin of ``p``, least risky first.

    Observed is Aalen-Johansen with its 95% interval (normal, cut to 0..1).
    """
    _finite(p)
    rows = []
    for part in np.array_split(np.argsort(p, kind="stable"), bins):
        if len(part) == 0:
            continue
        seen = aalen_johansen(spells.take(part))
        observed, error = float(seen.curve.at(horizon)), float(seen.error.at(horizon))
        rows.append(
            {
                "p": float(np.average(p[part], weights=spells.weight[part])),
                "observed": observed,
                "low": max(0.0, observed - 1.96 * error),
                "high": min(1.0, observed + 1.96 * error),
                "rows": len(part),
            }
        )
    return rows


def expected_and_observed(spells: Spells, p: Floats, *, horizon: float) -> tuple[float, float]:
    """Return mean P(event by ``horizon``) as predicted and as observed (Aalen-Johansen)."""
    seen = aalen_johansen(spells)
    return float(np.average(p, weights=spells.weight)), float(seen.curve.at(horizon))


def _weighed(spells: Spells, horizon: float, chance: Step) -> tuple[Any, Any, Floats]:
    event, free = spells.known(horizon)
    weight = spells.weight * _inverse(chance.before(np.minimum(spells.duration, horizon)))
    return event, free, np.where(event | free, weight, 0.0)


def _inverse(chance: Floats) -> Floats:
    """Return 1 / G; where nobody was followed that long there is nothing to weigh."""
    return np.divide(1.0, chance, out=np.zeros_like(np.asarray(chance, dtype=np.float64)), where=np.asarray(chance) > 0)


def _finite(values: Floats) -> None:
    if not np.isfinite(values).all():
        raise SampleError("a risk is missing or not a number: score every row first")


__all__ = [
    "brier", "calibration", "expected_and_observed", "followed", "harrell_c", "integrated_brier", "td_auc", "uno_c",
]  # fmt: skip
