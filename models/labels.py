"""Outcomes that are certain, and nothing else (domain brief §3.1, §3.2).

A row becomes a label only when its window has passed and what happened in it is known: an account
not heard of since is neither good nor bad.
"""

from datetime import date

import polars as pl

BAD_30D = "bad_30d"
HORIZON_DAYS = 30
BAD_DPD = 31
POSTING_LAG_DAYS = 3
"""Payments valued inside the window may be booked this much later."""
ENTRY_DPD = 7
"""An episode first seen later than this is not observed at entry (weekly feeds see DPD 1..7)."""

EPISODES = {"episode_id": pl.Int64, "account_id": pl.Int64, "entry_on": pl.Date, "ended_on": pl.Date,
            "end_reason": pl.String}  # fmt: skip
SNAPSHOTS = {"account_id": pl.Int64, "business_date": pl.Date, "dpd": pl.Int64}


def reached_dpd_31(episodes: pl.DataFrame, snapshots: pl.DataFrame, *, as_of: date) -> pl.DataFrame:
    """Return ``episode_id, account_id, observed_on, matured_on, outcome`` of the episodes that matured.

    Observed at the first snapshot of the episode. Bad: DPD 31 reached within 30 days, or charged off.
    Good: ended by payment within the window, or too little late to have reached it. DPD grows by one a
    day at most and an unpaid due date only moves forward, so the last snapshot inside the window bounds
    the DPD at its end from above, a later one (``date - dpd``) from below; between the two is unknown.
    """
    day, dpd = pl.col("business_date"), pl.col("dpd")
    last_day = pl.col("observed_on") + pl.duration(days=HORIZON_DAYS)
    seen = (
        episodes.join(snapshots.filter((day <= as_of) & (dpd >= 1)), on="account_id")
        .filter((day >= pl.col("entry_on")) & (pl.col("ended_on").is_null() | (day <= pl.col("ended_on"))))
        .sort("episode_id", "business_date")
        .with_columns(observed_on=day.first().over("episode_id"), observed_dpd=dpd.first().over("episode_id"))
        .filter((pl.col("observed_dpd") <= ENTRY_DPD) & (last_day + pl.duration(days=POSTING_LAG_DAYS) <= as_of))
        # DPD at the window's end as this snapshot implies it: exact had nothing been paid in between.
        .with_columns(in_window=day <= last_day, implied=dpd + (last_day - day).dt.total_days())
    )
    inside = pl.col("in_window")
    facts = seen.group_by("episode_id", maintain_order=True).agg(
        pl.col("account_id", "observed_on", "ended_on", "end_reason").first(),
        reached=((inside & (dpd >= BAD_DPD)) | (~inside & (pl.col("implied") >= BAD_DPD))).any(),
        at_most=pl.col("implied").filter(inside).last(),
    )
    ended, reason = pl.col("ended_on") <= last_day, pl.col("end_reason")
    outcome = (
        pl.when(pl.col("reached") | (ended & (reason == "charged_off")))
        .then(1)
        .when(ended & reason.is_in(["cured", "paid_off"]))
        .then(0)
        .when(~ended.fill_null(False) & (pl.col("at_most") < BAD_DPD))
        .then(0)
    )
    return (
        facts.with_columns(outcome=outcome.cast(pl.Int64), matured_on=last_day)
        .filter(pl.col("outcome").is_not_null())
        .select("episode_id", "account_id", "observed_on", "matured_on", "outcome")
    )
