"""Treatment bands that do not flap: a band is kept for some days unless the score moves far (domain brief §3.11)."""

from datetime import date, timedelta

import polars as pl

from strategies.model_numbers import BandHold

BANDS = ("S1", "S2", "S3", "S4", "S5")


def held_bands(scores: pl.DataFrame, before: pl.DataFrame, *, on: date, hold: BandHold) -> pl.DataFrame:
    """Return ``scores`` (``case_id, band``, ...) with the band that treatment sees, ``since`` and ``said``.

    ``before`` has the last scoring's ``case_id, band, since`` (since null = long enough ago). Within
    ``hold_days`` of its last change a band does not move by ``step`` bands or fewer; by more it moves at once.
    ``since`` is the day of the last change while that still matters tomorrow, else null; ``said`` is the band
    that the score itself names where another is held, else null.
    """
    rank = {name: n for n, name in enumerate(BANDS)}
    was = before.select("case_id", was="band", was_since="since")
    joined = scores.join(was, on="case_id", how="left", maintain_order="left")
    apart = (_rank(pl.col("band"), rank) - _rank(pl.col("was"), rank)).abs()
    young = pl.col("was_since") > on - timedelta(days=hold.hold_days)
    keeps = ((apart == 0) | ((apart <= hold.step) & young)).fill_null(value=False)
    since = pl.when(keeps).then(pl.col("was_since")).otherwise(pl.lit(on))
    return joined.with_columns(
        band=pl.when(keeps).then("was").otherwise("band"),
        since=pl.when(since > on + timedelta(days=1 - hold.hold_days)).then(since),
        said=pl.when(keeps & (apart > 0)).then("band"),
    ).drop("was", "was_since")


def _rank(band: pl.Expr, rank: dict[str, int]) -> pl.Expr:
    return band.replace_strict(rank, default=None, return_dtype=pl.Int64)
