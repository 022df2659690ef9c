"""How a model at work is doing: drift of the day, shifted features of the week, matured cohorts of the month.

Pure arithmetic on counts and outcomes, against what development froze in the card (domain brief §3.5, §3.11).
Every figure carries the number of rows behind it and a verdict; too few rows get no verdict.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from models.card import ModelCard
from models.evaluate import Floats, Ints, evaluate, psi
from models.tally import all_points

Verdict = Literal["ok", "watch", "act", "few", "none"]
"""``few``: too few rows to tell. ``none``: told, not judged."""
ALL = "all"


@dataclass(frozen=True)
class Limits:
    """The thresholds of model_monitoring.yaml, by their names there."""

    psi_watch: float
    psi_act: float
    psi_days: int
    least_daily_rows: int
    missing_watch: float
    missing_act: float
    external_watch: float
    outage_share: float
    csi_features: int
    cohort_days: int
    least_events: int
    ks_drop: float
    slope_low: float
    slope_high: float
    rank_bands: int
    inversions: int
    fair_ratio: float
    least_group_rows: int
    quiet_days: int


@dataclass(frozen=True)
class Figure:
    """One measured figure of a model. ``segment`` is ``all``, a DPD range, a feature, a group."""

    metric: str
    value: float | None
    rows: int
    segment: str = ALL
    verdict: Verdict = "none"
    low: float | None = None
    high: float | None = None
    events: int | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


def psi_of_counts(expected: Sequence[float], counts: Sequence[int]) -> float:
    """Return the stability index of counts against frozen shares, bin by bin (domain brief §3.5)."""
    return psi(np.asarray(expected, dtype=np.float64), np.asarray(counts, dtype=np.float64) / max(sum(counts), 1))


def csi_points(expected: Sequence[float], counts: Sequence[int], points: Sequence[float]) -> float:
    """Return the shift of the mean score that one feature brings: sum((a - e) * points), in points."""
    actual = np.asarray(counts, dtype=np.float64) / max(sum(counts), 1)
    return float(np.sum((actual - np.asarray(expected)) * np.asarray(points)))


def daily(card: ModelCard, told: Mapping[str, Any], limits: Limits) -> list[Figure]:
    """Return the day's figures of one run: volume, PSI (all and by DPD range), missing values, the vendor's answers.

    PSI by DPD range is told and not judged: development has one distribution, and a range is not all of it.
    """
    rows = int(told.get("rows", 0))
    few = rows < limits.least_daily_rows
    shares = card.development.shares
    figures = [Figure("rows", float(rows), rows)]
    if rows:
        figures.append(Figure("fallback_share", told.get("fallback", 0) / rows, rows))
    if sum(counts := all_points(told)):
        value = psi_of_counts(shares, counts)
        figures.append(Figure("psi", value, sum(counts), verdict=_above(value, limits, few=few)))
    for name, counts in told.get("points", {}).items():
        if sum(counts) >= limits.least_daily_rows:
            figures.append(Figure("psi", psi_of_counts(shares, counts), sum(counts), segment=name))
    for name, n in told.get("unseen", {}).items():
        figures.append(Figure("unseen_values", float(n), rows, segment=name))
    return [*figures, *_missing(card, told, limits), *_external(card, told, limits)]


def _above(value: float, limits: Limits, *, few: bool) -> Verdict:
    if few:
        return "few"
    return "act" if value > limits.psi_act else "watch" if value >= limits.psi_watch else "ok"


def _missing(card: ModelCard, told: Mapping[str, Any], limits: Limits) -> list[Figure]:
    """Report the features whose missing share moved; those that stayed are summed up in one figure."""
    moved: list[Figure] = []
    largest, rows = 0.0, 0
    for name, counts in told.get("features", {}).items():
        if not (rows := sum(counts)):
            continue
        was = float(card.drift["features"][name]["missing"])
        now = counts[-1] / rows
        change = now - was
        largest = max(largest, abs(change))
        if rows >= limits.least_daily_rows and abs(change) >= limits.missing_watch:
            verdict: Verdict = "act" if abs(change) >= limits.missing_act else "watch"
            moved.append(Figure("missing_share", now, rows, segment=name, verdict=verdict,
                                detail={"development": round(was, 6)}))  # fmt: skip
    return [*moved, Figure("missing_shift_max", largest, rows)] if rows else moved


def _external(card: ModelCard, told: Mapping[str, Any], limits: Limits) -> list[Figure]:
    """Report the shares of the vendor's answers; errors are judged among those asked, as an outage."""
    answers: Mapping[str, int] = told.get("external", {})
    rows = sum(answers.values())
    was: Mapping[str, float] = card.drift.get("external", {})
    if not rows or not was:
        return []
    few = rows < limits.least_daily_rows
    figures = []
    for name in ("hit", "no_hit", "not_queried"):
        share, before = answers.get(name, 0) / rows, float(was.get(name, 0.0))
        far = abs(share - before) >= limits.external_watch
        figures.append(Figure(f"external_{name}", share, rows, verdict="few" if few else "watch" if far else "ok",
                              detail={"development": before}))  # fmt: skip
    asked = rows - answers.get("not_queried", 0)
    silent = answers.get("error", 0) / asked if asked else 0.0
    verdict: Verdict = "few" if asked < limits.least_daily_rows else "act" if silent > limits.outage_share else "ok"
    return [*figures, Figure("external_error", silent, asked, verdict=verdict)]


