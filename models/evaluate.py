"""Exact metrics of a card (domain brief §3.5). Risk ``p`` is P(event); event = 1 is the bad outcome.

AUC and KS run over every distinct value with ties together; nothing is binned that need not be.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_EMPTY_SHARE = 1e-4
_DRAWS, _DRAWS_OF_MANY, _MANY_ROWS = 500, 100, 50_000


@dataclass(frozen=True)
class Interval:
    """A 95% bootstrap interval over people (rows, where each row is another person)."""

    low: float
    high: float


@dataclass(frozen=True)
class Metrics:
    """How good a card is on rows that it did not see. ``draws`` is the size of the bootstrap behind the intervals.

    The two amount-weighted figures weigh each row by its amount; None where no amount is known.
    ``rank_breaks`` counts the steps between ten equal bands at which the event rate fails to rise with the risk.
    """

    rows: int
    events: int
    auc: float
    auc_interval: Interval
    ks: float
    ks_interval: Interval
    gini: float
    brier: float
    log_loss: float
    calibration_slope: float
    calibration_intercept: float
    ece: float
    capture_20: float
    rank_breaks: int
    draws: int
    amount_ks: float | None = None
    amount_capture_20: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return plain, rounded numbers for a model card."""
        return {k: _rounded(v) for k, v in asdict(self).items()}


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    return round(value, 6) if isinstance(value, float) else value


def evaluate(
    outcome: Ints, p: Floats, *, rng: np.random.Generator, draws: int | None = None, people: Ints | None = None,
    amount: Floats | None = None,
) -> Metrics:  # fmt: skip
    """Measure a card on held-out rows; needs both outcomes (ValueError else).

    ``people`` numbers the person behind each row: whole persons are drawn, because rows of one person tell
    the same story twice. Without ``draws`` 500 are made, or 100 on more than 50,000 rows.
    """
    if not 0 < int(outcome.sum()) < len(outcome):
        raise ValueError("metrics need rows with and without the event")
    if amount is not None and not (amount[outcome == 1].sum() > 0 and amount[outcome == 0].sum() > 0):
        amount = None  # nothing is owed on either side: accounts that are not overdue have no amount to weigh by
    made = draws or (_DRAWS if len(p) <= _MANY_ROWS else _DRAWS_OF_MANY)
    aucs, kss = bootstrap(outcome, p, rng=rng, draws=made, people=people)
    slope, intercept = logistic_line(outcome, logit(p))
    area = auc(outcome, p)
    weight = _weighing(outcome, amount)
    return Metrics(
        rows=len(p),
        events=int(outcome.sum()),
        auc=area,
        auc_interval=interval(aucs),
        ks=ks(outcome, p),
        ks_interval=interval(kss),
        gini=2 * area - 1,
        brier=float(np.mean((p - outcome) ** 2)),
        log_loss=float(-np.mean(outcome * np.log(_inside(p)) + (1 - outcome) * np.log(1 - _inside(p)))),
        calibration_slope=slope,
        calibration_intercept=intercept,
        ece=expected_calibration_error(outcome, p),
        capture_20=capture(outcome, p, 0.20),
        rank_breaks=rank_breaks(outcome, p),
        draws=made,
        amount_ks=None if weight is None else ks(outcome, p, weight),
        amount_capture_20=None if weight is None else capture(outcome, p, 0.20, weight),
    )


def _weighing(outcome: Ints, amount: Floats | None) -> Floats | None:
    """Return amounts that can weigh both outcomes, or None: a book whose bads owe nothing has no such figure."""
    if amount is None:
        return None
    weight = np.clip(np.nan_to_num(amount), 0, None)
    return weight if min((weight * outcome).sum(), (weight * (1 - outcome)).sum()) > 0 else None


def bootstrap(
    outcome: Ints, risk: Floats, *, rng: np.random.Generator, draws: int, people: Ints | None = None
) -> tuple[Floats, Floats]:
    """Return AUC and KS of each draw of people with replacement; draws without both outcomes are left out.

    Sorted once: a draw is only another set of weights, so that a million rows stay cheap.
    """
    order = np.argsort(-risk, kind="stable")
    ranked, bad = risk[order], outcome[order].astype(np.float64)
    last = np.append(ranked[1:] != ranked[:-1], True)
    if people is None:
        person, count = order, len(risk)
    else:
        known, person = np.unique(people, return_inverse=True)
        person, count = person.ravel()[order], len(known)
    aucs, kss = [], []
    for _ in range(draws):
        weight = np.bincount(rng.integers(0, count, count), minlength=count)[person].astype(np.float64)
        bads, goods = np.cumsum(weight * bad)[last], np.cumsum(weight * (1 - bad))[last]
        if bads[-1] > 0 and goods[-1] > 0:
            x, y = np.insert(goods / goods[-1], 0, 0.0), np.insert(bads / bads[-1], 0, 0.0)
            aucs.append(float(np.trapezoid(y, x)))
            kss.append(float(np.max(np.abs(y - x))))
    return np.array(aucs), np.array(kss)


def interval(values: Floats) -> Interval:
    """Return the middle 95% of bootstrap values."""
    low, high = np.quantile(values, [0.025, 0.975])
    return Interval(float(low), float(high))


