"""Plans judged by cash, a whole book at once: the set-based twin of ``domain.plans.judge``."""

from datetime import date
from typing import Any

import polars as pl

# One row per term of the plans to judge; the plan's own figures are repeated on each.
TERMS: dict[str, Any] = {
    "plan_id": pl.Int64,
    "account_id": pl.Int64,
    "starts_on": pl.Date,
    "grace_days": pl.Int64,
    "tolerance_percent": pl.Int64,
    "missed_terms": pl.Int64,
    "seq": pl.Int64,
    "due_on": pl.Date,
    "amount": pl.Int64,
}
# Settled cash without what was taken back, in minor units of the account's currency.
CASH: dict[str, Any] = {"account_id": pl.Int64, "value_on": pl.Date, "amount": pl.Int64}


def verdicts(terms: pl.DataFrame, cash: pl.DataFrame, *, as_of: date) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Judge every plan by the cash valued from its start up to ``as_of``.

    Returns one row per plan (plan_id, status: active, completed or broken) and one per term (plan_id, seq,
    paid_amount), each sorted by its keys.
    """
    day = pl.lit(as_of, pl.Date)
    plans = terms.select("plan_id", "account_id", "starts_on").unique()
    counted = (
        plans.join(cash, on="account_id")
        .filter(pl.col("value_on").is_between(pl.col("starts_on"), day))
        .group_by("plan_id", "value_on")
        .agg(pl.sum("amount"))
        .sort("plan_id", "value_on")
        .select("plan_id", "value_on", in_time=pl.col("amount").cum_sum().over("plan_id"))
    )
    came = counted.group_by("plan_id").agg(came=pl.max("in_time"))
    judged = (
        terms.sort("plan_id", "seq")
        .with_columns(
            due=pl.col("amount").cum_sum().over("plan_id"),
            last_day=pl.col("due_on") + pl.duration(days=pl.col("grace_days")),
        )
        .join(came, on="plan_id", how="left")
        .sort("last_day")
        .join_asof(
            counted.sort("value_on"),
            left_on="last_day",
            right_on="value_on",
            by="plan_id",
            strategy="backward",
            check_sortedness=False,  # both sides are sorted just above; with a key polars cannot see it
        )
        .with_columns(pl.col("came", "in_time").fill_null(0))
        .with_columns(
            is_missed=(pl.col("last_day") < day)
            & (100 * pl.col("in_time") < pl.col("due") * (100 - pl.col("tolerance_percent")))
        )
    )
    status = (
        judged.group_by("plan_id")
        .agg(
            is_broken=pl.sum("is_missed") >= pl.first("missed_terms"),
            is_over=(pl.max("last_day") < day) | (pl.first("came") >= pl.max("due")),
        )
        .select(
            "plan_id",
            status=pl.when("is_broken")
            .then(pl.lit("broken"))
            .when("is_over")
            .then(pl.lit("completed"))
            .otherwise(pl.lit("active")),
        )
        .sort("plan_id")
    )
    paid = judged.select(
        "plan_id",
        "seq",
        paid_amount=(pl.col("came") - pl.col("due") + pl.col("amount")).clip(lower_bound=0, upper_bound="amount"),
    ).sort("plan_id", "seq")
    return status, paid
