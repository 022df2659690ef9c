"""Outcomes of contact, promises and placements, when certain (domain brief §3.1). Frames in, labels out."""

from datetime import date

import polars as pl

from models.labels import (
    CONTACT_DAYS,
    LOST_7D,
    LOST_CALLS,
    POSTING_LAG_DAYS,
    PROMISE_KEPT,
    REACHED_DAYS,
    RECOVERED_90D,
    RECOVERY_DAYS,
    RPC_7D,
    label_rows,
)

CALLS = {"case_id": pl.Int64, "on": pl.Date, "is_settled": pl.Boolean, "is_rpc": pl.Boolean, "is_answered": pl.Boolean}
"""Outbound calls. ``is_answered``: somebody answered on a number of the customer's own."""
PROMISES = {"account_id": pl.Int64, "case_id": pl.Int64, "created_on": pl.Date, "due_on": pl.Date,
            "settled_on": pl.Date, "is_kept": pl.Boolean}  # fmt: skip
PLACEMENTS = {"account_id": pl.Int64, "case_id": pl.Int64, "placed_on": pl.Date, "arrears": pl.Int64,
              "heard_until": pl.Date, "sold_on": pl.Date}  # fmt: skip
"""``heard_until``: the last day for which the lender told us anything; null = it tells of no payments."""
CASH = {"account_id": pl.Int64, "value_on": pl.Date, "amount": pl.Int64}
"""Money that arrived, by value date; what was taken back has a negative amount."""
_LAG = 1


def weeks_of(calls: pl.DataFrame) -> pl.DataFrame:
    """Return ``case_id, observed_on``: the Monday of each week in which a case was called."""
    return calls.select("case_id", observed_on=pl.col("on").dt.truncate("1w")).unique()


def contacted(weeks: pl.DataFrame, calls: pl.DataFrame, *, as_of: date) -> pl.DataFrame:
    """Return LABEL_ROWS of ``rpc_7d`` and ``lost_7d`` of weeks (``account_id, episode_id, case_id, observed_on``).

    Observed on Monday morning. A week without a call says nothing of whether the customer could have been reached.
    ``rpc_7d``: at least one right-party contact. ``lost_7d``: of cases that answered within the 90 days before, two
    calls or more and nobody answered.
    """
    week = (
        calls.group_by("case_id", observed_on=pl.col("on").dt.truncate("1w"))
        .agg(
            calls=pl.len(), is_rpc=pl.col("is_rpc").any(), is_answered=pl.col("is_answered").any(),
            is_settled=pl.col("is_settled").all(),
        )
    )  # fmt: skip
    monday = pl.col("observed_on")
    reached = (
        weeks.join(calls.filter("is_answered").select("case_id", "on"), on="case_id")
        .filter(pl.col("on").is_between(monday - pl.duration(days=REACHED_DAYS), monday, closed="left"))
        .select("case_id", "observed_on", was_reached=True)
        .unique()
    )
    known = (
        weeks.filter(monday + pl.duration(days=CONTACT_DAYS + _LAG) <= as_of)
        .join(week, on=["case_id", "observed_on"])
        .join(reached, on=["case_id", "observed_on"], how="left")
        .with_columns(matured_on=monday + pl.duration(days=CONTACT_DAYS), horizon_days=pl.lit(CONTACT_DAYS))
    )
    spoke = pl.when("is_rpc").then(1).when("is_settled").then(0)
    lost = pl.when("is_answered").then(0).when(pl.col("is_settled") & (pl.col("calls") >= LOST_CALLS)).then(1)
    return pl.concat([
        label_rows(known.with_columns(label=pl.lit(RPC_7D), outcome=spoke)),
        label_rows(known.filter("was_reached").with_columns(label=pl.lit(LOST_7D), outcome=lost)),
    ])  # fmt: skip


def promise_verdicts(promises: pl.DataFrame, *, as_of: date) -> pl.DataFrame:
    """Return LABEL_ROWS of ``promise_kept`` of judged promises; partial and broken ones are not kept (§2.4).

    The posting lag passes before a verdict is believed: a payment that comes late still keeps a promise.
    """
    judged = promises.filter(pl.col("settled_on") + pl.duration(days=POSTING_LAG_DAYS) <= as_of)
    return label_rows(
        judged.with_columns(
            label=pl.lit(PROMISE_KEPT), observed_on="created_on", matured_on="settled_on", outcome="is_kept",
            horizon_days=(pl.col("due_on") - pl.col("created_on")).dt.total_days(),
        )
    )  # fmt: skip


def recovered(placements: pl.DataFrame, cash: pl.DataFrame, *, as_of: date) -> pl.DataFrame:
    """Return LABEL_ROWS of ``recovered_90d``: ``value`` = cash in 90 days / arrears placed, in [0, 1]; outcome = any.

    Null where nobody can know: nothing was overdue, the lender tells of no payments or fell silent before the window
    was over, or the account was sold in it. A charge-off ends nothing: what is paid afterwards counts.
    """
    last = pl.col("placed_on") + pl.duration(days=RECOVERY_DAYS)
    known = placements.filter(last + pl.duration(days=POSTING_LAG_DAYS) <= as_of).with_columns(last_on=last)
    paid = (
        known.select("account_id", "placed_on", "last_on")
        .join(cash, on="account_id")
        .filter(pl.col("value_on").is_between(pl.col("placed_on"), pl.col("last_on"), closed="left"))
        .group_by("account_id", "placed_on")
        .agg(paid=pl.col("amount").sum())
    )
    share = (pl.col("paid").fill_null(0) / pl.col("arrears")).clip(0, 1)
    sold = (pl.col("sold_on") < pl.col("last_on")).fill_null(value=False)
    certain = (pl.col("arrears") > 0) & (pl.col("heard_until") >= pl.col("last_on")) & ~sold
    return label_rows(
        known.join(paid, on=["account_id", "placed_on"], how="left").with_columns(
            label=pl.lit(RECOVERED_90D), observed_on="placed_on", matured_on="last_on",
            horizon_days=pl.lit(RECOVERY_DAYS), value=pl.when(certain).then(share),
            outcome=pl.when(certain).then((share > 0).cast(pl.Int64)),
        )
    )  # fmt: skip
