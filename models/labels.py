"""Outcomes that are certain, and nothing else (domain brief §3.1, §3.2).

A row becomes a label only when its window and the posting lag have passed and what happened in it is known: an
account not heard of since is neither good nor bad, one that was sold has no outcome of ours. Frames in, labels
out; who reads the tables is services/labelling. ``outcome`` null = looked at and not certain: it is not stored.
"""

from datetime import date

import polars as pl

BAD_30D, ROLLED_M2, ROLLED_M3, ROLLED_M4 = "bad_30d", "rolled_m2", "rolled_m3", "rolled_m4"
CURED_10D, RPC_7D, LOST_7D = "cured_10d", "rpc_7d", "lost_7d"
PROMISE_KEPT, RECOVERED_90D = "promise_kept", "recovered_90d"

HORIZON_DAYS = 30
BAD_DPD = 31
POSTING_LAG_DAYS = 3
"""Payments valued inside the window may be booked this much later."""
ENTRY_DPD = 7
"""An episode first seen later than this is not observed at entry (weekly feeds see DPD 1..7)."""
CURE_DAYS = 10
CURE_ENTRY_DPD = 4
"""Self-cure is watched for ten days from here at most: our hold-outs end at DPD 14, and who is worked from then on
would leave only the payers among the unworked."""
RECOVERY_DAYS = 90
CONTACT_DAYS = 7
REACHED_DAYS = 90
LOST_CALLS = 2
"""As many unanswered calls in the week make a lost one; a single one proves little."""

ARRIVALS: tuple[tuple[str, int, int], ...] = (
    (ROLLED_M2, 10, 31), (ROLLED_M2, 15, 31), (ROLLED_M2, 20, 31),
    (ROLLED_M3, 31, 61), (ROLLED_M4, 61, 91), (ROLLED_M4, 91, 121),
)  # fmt: skip
"""Label, DPD at which it is observed, DPD that makes it bad. The window ends on the day on which an account that
pays nothing gets there, so an account observed two days late has two days less."""
ARRIVAL_TOLERANCE = 4
"""An account first seen up to this much later still counts as observed there (feeds do not come every day)."""

EPISODES = {"episode_id": pl.Int64, "account_id": pl.Int64, "entry_on": pl.Date, "ended_on": pl.Date,
            "end_reason": pl.String}  # fmt: skip
SNAPSHOTS = {"account_id": pl.Int64, "business_date": pl.Date, "dpd": pl.Int64}
STANDING = {"account_id": pl.Int64, "from_on": pl.Date, "dpd": pl.Int64, "is_ageing": pl.Boolean}
LABEL_ROWS = {
    "label": pl.String, "account_id": pl.Int64, "episode_id": pl.Int64, "case_id": pl.Int64, "observed_on": pl.Date,
    "matured_on": pl.Date, "worked_until": pl.Date, "horizon_days": pl.Int64, "outcome": pl.Int64, "value": pl.Float64,
}  # fmt: skip
"""What a labeller returns. ``worked_until``: the first day on which our work no longer bears on the outcome."""
_PAID = ("cured", "paid_off")


def _days(count: pl.Expr | int) -> pl.Expr:
    return pl.duration(days=count)


