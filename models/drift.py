"""What the development rows looked like, frozen, so that next month's rows can be compared with them.

Features: ten quantile bins; ``shares`` of the bins and the share ``missing`` add up to one, so that a feed
that dries up shows as drift of every feature it carries. External: shares of the four answers of a vendor.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from models.evaluate import Floats
from models.external import STATUS

_BINS = 10
_ROWS = 200_000


def frozen(features: pl.DataFrame, names: Sequence[str], *, seed: int = 0) -> dict[str, Any]:
    """Return ``{"features": {name: {edges, shares, missing}}, "external": {status: share}}`` of development rows.

    Beyond 200,000 rows a random sample of that size stands for all.
    """
    kept = features.sample(_ROWS, seed=seed) if features.height > _ROWS else features
    return {
        "features": {name: _frozen(kept[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()) for name in names},
        "external": external_shares(features),
    }


def external_shares(features: pl.DataFrame) -> dict[str, float]:
    """Return the share of rows by answer of the vendor; empty where the set has no outside features."""
    if "ml_status" not in features.columns or features.is_empty():
        return {}
    status = features["ml_status"].fill_null(STATUS["not_queried"])
    return {name: round(int((status == code).sum()) / len(status), 6) for name, code in STATUS.items()}


def shares(values: Floats, edges: Sequence[float]) -> tuple[list[float], float]:
    """Return the share of all rows in each bin (edge[i-1], edge[i]] and the share missing; they add up to one."""
    known = values[~np.isnan(values)]
    counts = np.bincount(np.searchsorted(np.asarray(edges), known, side="left"), minlength=len(edges) + 1)
    n = max(len(values), 1)
    return [round(float(c / n), 6) for c in counts], round(1 - len(known) / n, 6)


def _frozen(values: Floats) -> dict[str, Any]:
    known = values[~np.isnan(values)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1])) if len(known) else np.zeros(0)
    part, missing = shares(values, edges.tolist())
    return {"edges": edges.tolist(), "shares": part, "missing": missing}
