"""Raw frames that only the B-cards read: customer events, and what collections learned in earlier episodes.

Every fact is read for an observation, as known on its day, and moved like the facts of ``feature_frames``.
"""

from collections.abc import Collection
from datetime import date, timedelta
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.tables import Account, AccountStanding, CustomerEvent, FeedBatch
from collections_app.queries import episode_feedback
from models.event_features import EVENT_DAYS
from models.schema import FRAMES, empty_frame

NIGHT_ENDS = 6
"""Night is from midnight to this hour by the customer's clock."""
SILENT_DAYS = 7
"""A lender whose last event file is older than this has fallen silent: no event means nothing then."""


def behaviour_frames(session: Session, asked: pl.DataFrame, names: Collection[str]) -> dict[str, pl.DataFrame]:
    """Return the named ones of BEHAVIOUR_FRAMES for observations (``row, account_id, observed_on, move``).

    In the frames ``account_id`` holds the row, and every day is moved by ``move``.
    """
    frames: dict[str, pl.DataFrame] = {}
    if asked.is_empty():
        return {name: empty_frame(name) for name in names}
    if "events" in names or "event_feeds" in names:
        wanted = bulk.stage(session, "event_account", asked.select("account_id").unique(), index=("account_id",))
        days = _days(asked)
        known = _known_by_row(asked, _events(session, wanted, since=days[0] - timedelta(EVENT_DAYS), until=days[-1]))
        frames["event_feeds"] = _moved(_covered(session, wanted, asked, known), "event_feeds")
        frames["events"] = _moved(known, "events")
    if "feedback" in names:
        parts = [_feedback(session, group, on) for (on,), group in asked.group_by("observed_on", maintain_order=True)]
        frames["feedback"] = _moved(pl.concat(parts), "feedback")
    return frames


def _days(asked: pl.DataFrame) -> list[date]:
    found: list[date] = asked["observed_on"].unique().sort().to_list()
    return found


def _moved(facts: pl.DataFrame, name: str) -> pl.DataFrame:
    days = [c for c, dtype in FRAMES[name].items() if dtype == pl.Date]
    return facts.with_columns(pl.col("row").alias("account_id"), *(pl.col(c) + pl.col("move") for c in days)).select(
        *FRAMES[name]
    )


def _events(session: Session, wanted: sa.Table, *, since: date, until: date) -> pl.DataFrame:
    """Read a day's events of one kind as one row: a million accounts have tens of millions of single ones."""
    event = table_of(CustomerEvent)
    key = (event.c.account_id, event.c.kind, event.c.occurred_on, event.c.known_on)
    night = sa.case((event.c.local_hour < NIGHT_ENDS, 1), else_=0)
    statement = (
        sa.select(
            *key, sa.func.count().label("events"), sa.func.sum(night).label("night_events"),
            sa.cast(sa.func.coalesce(sa.func.sum(event.c.amount), 0), sa.BigInteger).label("amount"),
        )
        .join(wanted, wanted.c.account_id == event.c.account_id)
        .where(event.c.occurred_on >= since, event.c.occurred_on < until, event.c.known_on <= until)
        .group_by(*key)
    )  # fmt: skip
    return bulk.read(session, statement, FRAMES["events"])


def _known_by_row(asked: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Give each observation the events of its own window, as far as they were told by then."""
    observed = pl.col("observed_on")
    return (
        asked.lazy()
        .select("row", "account_id", "observed_on", "move")
        .join(events.lazy(), on="account_id")
        .filter(
            (pl.col("known_on") <= observed)
            & (pl.col("occurred_on") < observed)
            & (pl.col("occurred_on") >= observed - pl.duration(days=EVENT_DAYS))
        )
        .collect()
    )


def _covered(session: Session, wanted: sa.Table, asked: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Say since when the events of each observation's account were told, if its lender was not silent then.

    Since the lender's first file, or since we know the account if that is later; earlier where the lender sent
    what happened before.
    """
    files = _files(session)
    if files.is_empty():
        return asked.clear().select("row", "account_id", "move", events_from=pl.lit(None, pl.Date))
    first = files.group_by("source").agg(first_file=pl.col("file_on").min())
    observed = (
        asked.join(_accounts(session, wanted), on="account_id")
        .join(first, on="source")
        .sort("observed_on")
        .join_asof(
            files.sort("file_on"), left_on="observed_on", right_on="file_on", by="source", strategy="backward",
            check_sortedness=False,  # both sides are sorted just above; with a key polars cannot see it
        )
        .filter(pl.col("file_on") > pl.col("observed_on") - pl.duration(days=SILENT_DAYS))
    )  # fmt: skip
    earliest = known.group_by("row").agg(told_from=pl.col("occurred_on").min())
    since = pl.max_horizontal("first_file", "known_since")
    return observed.join(earliest, on="row", how="left").select(
        "row", "account_id", "move", events_from=pl.min_horizontal(since, "told_from")
    )


def _files(session: Session) -> pl.DataFrame:
    """Return ``source, file_on``: the days for which event files came."""
    statement = (
        sa.select(FeedBatch.source, FeedBatch.business_date.label("file_on"))
        .where(FeedBatch.entity == "events", FeedBatch.accepted > 0)
        .distinct()
    )
    return bulk.read(session, statement, {"source": pl.String, "file_on": pl.Date})


def _accounts(session: Session, wanted: sa.Table) -> pl.DataFrame:
    """Return ``account_id, source, known_since``: the day on which we first knew how an account stood."""
    standing = table_of(AccountStanding)
    statement = (
        sa.select(Account.id.label("account_id"), Account.source, sa.func.min(standing.c.from_on).label("known_since"))
        .join(wanted, wanted.c.account_id == Account.id)
        .join(standing, standing.c.account_id == Account.id)
        .group_by(Account.id, Account.source)
    )
    return bulk.read(session, statement, {"account_id": pl.Int64, "source": pl.String, "known_since": pl.Date})


def _feedback(session: Session, asked: pl.DataFrame, on: Any) -> pl.DataFrame:
    """Read what the feed of the evening before the observation tells of finished episodes."""
    wanted = bulk.stage(session, "feedback_account", asked.select("account_id").unique(), index=("account_id",))
    told = episode_feedback.learned(session, as_of=on - timedelta(days=1), among=wanted)
    rows = told.filter(pl.col("ended_on").is_not_null()).select(
        pl.exclude("available_from", "qa_flags"),
        available_on=pl.col("available_from").dt.date(),
        qa_flags=pl.col("qa_flags").list.len().cast(pl.Int64),
    )
    return asked.select("row", "account_id", "move").join(rows, on="account_id")
