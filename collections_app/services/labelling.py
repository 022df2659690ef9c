"""Outcomes of episodes become labels, once they are certain and not before."""

from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.tables import Episode, TrainingLabel
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.permissions import Permission
from collections_app.queries import as_of, episode_history
from models import labels

# An episode whose outcome stayed unknown for this long will not become known.
_GIVE_UP_DAYS = 400


def mature(uow: UnitOfWork, *, business_date: date) -> dict[str, int]:
    """Label the episodes observed at entry whose 30 days and posting lag have passed. Repeatable."""
    uow.actor.require(Permission.JOB_RUN)
    session, episode, label = uow.session, table_of(Episode), table_of(TrainingLabel)
    # In the words of the unique index: asked for every old episode every day, it must not scan.
    done = sa.exists().where(
        label.c.label == labels.BAD_30D,
        label.c.account_id == episode.c.account_id,
        label.c.observed_on == episode.c.entry_on,
    )
    lag = timedelta(days=labels.HORIZON_DAYS + labels.POSTING_LAG_DAYS)
    candidates = (
        sa.select(
            episode.c.id.label("episode_id"), episode.c.account_id, episode.c.entry_on, episode.c.ended_on,
            sa.cast(episode.c.end_reason, sa.String(32)).label("end_reason"),
        )
        .where(
            episode.c.entry_on <= business_date - lag,
            episode.c.entry_on > business_date - timedelta(days=_GIVE_UP_DAYS),
            episode.c.entry_dpd <= labels.ENTRY_DPD,
            episode_history.is_counted(business_date),
            ~done,
        )
    )  # fmt: skip
    episodes = bulk.read(session, candidates, labels.EPISODES)
    if episodes.is_empty():
        return {"matured": 0, "bad": 0, "unknown": 0}
    waiting = bulk.stage(session, "staged_waiting", episodes.select("account_id", "entry_on"), index=("account_id",))
    spans = as_of.standing_spans(session, waiting, until=business_date)
    seen = as_of.edges(spans, until=business_date).select(*labels.SNAPSHOTS)
    matured = labels.reached_dpd_31(episodes, seen, as_of=business_date)
    staged = bulk.stage(session, "staged_outcome", matured)
    columns: dict[str, Any] = {
        c: staged.c[c] for c in ("episode_id", "account_id", "observed_on", "matured_on", "outcome")
    } | {
        "label": sa.literal(labels.BAD_30D),
        "horizon_days": sa.literal(labels.HORIZON_DAYS),
        "origin": sa.literal("computed"),
    }
    # A label that the lender itself supplied for the same day stands: its word comes first.
    bulk.upsert(session, label, staged, keys=("label", "account_id", "observed_on"), columns=columns)
    return {
        "matured": matured.height,
        "bad": int(matured["outcome"].sum()),
        "unknown": episodes.height - matured.height,
    }
