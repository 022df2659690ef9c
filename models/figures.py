"""The tables behind a model's plots: calibration, gains, bands, ROC, histogram, segments, fairness.

Everything is measured on test rows and is plain data, rounded, so that a card can keep it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from models.evaluate import Floats, Ints, auc, cumulative, ks
from models.scaling import BANDS, BandCuts

PROTECTED: frozenset[str] = frozenset(
    {
        "gender",
        "sex",
        "age_band",
        "marital",
        "marriage",
        "education",
        "nationality",
        "ethnicity",
        "disability",
        "language",
    }
)
"""Group columns for which the fairness ratio is computed (domain brief §3.3); they are never features.

Language stands for origin: where the country is held too, languages are compared within a country.
"""

FAIR_RATIO = 0.8
_Z = 1.959963984540054
_SEGMENT_ROWS = 200
_GROUP_ROWS = 50
_GROUP_VALUES = 12
_ROC_POINTS = 60
_HISTOGRAM_BINS = 24
_FAVOURED = ("S1", "S2")
_DPD_RANGES = (("dpd_0", -1e9, 0), ("dpd_1_30", 1, 30), ("dpd_31_60", 31, 60), ("dpd_61_90", 61, 90),
               ("dpd_91_up", 91, 1e9))  # fmt: skip


def wilson(events: Floats | Ints, rows: Floats | Ints) -> tuple[Floats, Floats]:
    """Return Wilson's 95% interval of a rate, elementwise; (0, 1) where there are no rows."""
    n = np.maximum(np.asarray(rows, dtype=np.float64), 1e-12)
    rate = np.asarray(events, dtype=np.float64) / n
    centre = (rate + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * np.sqrt(rate * (1 - rate) / n + _Z**2 / (4 * n**2))
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def calibration(outcome: Ints, p: Floats, bins: int = 10) -> list[dict[str, float]]:
    """Return predicted against observed in equal-count bins, lowest risk first."""
    parts = [i for i in np.array_split(np.argsort(p, kind="stable"), bins) if len(i)]
    rows = np.array([len(i) for i in parts])
    events = np.array([int(outcome[i].sum()) for i in parts])
    low, high = wilson(events, rows)
    return [
        {"p": _r(p[i].mean()), "observed": _r(e / n), "low": _r(lo), "high": _r(hi), "rows": int(n)}
        for i, n, e, lo, hi in zip(parts, rows, events, low, high, strict=True)
    ]


def gains(outcome: Ints, p: Floats) -> list[dict[str, float]]:
    """Return per tenth, likeliest first: ``rows, events`` of the tenth; ``share, captured, lift`` up to its end."""
    parts = np.array_split(np.argsort(-p, kind="stable"), 10)
    rows = np.array([len(i) for i in parts])
    events = np.array([int(outcome[i].sum()) for i in parts])
    share, captured = np.cumsum(rows) / rows.sum(), np.cumsum(events) / events.sum()
    return [
        {"share": _r(s), "captured": _r(c), "lift": _r(c / s), "rows": int(n), "events": int(e)}
        for s, c, n, e in zip(share, captured, rows, events, strict=True)
        if n
    ]


def bands(outcome: Ints, p: Floats, band: npt.NDArray[np.str_], cuts: BandCuts) -> list[dict[str, Any]]:
    """Return expected and observed event rate by band, safest first; an empty band has no rates."""
    floors = (*cuts.floors, None)
    report = []
    for name, floor in zip(BANDS, floors, strict=True):
        rows = band == name
        n = int(rows.sum())
        report.append(
            {
                "band": name, "rows": n, "events": int(outcome[rows].sum()), "floor": floor,
                "expected": _r(p[rows].mean()) if n else None, "observed": _r(outcome[rows].mean()) if n else None,
            }
        )  # fmt: skip
    return report


def roc(outcome: Ints, p: Floats) -> list[list[float]]:
    """Return at most sixty points (false positive share, true positive share) of the curve."""
    hits, alarms = cumulative(outcome, p)
    take = np.unique(np.linspace(0, len(hits) - 1, min(_ROC_POINTS, len(hits))).round().astype(int))
    return [[_r(alarms[i]), _r(hits[i])] for i in take]


def histogram(bad: Ints, score: Floats) -> dict[str, list[float]]:
    """Count goods and bads (for the lender) over equal steps of the score."""
    edges = np.histogram_bin_edges(score, bins=_HISTOGRAM_BINS)
    goods, bads = (np.histogram(score[bad == k], edges)[0].tolist() for k in (0, 1))
    return {"edges": [_r(e) for e in edges], "goods": goods, "bads": bads}


def fairness(
    outcome: Ints, p: Floats, band: npt.NDArray[np.str_], groups: Mapping[str, npt.NDArray[np.str_]]
) -> list[dict[str, Any]]:
    """Return by protected group the share in the two safest bands, and its ratio to the most favoured group.

    A ratio under 0.8 is a reason to look (domain brief §3.3). Groups under 50 rows are left out: their ratio is
    chance; so is an attribute with one group. ``expected`` and ``observed`` tell whether the group also pays
    differently.
    """
    report: list[dict[str, Any]] = []
    for attribute, part in _compared(groups, len(outcome)):
        values, favoured = groups[attribute.partition(" in ")[0]], np.isin(band, _FAVOURED)
        names, counts = np.unique(values[part], return_counts=True)
        shares = {str(g): float(favoured[part & (values == g)].mean()) for g, n in zip(names, counts, strict=True)
                  if n >= _GROUP_ROWS}  # fmt: skip
        best = max(shares.values(), default=0.0)
        for group, selected in shares.items() if len(shares) > 1 else ():
            rows = part & (values == group)
            report.append(
                {
                    "attribute": attribute, "group": group, "rows": int(rows.sum()), "selected": _r(selected),
                    "ratio": _r(selected / best) if best else 1.0, "expected": _r(p[rows].mean()),
                    "observed": _r(outcome[rows].mean()),
                }
            )  # fmt: skip
    return report


def _compared(
    groups: Mapping[str, npt.NDArray[np.str_]], rows: int
) -> Iterator[tuple[str, npt.NDArray[np.bool_]]]:  # fmt: skip
    """Yield each protected attribute with the rows to compare it on."""
    for attribute in sorted(PROTECTED & groups.keys()):
        if attribute == "language" and "country" in groups:
            for country in np.unique(groups["country"]):
                yield f"{attribute} in {country}", groups["country"] == country
        else:
            yield attribute, np.ones(rows, dtype=np.bool_)


def segments(
    features: pl.DataFrame, outcome: Ints, p: Floats, groups: Mapping[str, npt.NDArray[np.str_]]
) -> dict[str, Any]:
    """Report the card on the parts of the test rows that a reader would ask about (domain brief §3.5)."""
    report: dict[str, Any] = {}
    for name, rows in _parts(features, groups).items():
        y, q = outcome[rows], p[rows]
        report[name] = {"rows": len(y), "events": int(y.sum())}
        if len(y) >= _SEGMENT_ROWS and 0 < y.sum() < len(y):
            report[name] |= {
                "auc": round(auc(y, q), 4),
                "ks": round(ks(y, q), 4),
                "expected": round(float(q.mean()), 4),
                "observed": round(float(y.mean()), 4),
            }
    return report


def _parts(
    features: pl.DataFrame, groups: Mapping[str, npt.NDArray[np.str_]]
) -> dict[str, npt.NDArray[np.bool_]]:  # fmt: skip
    parts: dict[str, npt.NDArray[np.bool_]] = {}
    if "past_due_0" in features.columns:
        one = (features["past_due_0"].fill_null(0) <= 1).to_numpy()
        parts |= {"one_month_past_due": one, "two_or_more_months_past_due": ~one}
    if "dpd" in features.columns:
        dpd = features["dpd"].cast(pl.Float64).fill_null(0).to_numpy()
        for name, low, high in _DPD_RANGES:
            rows = (dpd >= low) & (dpd <= high)
            if rows.any() and not rows.all():
                parts[name] = rows
    if "ml_status" in features.columns:
        hit = (features["ml_status"].fill_null(-2) == 1).to_numpy()
        parts |= {"external_hit": hit, "no_external_hit": ~hit}
    for attribute in sorted(groups):
        names = np.unique(groups[attribute])
        if len(names) <= _GROUP_VALUES:
            parts |= {f"{attribute}={name}": groups[attribute] == name for name in names}
    return parts


def _r(value: Any) -> float:
    return round(float(value), 6)
