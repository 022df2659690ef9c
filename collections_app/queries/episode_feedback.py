"""What collections learned about each episode, as known at the end of a day (domain brief §3.9).

Point in time: a row for day D holds nothing that was not known when D ended. Figures that later days overwrite
(an episode's highest DPD, its end) are taken from dated history instead.
"""

from datetime import UTC, date, datetime, time
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.queries import episode_history as history

SCHEMA_VERSION = 1
LOST_ATTEMPTS = 5
"""As many calls without anybody answering, and the customer counts as lost (§3.1)."""

_COLUMN_TYPES: dict[str, Any] = {
    "source": pl.String,
    "customer_ref": pl.String,
    "account_ref": pl.String,
    "episode_id": pl.Int64,
    "entry_on": pl.Date,
    "ended_on": pl.Date,
    "end_reason": pl.String,
    "max_dpd": pl.Int64,
    "cure_dpd": pl.Int64,
    "cure_mode": pl.String,
    "n_attempts": pl.Int64,
    "n_rpc": pl.Int64,
    "n_promises": pl.Int64,
    "ptp_kept_ratio": pl.Float64,
    "hardship_flag": pl.Boolean,
    "lost_flag": pl.Boolean,
    "complaint_flag": pl.Boolean,
    "qa_flags": pl.List(pl.String),
    "available_from": pl.Datetime("us", "UTC"),
    "schema_version": pl.Int64,
}
COLUMNS = pl.Schema(_COLUMN_TYPES)


def build(session: Session, *, as_of: date) -> pl.DataFrame:
    """Return the feed: one row per episode known at the end of ``as_of``."""
    return learned(session, as_of=as_of).select(COLUMNS.names())


def learned(session: Session, *, as_of: date, among: sa.FromClause | None = None) -> pl.DataFrame:
    """Return the feed's columns with ``account_id``; ``among`` (``account_id``): of these accounts only."""
    end = datetime.combine(as_of, time.max, tzinfo=UTC)
    episodes = history.episodes(session, as_of=as_of, among=among)
    frame = (
        episodes.join(_dpd(episodes, history.snapshots(session, as_of=as_of, among=among)), on="episode_id", how="left")
        .join(_contacts(episodes, history.attempts(session, until=end, among=among)), on="episode_id", how="left")
        .join(
            _promises(episodes, history.promises(session, until=end, as_of=as_of, among=among)),
            on="episode_id",
            how="left",
        )
        .join(_complaints(episodes, history.complaints(session, until=end)), on="episode_id", how="left")
        .join(_confirmed(episodes, history.confirmed_findings(session, until=end)), on="episode_id", how="left")
    )
    counts = ("n_attempts", "n_rpc", "n_promises")
    known = ("dpd_known_at", "contact_known_at", "promise_known_at", "complaint_known_at", "qa_known_at")
    cured = pl.col("end_reason") == "cured"
    return (
        frame.with_columns(
            pl.col(counts).fill_null(0),
            pl.col("hardship_flag", "lost_flag", "complaint_flag").fill_null(value=False),
            pl.col("qa_flags").fill_null([]),
            available_from=pl.max_horizontal(_evening("entry_on"), _evening("ended_on"), *known),
            schema_version=pl.lit(SCHEMA_VERSION, pl.Int64),
        )
        .with_columns(cure_dpd=pl.when(cured).then("last_dpd"), cure_mode=pl.when(cured).then(_cure_mode()))
        .select("account_id", *(pl.col(name).cast(dtype) for name, dtype in COLUMNS.items()))
        .sort("episode_id")
    )


def _cure_mode() -> pl.Expr:
    """Name the strongest thing that happened before the cure; only untouched episodes cured themselves."""
    return (
        pl.when(pl.col("n_kept") > 0).then(pl.lit("promise"))
        .when(pl.col("agent_rpc") > 0).then(pl.lit("agent"))
        .when(pl.col("robot_rpc") > 0).then(pl.lit("robot"))
        .when(pl.col("n_attempts") > 0).then(pl.lit("reminder"))
        .otherwise(pl.lit("self"))
    )  # fmt: skip


def _evening(column: str) -> pl.Expr:
    """Return the last instant of a day: a fact of a daily feed is not known earlier in that day."""
    return pl.col(column).cast(pl.Datetime("us")).dt.offset_by("1d").dt.offset_by("-1us").dt.replace_time_zone("UTC")


def _during(episodes: pl.DataFrame, facts: pl.DataFrame, *, key: str, on: str) -> pl.DataFrame:
    """Pair episodes with the facts of their account or customer that fall between entry and end."""
    day = pl.col(on)
    return episodes.select("episode_id", key, "entry_on", "ended_on").join(facts, on=key).filter(
        (day >= pl.col("entry_on")) & (pl.col("ended_on").is_null() | (day <= pl.col("ended_on")))
    )  # fmt: skip


def _dpd(episodes: pl.DataFrame, snapshots: pl.DataFrame) -> pl.DataFrame:
    late = _during(episodes, snapshots.filter(pl.col("dpd") >= 1), key="account_id", on="business_date")
    return (
        late.with_columns(known_at=_evening("business_date"))
        .sort("episode_id", "business_date")
        .group_by("episode_id", maintain_order=True)
        .agg(max_dpd=pl.col("dpd").max(), last_dpd=pl.col("dpd").last(), dpd_known_at=pl.col("known_at").max())
    )


def _contacts(episodes: pl.DataFrame, attempts: pl.DataFrame) -> pl.DataFrame:
    tried = _during(episodes, attempts, key="customer_id", on="on")
    calls = pl.col("is_call").sum()
    return tried.group_by("episode_id").agg(
        n_attempts=pl.len(),
        n_rpc=pl.col("is_rpc").sum(),
        agent_rpc=(pl.col("is_rpc") & pl.col("is_agent")).sum(),
        robot_rpc=(pl.col("is_rpc") & ~pl.col("is_agent")).sum(),
        hardship_flag=pl.col("is_hardship").any(),
        lost_flag=(calls >= LOST_ATTEMPTS) & ~pl.col("is_connect").any(),
        contact_known_at=pl.col("known_at").max(),
    )


def _promises(episodes: pl.DataFrame, promises: pl.DataFrame) -> pl.DataFrame:
    made = _during(episodes, promises, key="account_id", on="created_on")
    kept, judged = pl.col("is_kept").sum(), pl.col("is_judged").sum()
    return (
        made.with_columns(known_at=pl.max_horizontal("created_at", _evening("judged_on")))
        .group_by("episode_id")
        .agg(
            n_promises=pl.len(),
            n_kept=kept,
            ptp_kept_ratio=pl.when(judged > 0).then(kept / judged),
            promise_known_at=pl.col("known_at").max(),
        )
    )


def _complaints(episodes: pl.DataFrame, complaints: pl.DataFrame) -> pl.DataFrame:
    made = _during(episodes, complaints, key="customer_id", on="on")
    return made.group_by("episode_id").agg(
        complaint_flag=pl.lit(value=True), complaint_known_at=pl.col("known_at").max()
    )


def _confirmed(episodes: pl.DataFrame, findings: pl.DataFrame) -> pl.DataFrame:
    found = _during(episodes, findings, key="customer_id", on="on")
    return found.group_by("episode_id").agg(
        qa_flags=pl.col("item_code").unique().sort(), qa_known_at=pl.col("known_at").max()
    )
