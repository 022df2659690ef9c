"""Choosing features by their bins and weighing them: the regression inside a scorecard.

On the training rows alone: IV of 0.02 or more; of two features that say the same (correlation of their WoE above
0.9) the stronger stays; then backward elimination until every beta has the right sign, is told from zero (|z| of
1.96 or more) and no more than 15 are left.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from models.binning import Bins, bin_feature
from models.evaluate import Floats, Ints
from models.outage import STATUS_FEATURE
from models.sample import SampleError
from models.schema import Direction

LEAST_IV = 0.02
MOST_FEATURES = 15
_ALIKE = 0.9
_LEAST_Z = 1.96
_SELECT_ROWS = 20_000
_STEPS, _CLOSE, _LONGEST_STEP = 50, 1e-8, 3.0


@dataclass(frozen=True)
class Fit:
    """``ln(bad odds) = alpha + sum(beta_j * WOE_j)``; every beta is negative."""

    bins: tuple[Bins, ...]
    alpha: float
    beta: tuple[float, ...]


def bin_all(rows: pl.DataFrame, bad: Ints, directions: Mapping[str, Direction], *, seed: int) -> list[Bins]:
    """Bin every feature of ``directions``; those that say nothing come back with one range."""
    return [
        bin_feature(name, column(rows, name), bad, direction=direction, status=name == STATUS_FEATURE, seed=seed)
        for name, direction in directions.items()
    ]


def fit_woe(rows: pl.DataFrame, bad: Ints, directions: Mapping[str, Direction], *, seed: int) -> Fit:
    """Bin, select and weigh; raise SampleError when no feature tells anything."""
    binned = sorted(bin_all(rows, bad, directions, seed=seed), key=lambda b: -b.iv)
    binned = [b for b in binned if b.iv >= LEAST_IV]
    chosen, columns = _unlike(rows, binned)
    if not chosen:
        raise SampleError(
            "no feature has bins in which both outcomes are seen often enough and differ: either nothing tells the "
            "outcomes apart, or something tells them perfectly and is the outcome itself"
        )
    few = _sampled(len(bad), seed)
    alpha, beta, z = _regress(columns[:, few], bad[few], None)
    # One at a time: a beta often turns or fades because of the one that leaves.
    while len(chosen) > 1 and (beta.max() >= 0 or len(chosen) > MOST_FEATURES or np.abs(z).min() < _LEAST_Z):
        worst = int(np.argmax(beta)) if beta.max() >= 0 else int(np.argmin(np.abs(z)))
        chosen, columns = chosen[:worst] + chosen[worst + 1 :], np.delete(columns, worst, axis=0)
        alpha, beta, z = _regress(columns[:, few], bad[few], (alpha, np.delete(beta, worst)))
    alpha, beta, _ = _regress(columns, bad, (alpha, beta))
    return Fit(tuple(chosen), alpha, tuple(beta.tolist()))


def _sampled(rows: int, seed: int) -> npt.NDArray[np.int64]:
    """Return the rows on which features are chosen: all, or 20,000 at random; the weights come from all rows."""
    if rows <= _SELECT_ROWS:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, _SELECT_ROWS, replace=False))


def log_odds(fit: Fit, rows: pl.DataFrame) -> Floats:
    """Return ``ln(bad odds)`` of each row."""
    total = np.full(rows.height, fit.alpha)
    for bins, beta in zip(fit.bins, fit.beta, strict=True):
        total += beta * np.asarray(bins.woe)[bins.place(column(rows, bins.name))]
    return total


def column(rows: pl.DataFrame, name: str) -> Floats:
    """Return one feature as floats; null becomes NaN."""
    return rows[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _unlike(rows: pl.DataFrame, binned: list[Bins]) -> tuple[list[Bins], Floats]:
    """Keep, strongest first, what is not nearly the same as something kept already."""
    kept: list[Bins] = []
    columns: list[Floats] = []
    for bins in binned:
        woe = np.asarray(bins.woe)[bins.place(column(rows, bins.name))]
        if all(abs(np.corrcoef(woe, other)[0, 1]) <= _ALIKE for other in columns):
            kept.append(bins)
            columns.append(woe)
    return kept, np.array(columns).reshape(len(kept), rows.height)


def _regress(columns: Floats, bad: Ints, start: tuple[float, Floats] | None) -> tuple[float, Floats, Floats]:
    """Fit a logistic regression with a ridge of one on beta, by Newton's method.

    Return alpha, beta and beta over its standard error. ``start`` is the fit before, one feature ago.
    """
    design = np.vstack([columns, np.ones(columns.shape[1])])
    ridge = np.append(np.ones(len(columns)), 1e-9)
    beta = np.zeros(len(design)) if start is None else np.append(start[1], start[0])
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(beta @ design, -35, 35)))
        information = (design * (p * (1 - p))) @ design.T + np.diag(ridge)
        step = np.linalg.solve(information, design @ (bad - p) - ridge * beta)
        beta = beta + np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)
        if np.max(np.abs(step)) < _CLOSE:
            break
    error = np.sqrt(np.diag(np.linalg.inv(information)))
    return float(beta[-1]), beta[:-1], beta[:-1] / error[:-1]