def weekly(card: ModelCard, told: Mapping[str, Any], limits: Limits) -> list[Figure]:
    """Return the CSI of the most shifted features over the summed runs of a week, missing being one more bin.

    For a scorecard ``csi_points`` stands beside it: by how many points the feature moved the mean score.
    """
    frozen: Mapping[str, Mapping[str, Any]] = card.drift.get("features", {})
    found = []
    for name, counts in told.get("features", {}).items():
        if not (rows := sum(counts)):
            continue
        expected = [*frozen[name]["shares"], frozen[name]["missing"]]
        value = psi_of_counts(expected, counts)
        few = rows < limits.least_daily_rows
        found.append(Figure("csi", value, rows, segment=name, verdict=_above(value, limits, few=few)))
    found.sort(key=lambda figure: -(figure.value or 0.0))
    return [*found[: limits.csi_features], *_point_shifts(card, told.get("point_bins", {}), limits)]


def _point_shifts(card: ModelCard, told: Mapping[str, Sequence[int]], limits: Limits) -> list[Figure]:
    """Compare a scorecard's bins with its development rows, in points; the largest shifts first."""
    table: dict[str, list[Mapping[str, Any]]] = {}
    for row in card.figures.get("scorecard", ()):
        table.setdefault(str(row["feature"]), []).append(row)
    shifts = []
    for name, counts in told.items():
        bins = table.get(name, [])
        total = sum(int(b["rows"]) for b in bins)
        if total and len(bins) == len(counts) and sum(counts):
            shift = csi_points([b["rows"] / total for b in bins], counts, [b["points"] for b in bins])
            shifts.append(Figure("csi_points", shift, sum(counts), segment=name))
    return sorted(shifts, key=lambda figure: -abs(figure.value or 0.0))[: limits.csi_features]


def cohort(
    card: ModelCard, outcome: Ints, p: Floats, limits: Limits, *, people: Ints | None = None, seed: int = 0
) -> list[Figure]:
    """Return the month's figures on matured rows: KS and AUC with intervals, calibration, rank order, bands.

    ``outcome`` is the label of the card's event, ``p`` the stored P(event), rows in step. Whole persons are
    drawn for the intervals. Without both outcomes nothing can be measured and only the rows are told.
    """
    rows, events = len(outcome), int(outcome.sum())
    if not 0 < events < rows:
        return [Figure("cohort_rows", float(rows), rows, events=events, verdict="few")]
    few = min(events, rows - events) < limits.least_events
    measured = evaluate(outcome, p, rng=np.random.default_rng(seed), people=people)
    common: dict[str, Any] = {"rows": rows, "events": events}

    def judged(wrong: bool) -> Verdict:
        return "few" if few else "act" if wrong else "ok"

    development = card.test.get("ks")
    drop = 1 - measured.ks / float(development) if development else 0.0
    slope = measured.calibration_slope
    table = rank_table(outcome, p, bands=limits.rank_bands)
    breaks = inversions(table)
    return [
        Figure("ks", measured.ks, **common, low=measured.ks_interval.low, high=measured.ks_interval.high,
               verdict=judged(drop > limits.ks_drop), detail={"development": development, "drop": round(drop, 6)}),
        Figure("auc", measured.auc, **common, low=measured.auc_interval.low, high=measured.auc_interval.high,
               detail={"development": card.test.get("auc")}),
        Figure("calibration_slope", slope, **common,
               verdict=judged(not limits.slope_low <= slope <= limits.slope_high),
               detail={"intercept": round(measured.calibration_intercept, 6), "ece": round(measured.ece, 6)}),
        Figure("rank_breaks", float(breaks), **common, verdict=judged(breaks >= limits.inversions),
               detail={"bands": table}),
        *_by_band(card, outcome, p),
    ]  # fmt: skip


def rank_table(outcome: Ints, p: Floats, *, bands: int) -> list[dict[str, float]]:
    """Cut rows into equal-count bands, the least likely first, equal values together: ``rows, events, rate, p``."""
    edges = np.unique(np.quantile(p, np.linspace(0, 1, bands + 1)[1:-1]))
    place = np.searchsorted(edges, p, side="left")
    table = []
    for n in np.unique(place):
        rows = place == n
        table.append({"rows": int(rows.sum()), "events": int(outcome[rows].sum()),
                      "rate": round(float(outcome[rows].mean()), 6), "p": round(float(p[rows].mean()), 6)})  # fmt: skip
    return table


def inversions(table: Sequence[Mapping[str, float]]) -> int:
    """Count the steps at which the event's rate falls though the model says it rises."""
    rates = [band["rate"] for band in table]
    return sum(later < earlier for earlier, later in pairwise(rates))


def _by_band(card: ModelCard, outcome: Ints, p: Floats) -> list[Figure]:
    """Compare expected and observed event rates by the card's own bands."""
    bad = p if card.event_is == "bad" else 1 - p
    band = card.cuts.band(card.scaling.score(bad))
    figures = []
    for name in np.unique(band):
        rows = band == name
        n, events = int(rows.sum()), int(outcome[rows].sum())
        figures.append(Figure("calibration", events / n, n, segment=str(name), events=events,
                              detail={"expected": round(float(p[rows].mean()), 6)}))  # fmt: skip
    return figures


def fairness(attribute: str, counts: Mapping[str, tuple[int, int]], limits: Limits) -> list[Figure]:
    """Return each group's share in the gentle bands over that of the most favoured group (domain brief §3.3).

    ``counts``: group -> (rows in the gentle bands, rows). Small groups are left out: their ratio is chance.
    """
    shares = {g: (favoured / n, n) for g, (favoured, n) in counts.items() if n >= limits.least_group_rows}
    best = max((share for share, _ in shares.values()), default=0.0)
    if best == 0 or len(shares) < 2:
        return []
    return [
        Figure("fairness_ratio", share / best, n, segment=f"{attribute}={group}",
               verdict="watch" if share / best < limits.fair_ratio else "ok", detail={"selected": round(share, 6)})
        for group, (share, n) in sorted(shares.items())
    ]  # fmt: skip
