"""One score laid open: by how many points each feature moved it, exactly.

For trees the exact contributions (tree SHAP) to the log odds, turned into points by the calibration line and the
scaling; for a card of points the points themselves. The parts and the base add up to the score's points.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from models import booster as trees
from models import family, outage, points
from models.boosted import FALLBACK_LINE, FALLBACK_MODEL, LINE, MODEL
from models.evaluate import Floats
from models.feature_list import SPECS
from models.registry import Bundle, Calibration


@dataclass(frozen=True)
class Part:
    """One feature: its value on the day (None = missing) and the points that it gave or took."""

    feature: str
    value: float | None
    points: float
    reason: str


@dataclass(frozen=True)
class Explanation:
    """``base`` plus all parts is ``points``; parts come weightiest first. ``is_fallback``: the vendor was silent."""

    points: float
    base: float
    is_fallback: bool
    parts: tuple[Part, ...]


def explain(bundle: Bundle, row: pl.DataFrame, *, threads: int = 1) -> Explanation:
    """Explain the score of one row of features; raise ValueError for an algorithm that cannot be taken apart."""
    said = family.predict(bundle, row, threads=threads)
    is_fallback, total = bool(said.is_fallback[0]), float(said.points[0])
    match bundle.card.algorithm:
        case "boosted":
            shares = _of_trees(bundle, row, is_fallback=is_fallback, threads=threads)
        case "scorecard" | "expert":
            shares = _of_points(bundle, row, is_fallback=is_fallback)
        case other:
            raise ValueError(f"a model of the kind {other} cannot be taken apart by feature; read its reason codes")
    parts = [
        Part(name, row[name].cast(pl.Float64)[0], value, bundle.card.reasons.get(SPECS[name].reason, ""))
        for name, value in shares.items()
    ]
    parts.sort(key=lambda part: -abs(part.points))
    return Explanation(total, total - sum(shares.values()), is_fallback, tuple(parts))


def _of_trees(bundle: Bundle, row: pl.DataFrame, *, is_fallback: bool, threads: int) -> dict[str, float]:
    card = bundle.card
    names = outage.inside_only(card.features) if is_fallback else card.features
    model, line = (FALLBACK_MODEL, FALLBACK_LINE) if is_fallback else (MODEL, LINE)
    matrix = row.select(pl.col(names).cast(pl.Float32)).to_numpy()
    shares: Floats = trees.contributions(trees.from_bytes(bundle.parts[model], threads=threads), matrix)[0]
    # Points fall by one factor where the log odds of the bad outcome rise by one.
    slope = Calibration.from_bytes(bundle.parts[line]).slope * card.scaling.factor
    return dict(zip(names, ((-slope if card.event_is == "bad" else slope) * shares).tolist(), strict=True))


def _of_points(bundle: Bundle, row: pl.DataFrame, *, is_fallback: bool) -> dict[str, float]:
    part = "fallback_scorecard.json" if is_fallback else "scorecard.json"
    found: dict[str, float] = {}
    for feature in points.of_parts(bundle.parts[part]).features:
        value = row[feature.bins.name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        found[feature.bins.name] = float(np.asarray(feature.milli)[feature.bins.place(value)][0]) / 1000
    return found
