"""Explore a sample before anything is fitted: what each feature says, by itself, of the outcome.

The table is built on training rows only and kept in the card (``figures.explore``), whatever the algorithm.
"""

from typing import Any

import numpy as np
import polars as pl

from models.binning import Bins
from models.catalogue import Recipe
from models.feature_list import SPECS
from models.sample import Sample
from models.woe import bin_all

_ROWS = 100_000


def explore(recipe: Recipe, sample: Sample, *, seed: int) -> tuple[dict[str, Any], list[Bins]]:
    """Return the exploration table and the bins behind it.

    On more than 100,000 training rows a random sample of that size is explored; ``rows`` says how many.
    ``events`` counts the model's event, ``woe`` is good over bad for the lender.
    """
    chosen = np.flatnonzero(~sample.is_test)
    if len(chosen) > _ROWS:
        chosen = np.sort(np.random.default_rng(seed).choice(chosen, _ROWS, replace=False))
    rows, outcome = sample.features[chosen], sample.outcome[chosen]
    bad = outcome if recipe.event_is == "bad" else 1 - outcome
    directions = {n: recipe.direction_of(SPECS[n]) for n in recipe.features}
    binned = sorted(bin_all(rows, bad, directions, seed=seed), key=lambda b: (-b.iv, b.name))
    return {
        "rows": len(chosen),
        "events": int(outcome.sum()),
        "by_month": _by_month(sample, chosen),
        "features": [_row(recipe, b) for b in binned],
    }, binned


def _row(recipe: Recipe, bins: Bins) -> dict[str, Any]:
    spec, total = SPECS[bins.name], max(sum(bins.rows), 1)
    good_event = recipe.event_is == "good"
    return {
        "name": bins.name,
        "iv": round(bins.iv, 4),
        "missing": round(bins.rows[-1] / total, 4),
        "direction": recipe.direction_of(spec).name.lower(),
        "reason": spec.reason,
        "bins": [
            {"label": label, "rows": n, "events": n - b if good_event else b, "woe": round(w, 4)}
            for label, n, b, w in zip(bins.labels, bins.rows, bins.bads, bins.woe, strict=True)
            if n
        ],
    }


def _by_month(sample: Sample, chosen: Any) -> list[dict[str, Any]]:
    """Count rows and events by month of observation, if the sample says when a row was observed."""
    if "month" not in sample.groups:
        return []
    frame = pl.DataFrame({"month": sample.groups["month"][chosen].tolist(), "event": sample.outcome[chosen]})
    months = frame.group_by("month").agg(rows=pl.len(), events=pl.col("event").sum()).sort("month")
    return months.to_dicts()
