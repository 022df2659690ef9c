"""Labels of episodes: who rolled on from entry, from the middle of M1, from M2 and later, and who cured alone."""

from datetime import date, timedelta
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.dates import days_between
from collections_app.db.tables import Episode, TrainingLabel
from collections_app.queries import as_of, episode_history
from models import labels

# An episode whose outcome stayed unknown for this long will not become known.
_GIVE_UP_DAYS = 400


def entries(session: Session, business_date: date) -> pl.DataFrame:
    """Label the episodes observed at entry whose 30 days and posting lag have passed (``bad_30d``)."""
    found = _episodes(
        session, business_date, ~_labelled_at_entry(labels.BAD_30D),
        days=labels.HORIZON_DAYS, most=labels.ENTRY_DPD,
    )  # fmt: skip
    return labels.entered_m1(found, _seen(_spans(session, found, business_date), business_date), as_of=business_date)


def self_cures(session: Session, business_date: date) -> pl.DataFrame:
    """Label the episodes observed at entry whose ten days and posting lag have passed (``cured_10d``), all arms."""
    found = _episodes(
        session, business_date, ~_labelled_at_entry(labels.CURED_10D),
        days=labels.CURE_DAYS, most=labels.CURE_ENTRY_DPD,
    )  # fmt: skip
    return labels.cured(found, _seen(_spans(session, found, business_date), business_date), as_of=business_date)


def rolls(session: Session, business_date: date) -> pl.DataFrame:
    """Label the arrivals at DPD 10, 15, 20, 31, 61 and 91 (``rolled_m2, rolled_m3, rolled_m4``)."""
    episode, label = table_of(Episode), table_of(TrainingLabel)
    least = min(at for _, at, _ in labels.ARRIVALS)
    names = {name for name, _, _ in labels.ARRIVALS}
    stored = (
        sa.select(sa.func.count())
        .where(
            label.c.label.in_(sorted(names)), label.c.account_id == episode.c.account_id,
            label.c.episode_id == episode.c.id,
        )
        .scalar_subquery()
    )  # fmt: skip
    # As many labels as points reached, so far as the windows can be over: nothing is left to be told of it.
    day = sa.literal(business_date, sa.Date())
    age = days_between(episode.c.entry_on, day) + episode.c.entry_dpd
    due = [
        sa.case((sa.and_(episode.c.max_dpd >= at, age >= bad + labels.POSTING_LAG_DAYS), 1), else_=0)
        for _, at, bad in labels.ARRIVALS
    ]
    waiting = stored < sum(due[1:], start=due[0])
    found = _episodes(session, business_date, sa.and_(episode.c.max_dpd >= least, waiting), days=0)
    spans = _spans(session, found, business_date)
    seen = _seen(spans, business_date)
    return labels.arrived(found, spans.select(*labels.STANDING), seen, as_of=business_date)


def _labelled_at_entry(name: str) -> sa.ColumnElement[bool]:
    # In the words of the unique index: asked for every old episode every day, it must not scan.
    episode, label = table_of(Episode), table_of(TrainingLabel)
    return sa.exists().where(
        label.c.label == name, label.c.account_id == episode.c.account_id, label.c.observed_on == episode.c.entry_on
    )


_CASED = {**labels.EPISODES, "case_id": pl.Int64}


def _episodes(
    session: Session, business_date: date, wanted: sa.ColumnElement[bool], *, days: int, most: int | None = None
) -> pl.DataFrame:
    """Return the wanted episodes that began ``days`` and the posting lag ago or earlier, and not too long ago."""
    episode = table_of(Episode)
    lag = timedelta(days=days + labels.POSTING_LAG_DAYS)
    special: dict[str, sa.ColumnElement[Any]] = {
        "episode_id": episode.c.id, "end_reason": sa.cast(episode.c.end_reason, sa.String(32)),
    }  # fmt: skip
    columns = [special[c].label(c) if c in special else episode.c[c] for c in _CASED]
    statement = sa.select(*columns).where(
        episode.c.entry_on <= business_date - lag,
        episode.c.entry_on > business_date - timedelta(days=_GIVE_UP_DAYS),
        episode_history.is_counted(business_date),
        wanted,
    )
    if most is not None:
        statement = statement.where(episode.c.entry_dpd <= most)
    return bulk.read(session, statement, _CASED)


def _spans(session: Session, episodes: pl.DataFrame, business_date: date) -> pl.DataFrame:
    """Return how the accounts of some episodes stood, as it is known now: an outcome is what it turned out to be."""
    waiting = bulk.stage(session, "staged_waiting", episodes.select("account_id").unique(), index=("account_id",))
    return as_of.standing_spans(session, waiting, until=business_date)


def _seen(spans: pl.DataFrame, business_date: date) -> pl.DataFrame:
    """Return the days that bound a span: what the labels look at."""
    return as_of.edges(spans, until=business_date).select(*labels.SNAPSHOTS)
