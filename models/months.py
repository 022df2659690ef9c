"""Monthly states of an account: past due, billed, paid, for the last months before an observation.

A lender that reports statement cycles is taken at its word. For the others the same states are made
from daily snapshots and payments, so that one card serves both kinds of book.
"""

from datetime import date, timedelta

import polars as pl

from models.feature_list import MONTHS
from models.schema import RawFrames

DAYS_PER_MONTH = 30
_STALE_CYCLE_DAYS = 45
_MEAN_MONTH = 30.4375


def monthly_states(frames: RawFrames, as_of: date) -> pl.DataFrame:
    """Return one row per account: ``past_due_k``, ``statement_k``, ``paid_k`` for k = 0..MONTHS-1."""
    cycles = _from_cycles(frames.cycles, as_of)
    snapshots = _from_snapshots(frames, as_of).join(cycles, on="account_id", how="anti")
    return (
        frames.accounts.select("account_id")
        .join(pl.concat([cycles, snapshots]), on="account_id", how="left")
    )  # fmt: skip


def _columns() -> list[str]:
    return [f"{stem}_{k}" for stem in ("past_due", "statement", "paid") for k in range(MONTHS)]


def _from_cycles(cycles: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """Place reported cycles on month slots, counted back from the account's latest cycle."""
    month = ((pl.col("latest") - pl.col("cycle_end_on")).dt.total_days() / _MEAN_MONTH).round().cast(pl.Int64)
    placed = (
        cycles.filter(pl.col("cycle_end_on") <= as_of)
        .with_columns(latest=pl.col("cycle_end_on").max().over("account_id"))
        .filter(pl.col("latest") >= as_of - timedelta(days=_STALE_CYCLE_DAYS))
        .with_columns(month=month)
        .filter(pl.col("month") < MONTHS)
        .sort("account_id", "cycle_end_on")
    )
    reported = (("past_due", "cycles_past_due"), ("statement", "statement_amount"), ("paid", "paid_amount"))
    return placed.group_by("account_id").agg(
        pl.col(column).filter(pl.col("month") == k).last().cast(pl.Float64).alias(f"{stem}_{k}")
        for stem, column in reported
        for k in range(MONTHS)
    )


def _from_snapshots(frames: RawFrames, as_of: date) -> pl.DataFrame:
    """Read the state at the end of each 30-day month before ``as_of``; payments count in their month."""
    states = frames.accounts.select("account_id", "has_payment_feed")
    for k in range(MONTHS):
        end = as_of - timedelta(days=k * DAYS_PER_MONTH)
        start = end - timedelta(days=DAYS_PER_MONTH)
        known = frames.snapshots.filter(pl.col("business_date") <= end)
        state = known.group_by("account_id").agg(
            (pl.col("dpd").sort_by("business_date").last() / DAYS_PER_MONTH).ceil().alias(f"past_due_{k}"),
            pl.col("balance_amount").sort_by("business_date").last().cast(pl.Float64).alias(f"statement_{k}"),
            (pl.col("business_date").min() <= start).alias("covered"),
        )
        paid = (
            frames.payments.filter(
                pl.col("value_on").is_between(start, end, closed="left") & (pl.col("known_on") <= as_of)
            )
            .group_by("account_id")
            .agg(pl.col("amount").sum().cast(pl.Float64).alias("paid"))
        )
        states = (
            states.join(state, on="account_id", how="left")
            .join(paid, on="account_id", how="left")
            # No payment row means "paid nothing" only where the month was watched from its start.
            .with_columns(pl.when(pl.col("covered") & pl.col("has_payment_feed")).then(0.0).alias("nothing"))
            .with_columns(pl.coalesce("paid", "nothing").alias(f"paid_{k}"))
            .drop("covered", "paid", "nothing")
        )
    return states.select("account_id", *_columns()).filter(pl.col("past_due_0").is_not_null())