def label_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the columns LABEL_ROWS of a frame; what it lacks is null, and work counts until the label matures."""
    until = {} if "worked_until" in frame.columns else {"worked_until": pl.col("matured_on")}
    known = frame.with_columns(**until)
    absent = [pl.lit(None, dtype).alias(c) for c, dtype in LABEL_ROWS.items() if c not in known.columns]
    return known.with_columns(absent).select(pl.col(c).cast(dtype) for c, dtype in LABEL_ROWS.items())


def _entered(episodes: pl.DataFrame, snapshots: pl.DataFrame, *, most: int) -> pl.DataFrame:
    """Add ``observed_on``, the first day an episode was seen past due; one seen late the first time is left out."""
    day, dpd = pl.col("business_date"), pl.col("dpd")
    first = (
        episodes.join(snapshots.filter(dpd >= 1), on="account_id")
        .filter((day >= pl.col("entry_on")) & (pl.col("ended_on").is_null() | (day <= pl.col("ended_on"))))
        .sort("episode_id", "business_date")
        .unique("episode_id", keep="first", maintain_order=True)
    )
    return first.filter(dpd <= most).rename({"business_date": "observed_on"}).drop("dpd")


def entered_m1(episodes: pl.DataFrame, snapshots: pl.DataFrame, *, as_of: date) -> pl.DataFrame:
    """Return LABEL_ROWS of ``bad_30d``: DPD 31 within 30 days of the first sight; null where it is not certain."""
    entered = _entered(episodes, snapshots, most=ENTRY_DPD)
    window = pl.col("observed_on") + _days(HORIZON_DAYS)
    asked = entered.with_columns(label=pl.lit(BAD_30D), last_on=window, bad_dpd=pl.lit(BAD_DPD))
    return label_rows(rolled(asked, snapshots, as_of=as_of))


def rolled(observations: pl.DataFrame, snapshots: pl.DataFrame, *, as_of: date) -> pl.DataFrame:
    """Add ``outcome, matured_on, horizon_days`` to observations whose window and posting lag have passed.

    Observations: EPISODES' columns with ``observed_on``, ``last_on`` (the window's end) and ``bad_dpd``. Bad: that
    DPD reached by then, or charged off. Good: ended by payment within the window, or too little late to have
    reached it. DPD grows by one a day at most and an unpaid due date only moves forward, so the last snapshot inside
    the window bounds the DPD at its end from above, a later one (``date - dpd``) from below; between is unknown.
    """
    day, dpd, last_day = pl.col("business_date"), pl.col("dpd"), pl.col("last_on")
    keys = ["label", "episode_id", "observed_on"]
    seen = (
        observations.filter(last_day + _days(POSTING_LAG_DAYS) <= as_of)
        .join(snapshots.filter((day <= as_of) & (dpd >= 1)), on="account_id")
        .filter((day >= pl.col("observed_on")) & (pl.col("ended_on").is_null() | (day <= pl.col("ended_on"))))
        .sort(*keys, "business_date")
        # DPD at the window's end as this snapshot implies it: exact had nothing been paid in between.
        .with_columns(in_window=day <= last_day, implied=dpd + (last_day - day).dt.total_days())
    )
    inside, bad = pl.col("in_window"), pl.col("bad_dpd")
    kept = [c for c in observations.columns if c not in keys]
    facts = seen.group_by(keys, maintain_order=True).agg(
        pl.col(kept).first(),
        reached=((inside & (dpd >= bad)) | (~inside & (pl.col("implied") >= bad))).any(),
        at_most=pl.col("implied").filter(inside).last(),
    )
    ended, reason = pl.col("ended_on") <= last_day, pl.col("end_reason")
    outcome = (
        pl.when(pl.col("reached") | (ended & (reason == "charged_off")))
        .then(1)
        .when(ended & reason.is_in(_PAID))
        .then(0)
        .when(~ended.fill_null(value=False) & (pl.col("at_most") < bad))
        .then(0)
    )
    return facts.with_columns(
        outcome=outcome.cast(pl.Int64), matured_on=last_day, worked_until=_until_end(last_day),
        horizon_days=(last_day - pl.col("observed_on")).dt.total_days(),
    )  # fmt: skip


def _until_end(last_day: pl.Expr) -> pl.Expr:
    """Return the day from which our work can no longer matter: the window is over, or the episode."""
    return pl.min_horizontal(last_day, pl.col("ended_on"))


def arrived(episodes: pl.DataFrame, standing: pl.DataFrame, snapshots: pl.DataFrame, *, as_of: date) -> pl.DataFrame:
    """Return LABEL_ROWS of ``rolled_m2, rolled_m3, rolled_m4``: observed when DPD first got to each of ARRIVALS.

    ``standing`` (columns STANDING): on day t, dpd + (t - from_on) if ageing, else dpd; until the next row begins.
    """
    points = pl.DataFrame(ARRIVALS, schema={"label": pl.String, "at": pl.Int64, "bad_dpd": pl.Int64}, orient="row")
    following = pl.col("from_on").shift(-1).over("account_id", order_by="from_on") - _days(1)
    missing = pl.max_horizontal(0, pl.col("at") - pl.col("dpd"))
    met = (
        standing.with_columns(to_on=pl.coalesce(following, pl.lit(as_of)))
        .join(points, how="cross")
        .with_columns(observed_on=pl.col("from_on") + _days(missing), observed_dpd=pl.col("dpd") + missing)
        .filter(
            pl.col("observed_dpd") <= pl.col("at") + ARRIVAL_TOLERANCE,
            pl.when("is_ageing").then(pl.col("observed_on") <= pl.col("to_on")).otherwise(missing == 0),
        )
    )
    day = pl.col("observed_on")
    asked = (
        episodes.join(met, on="account_id")
        .filter((day >= pl.col("entry_on")) & (pl.col("ended_on").is_null() | (day < pl.col("ended_on"))))
        .sort("episode_id", "label", "at", "observed_on")
        .unique(["episode_id", "label", "at"], keep="first", maintain_order=True)
        # A jump over two points on one day is one observation.
        .unique(["episode_id", "label", "observed_on"], keep="first", maintain_order=True)
        .with_columns(last_on=day + _days(pl.col("bad_dpd") - pl.col("observed_dpd")))
        .drop("dpd", "is_ageing", "from_on", "to_on", "at", "observed_dpd")
    )
    return label_rows(rolled(asked, snapshots, as_of=as_of))


def cured(episodes: pl.DataFrame, snapshots: pl.DataFrame, *, as_of: date) -> pl.DataFrame:
    """Return LABEL_ROWS of ``cured_10d``: the episode ended by payment within ten days of its first sight.

    Not cured only where it is certain that something was still unpaid at the window's end; sold, charged off or not
    heard of since is neither. Whether anybody worked the account is told beside the label, by arm.
    """
    last_day, day = pl.col("observed_on") + _days(CURE_DAYS), pl.col("business_date")
    asked = (
        _entered(episodes, snapshots, most=CURE_ENTRY_DPD)
        .filter(last_day + _days(POSTING_LAG_DAYS) <= as_of)
        .with_columns(last_on=last_day)
    )
    # A later sight with DPD d on day t proves that something was unpaid since t - d.
    open_then = (
        asked.join(snapshots.filter(pl.col("dpd") >= 1), on="account_id")
        .filter(day >= pl.col("last_on"), pl.col("ended_on").is_null() | (day <= pl.col("ended_on")))
        .filter(pl.col("dpd") + (pl.col("last_on") - day).dt.total_days() >= 1)
        .select("episode_id", is_open=True)
        .unique()
    )
    ended = pl.col("ended_on") <= pl.col("last_on")
    outcome = (
        pl.when(ended & pl.col("end_reason").is_in(_PAID)).then(1)
        .when(~ended.fill_null(value=False) & pl.col("is_open")).then(0)
    )  # fmt: skip
    return label_rows(
        asked.join(open_then, on="episode_id", how="left").with_columns(
            label=pl.lit(CURED_10D), outcome=outcome, matured_on="last_on", worked_until=_until_end(pl.col("last_on")),
            horizon_days=pl.lit(CURE_DAYS),
        )
    )  # fmt: skip
