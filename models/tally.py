"""Counts on a card's frozen bins: what a scoring run leaves behind for monitoring (domain brief §3.11).

Counts add up, shares do not: the chunks of a run, the runs of a week, the DPD ranges of a book are summed, and
only then compared with development.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from models.evaluate import Floats
from models.external import STATUS
from models.points import of_parts
from models.predictions import Predictions
from models.registry import Bundle

DPD_RANGES: tuple[str, ...] = ("0", "1-9", "10-30", "31-60", "61+")
_FLOORS = (1, 10, 31, 61)
_POINTS_PART = "scorecard.json"


def tally(bundle: Bundle, features: pl.DataFrame, said: Predictions, *, every: int = 1) -> dict[str, Any]:
    """Count scored rows on the card's bins.

    Returns ``rows``, ``fallback``, ``unseen`` (feature -> rows with a value that development never saw);
    ``points``: DPD range -> counts in the bins of the development points; ``external``: answer of the vendor ->
    rows; ``features``: name -> counts in the frozen bins, the last being the missing ones, over each ``every``-th
    row (a large book's drift is seen in a part of it); ``point_bins``: the same on the bins of a scorecard, whose
    points they carry.
    """
    card = bundle.card
    bins = len(card.development.edges) + 1
    place = np.searchsorted(np.asarray(card.development.edges), said.points, side="left")
    dpd = features["dpd"].fill_null(0).to_numpy() if "dpd" in features.columns else np.zeros(len(said.points))
    bucket = np.searchsorted(np.asarray(_FLOORS), dpd, side="right")
    counts = np.bincount(bucket * bins + place, minlength=len(DPD_RANGES) * bins).reshape(len(DPD_RANGES), bins)
    some = features.gather_every(every) if every > 1 else features
    frozen: Mapping[str, Mapping[str, Any]] = card.drift.get("features", {})
    return {
        "rows": len(said.points),
        "fallback": int(said.is_fallback.sum()),
        "unseen": {name: n for name, n in said.unseen.items() if n},
        "points": {name: row.tolist() for name, row in zip(DPD_RANGES, counts, strict=True) if row.any()},
        "external": _external(features),
        "features": {n: _counts(some[n], bins["edges"]) for n, bins in frozen.items() if n in some.columns},
        "point_bins": _point_bins(bundle, some),
    }


def added(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Add two tallies, key by key and bin by bin; what only one of them counted stays as it is."""
    total = dict(one)
    for key, value in other.items():
        total[key] = _sum(total[key], value) if key in total else value
    return total


def all_points(told: Mapping[str, Any]) -> list[int]:
    """Return the counts of the score's bins over every DPD range."""
    rows = list(told.get("points", {}).values())
    return [sum(column) for column in zip(*rows, strict=True)]


def _sum(one: Any, other: Any) -> Any:
    if isinstance(one, Mapping):
        return added(one, other)
    if isinstance(one, list):
        return [a + b for a, b in zip(one, other, strict=True)]
    return one + other


def _external(features: pl.DataFrame) -> dict[str, int]:
    if "ml_status" not in features.columns:
        return {}
    status = features["ml_status"].fill_null(STATUS["not_queried"])
    return {name: n for name, code in STATUS.items() if (n := int((status == code).sum()))}


def _point_bins(bundle: Bundle, some: pl.DataFrame) -> dict[str, list[int]]:
    if (raw := bundle.parts.get(_POINTS_PART)) is None:
        return {}
    return {
        f.bins.name: np.bincount(f.bins.place(_floats(some[f.bins.name])), minlength=len(f.bins.rows)).tolist()
        for f in of_parts(raw).features
    }


def _counts(column: pl.Series, edges: list[float]) -> list[int]:
    values = _floats(column)
    known = values[~np.isnan(values)]
    counts = np.bincount(np.searchsorted(np.asarray(edges), known, side="left"), minlength=len(edges) + 1)
    return [*counts.tolist(), len(values) - len(known)]


def _floats(column: pl.Series) -> Floats:
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
