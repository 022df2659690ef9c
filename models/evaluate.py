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


@dataclass(frozen=True)
class Interval:
    """A 95% bootstrap interval over the rows."""

    low: float
    high: float


@dataclass(frozen=True)
class Metrics:
    """How good a card is on rows that it did not see."""

    rows: int
    events: int
    auc: float
    auc_interval: Interval
    ks: float
    ks_interval: Interval
    brier: float
    log_loss: float
    calibration_slope: float
    calibration_intercept: float
    ece: float
    capture_20: float

    def as_json(self) -> dict[str, Any]:
        """Return plain, rounded numbers for a model card."""
        return {k: _rounded(v) for k, v in asdict(self).items()}


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    return round(value, 6) if isinstance(value, float) else value


def evaluate(outcome: Ints, p: Floats, *, rng: np.random.Generator, draws: int = 500) -> Metrics:
    """Measure a card on held-out rows; needs both outcomes."""
    if not 0 < int(outcome.sum()) < len(outcome):
        raise ValueError("metrics need rows with and without the event")
    aucs, kss = [], []
    for _ in range(draws):
        rows = rng.integers(0, len(p), len(p))
        if 0 < outcome[rows].sum() < len(rows):
            aucs.append(auc(outcome[rows], p[rows]))
            kss.append(ks(outcome[rows], p[rows]))
    slope, intercept = logistic_line(outcome, logit(p))
    return Metrics(
        rows=len(p),
        events=int(outcome.sum()),
        auc=auc(outcome, p),
        auc_interval=_interval(aucs),
        ks=ks(outcome, p),
        ks_interval=_interval(kss),
        brier=float(np.mean((p - outcome) ** 2)),
        log_loss=float(-np.mean(outcome * np.log(_inside(p)) + (1 - outcome) * np.log(1 - _inside(p)))),
        calibration_slope=slope,
        calibration_intercept=intercept,
        ece=expected_calibration_error(outcome, p),
        capture_20=capture(outcome, p, 0.20),
    )


def _interval(values: list[float]) -> Interval:
    low, high = np.quantile(values, [0.025, 0.975])
    return Interval(float(low), float(high))


def _cumulative(outcome: Ints, risk: Floats) -> tuple[Floats, Floats]:
    """Return cumulative shares of bads and goods at each distinct risk, riskiest first, from (0, 0)."""
    order = np.argsort(-risk, kind="stable")
    ranked = risk[order]
    last = np.append(ranked[1:] != ranked[:-1], True)
    bads = np.cumsum(outcome[order])[last] / outcome.sum()
    goods = np.cumsum(1 - outcome[order])[last] / (len(outcome) - outcome.sum())
    return np.insert(bads, 0, 0.0), np.insert(goods, 0, 0.0)


def auc(outcome: Ints, risk: Floats) -> float:
    """Return the chance that a bad is ranked riskier than a good; a tie counts one half."""
    bads, goods = _cumulative(outcome, risk)
    return float(np.trapezoid(bads, goods))


def ks(outcome: Ints, risk: Floats) -> float:
    """Return the largest gap between the two cumulative distributions, at distinct values only."""
    bads, goods = _cumulative(outcome, risk)
    return float(np.max(np.abs(bads - goods)))


def capture(outcome: Ints, risk: Floats, share: float) -> float:
    """Return the share of all bads found in the riskiest ``share`` of the rows."""
    worst = np.argsort(-risk, kind="stable")[: max(1, round(share * len(risk)))]
    return float(outcome[worst].sum() / outcome.sum())


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