def cumulative(outcome: Ints, risk: Floats, weight: Floats | None = None) -> tuple[Floats, Floats]:
    """Return cumulative shares of bads and goods at each distinct risk, riskiest first, from (0, 0)."""
    order = np.argsort(-risk, kind="stable")
    ranked = risk[order]
    last = np.append(ranked[1:] != ranked[:-1], True)
    w = np.ones(len(risk)) if weight is None else weight[order]
    bads, goods = np.cumsum(w * outcome[order])[last], np.cumsum(w * (1 - outcome[order]))[last]
    return np.insert(bads / bads[-1], 0, 0.0), np.insert(goods / goods[-1], 0, 0.0)


def auc(outcome: Ints, risk: Floats) -> float:
    """Return the chance that a bad is ranked riskier than a good; a tie counts one half."""
    bads, goods = cumulative(outcome, risk)
    return float(np.trapezoid(bads, goods))


def ks(outcome: Ints, risk: Floats, weight: Floats | None = None) -> float:
    """Return the largest gap between the two cumulative distributions, at distinct values only."""
    bads, goods = cumulative(outcome, risk, weight)
    return float(np.max(np.abs(bads - goods)))


def capture(outcome: Ints, risk: Floats, share: float, weight: Floats | None = None) -> float:
    """Return the share of all bads (of their amounts, if weighted) found in the riskiest ``share`` of the rows."""
    worst = np.argsort(-risk, kind="stable")[: max(1, round(share * len(risk)))]
    bads = outcome if weight is None else outcome * weight
    return float(bads[worst].sum() / bads.sum())


def rank_breaks(outcome: Ints, p: Floats, bins: int = 10) -> int:
    """Count the steps between equal bands, safest first, at which the event rate falls (domain brief §3.11).

    Equal values share a band, so a coarse card has fewer bands than asked for.
    """
    edges = np.unique(np.quantile(p, np.linspace(0, 1, bins + 1)[1:-1]))
    place = np.searchsorted(edges, p, side="left")
    rows = np.bincount(place, minlength=len(edges) + 1)
    events = np.bincount(place, weights=outcome, minlength=len(edges) + 1)
    rate = events[rows > 0] / rows[rows > 0]
    return int(np.sum(np.diff(rate) < 0))


def expected_calibration_error(outcome: Ints, p: Floats, bins: int = 10) -> float:
    """Return the mean gap between predicted and observed over equal-count bins."""
    parts = np.array_split(np.argsort(p, kind="stable"), bins)
    return float(sum(abs(p[i].mean() - outcome[i].mean()) * len(i) for i in parts if len(i)) / len(p))


def _inside(p: Floats) -> Floats:
    return np.clip(p, 1e-9, 1 - 1e-9)


def logit(p: Floats) -> Floats:
    """Return the log odds of the event."""
    return np.asarray(np.log(_inside(p)) - np.log1p(-_inside(p)))


def logistic_line(outcome: Ints, x: Floats, *, steps: int = 50) -> tuple[float, float]:
    """Fit P(event) = 1 / (1 + exp(-(slope * x + intercept))) by Newton's method; used by Platt too."""
    design = np.column_stack([x, np.ones_like(x)])
    beta = np.zeros(2)
    for _ in range(steps):
        p = 1 / (1 + np.exp(-np.clip(design @ beta, -35, 35)))
        # A whisper of ridge keeps the step finite when the outcomes are perfectly separated.
        hessian = design.T @ (design * (p * (1 - p))[:, None]) + 1e-6 * np.eye(2)
        step = np.linalg.solve(hessian, design.T @ (outcome - p) - 1e-6 * beta)
        beta = beta + step
        if np.max(np.abs(step)) < 1e-10:
            break
    return float(beta[0]), float(beta[1])


@dataclass(frozen=True)
class StabilityBins:
    """Frozen edges and shares of the development scores, against which drift is measured."""

    edges: tuple[float, ...]
    shares: tuple[float, ...]

    @classmethod
    def of(cls, scores: Floats, bins: int = 10) -> "StabilityBins":
        """Cut the development scores at their quantiles; equal edges are merged."""
        edges = np.unique(np.quantile(scores, np.linspace(0, 1, bins + 1)[1:-1]))
        return cls(tuple(edges.tolist()), tuple(_shares(scores, edges).tolist()))

    def psi(self, scores: Floats) -> float:
        """Return the population stability index of these scores against development."""
        return psi(np.array(self.shares), _shares(scores, np.array(self.edges)))


def _shares(scores: Floats, edges: Floats) -> Floats:
    counts = np.bincount(np.searchsorted(edges, scores, side="left"), minlength=len(edges) + 1)
    return np.asarray(counts / len(scores))


def psi(expected: Floats, actual: Floats) -> float:
    """Return sum((a - e) * ln(a / e)) over bins; an empty bin counts as one in ten thousand."""
    e, a = np.maximum(expected, _EMPTY_SHARE), np.maximum(actual, _EMPTY_SHARE)
    return float(np.sum((a - e) * np.log(a / e)))
