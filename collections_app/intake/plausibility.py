"""Whether vendors' answers contradict themselves, for a whole file at once (the rule: domain.contradiction)."""

from functools import reduce

import polars as pl

from collections_app.domain.multi_lending import HitStatus, LendingRules, bounds, narrower


def contradictions(frame: pl.DataFrame, rules: LendingRules) -> pl.Series:
    """Return for each row of the entity signals why its counts (``ml_*``) cannot be true, or null."""
    counts = [c for c in frame.columns if c.startswith("ml_")]
    if not counts:
        return pl.Series("contradiction", [None] * frame.height, dtype=pl.String)
    told = set(counts)

    def breaks(pairs: list[tuple[str, list[str]]], above: bool) -> pl.Expr:
        found = [
            pl.col(name) < pl.max_horizontal(others) if above else pl.col(name) > pl.min_horizontal(others)
            for name, others in pairs
            if others
        ]
        return reduce(lambda a, b: a | b, (f.fill_null(value=False) for f in found), pl.lit(value=False))

    windows = [(n, [o for o in narrower(n, rules) if o in told]) for n in counts]
    wholes = [(n, [o for o in bounds(n) if o in told]) for n in counts]
    any_told = pl.any_horizontal(pl.col(counts).is_not_null())
    reason = (
        pl.when(pl.col("hit_status") != HitStatus.HIT)
        .then(pl.when(any_told).then(pl.format("{} with a count", "hit_status")))
        .when(pl.any_horizontal(pl.col(counts) < 0).fill_null(value=False))
        .then(pl.lit("a count below zero"))
        .when(breaks(windows, above=True))
        .then(pl.lit("a narrow window above a wider one"))
        .when(breaks(wholes, above=False))
        .then(pl.lit("a part above its whole"))
    )
    return frame.select(reason.alias("contradiction"))["contradiction"]
