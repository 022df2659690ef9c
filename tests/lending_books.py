"""Features of a made book: lateness and lenders elsewhere raise the chance of the event, payment lowers it."""

from typing import Any

import numpy as np
import polars as pl

from models.feature_list import FEATURE_NAMES


def lending_book(n: int, *, seed: int = 1, outside: bool = True) -> tuple[pl.DataFrame, Any]:
    """Return features and outcomes (1 = bad) of ``n`` accounts; a tenth of them has no file outside."""
    rng = np.random.default_rng(seed)
    late, paid = rng.integers(0, 4, n).astype(float), rng.uniform(0, 1, n)
    lenders = rng.poisson(4, n).astype(float)
    hit = rng.uniform(size=n) < 0.9
    logit = 0.8 * late - 2.2 * paid - 0.4 + (np.where(hit, 0.25 * (lenders - 4), 0.3) if outside else 0)
    bad = (rng.uniform(size=n) < 1 / (1 + np.exp(-logit))).astype(np.int64)
    values: dict[str, Any] = dict.fromkeys(FEATURE_NAMES, [None] * n) | {
        "dpd": 30 * late + 1, "past_due_0": late, "pay_ratio_0": paid,
        "ml_status": np.where(hit, 1.0, -1.0) if outside else np.full(n, -2.0),
        "ml_orgs_12m": [x if h and outside else None for x, h in zip(lenders, hit, strict=True)],
    }  # fmt: skip
    frame = pl.DataFrame({"account_id": np.arange(n), **values}, strict=False)
    return frame.with_columns(pl.col(FEATURE_NAMES).cast(pl.Float64)), bad
