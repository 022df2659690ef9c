"""What became of the accounts turns into labels, once it is certain and not before.

Each labeller reads its facts in a few set-based queries and returns rows; here they get the strategy's arm, its
probability and whether anybody worked the account, and are stored once. Repeatable, and it catches up.
"""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.tables import AccountStanding, TrainingLabel
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.permissions import Permission
from collections_app.services.labelling import behaviour, contacts, episodes, treatment
from models.labels import LABEL_ROWS, POSTING_LAG_DAYS

Labeller = Callable[[Session, date], pl.DataFrame]
"""Returns the rows (models.labels.LABEL_ROWS) that are due on a day and not stored yet; outcome null = not certain."""

LABELLERS: tuple[Labeller, ...] = (
    episodes.entries,
    episodes.self_cures,
    episodes.rolls,
    contacts.weeks,
    contacts.promises,
    contacts.placements,
    behaviour.good_accounts,
)


def mature(uow: UnitOfWork, *, business_date: date) -> dict[str, int]:
    """Store every label that has become certain; return how many, by label, and how many stayed unknown.

    The order of the labellers does not matter, and a second run of the day adds nothing.
    """
    uow.actor.require(Permission.JOB_RUN)
    counts = {"matured": 0, "unknown": 0}
    for labeller in LABELLERS:
        found = labeller(uow.session, business_date)
        decided = found.filter(pl.col("outcome").is_not_null())
        counts["unknown"] += found.height - decided.height
        heard = _heard_of(uow.session, decided)
        if heard.height < decided.height:
            counts["before_our_time"] = counts.get("before_our_time", 0) + decided.height - heard.height
        certain = _news(uow.session, heard)
        counts["matured"] += certain.height
        if certain.height:
            _store(uow.session, treatment.with_treatment(uow.session, certain))
        counts |= {str(name): int(n) for name, n in certain.group_by("label").len().sort("label").iter_rows()}
    return counts


def _heard_of(session: Session, rows: pl.DataFrame) -> pl.DataFrame:
    """Leave out observations of days before a lender first told us of the account.

    Of that past we know those who were still there to be told of: the late ones stayed, who paid was gone. Such rows
    make a sample of survivors in which nearly everybody is bad. A lender who knows better sends labels.
    """
    if rows.is_empty():
        return rows
    standing = table_of(AccountStanding)
    asked = bulk.stage(session, "staged_observed", rows.select("account_id").unique(), index=("account_id",))
    first = bulk.read(
        session,
        sa.select(asked.c.account_id, sa.func.min(standing.c.known_from).label("heard_at"))
        .join(standing, standing.c.account_id == asked.c.account_id)
        .group_by(asked.c.account_id),
        {"account_id": pl.Int64, "heard_at": pl.Datetime("us", "UTC")},
    )
    # A day's feed may come some days later; then its own day was not yet heard of.
    since = pl.col("heard_at").dt.date() - timedelta(days=POSTING_LAG_DAYS)
    known = rows.join(first, on="account_id", how="left", maintain_order="left")
    return known.filter(pl.col("observed_on") >= since).drop("heard_at")


def _news(session: Session, rows: pl.DataFrame) -> pl.DataFrame:
    """Leave out what is stored already: a labeller may look at the same rows again on many days."""
    if rows.is_empty():
        return rows
    label, keys = table_of(TrainingLabel), ("label", "account_id", "observed_on")
    asked = bulk.stage(session, "staged_key", rows.select(keys))
    statement = sa.select(*(asked.c[k] for k in keys)).join(label, sa.and_(*(label.c[k] == asked.c[k] for k in keys)))
    stored = bulk.read(session, statement, {k: rows.schema[k] for k in keys})
    return rows.join(stored, on=list(keys), how="anti")


def _store(session: Session, rows: pl.DataFrame) -> None:
    """Write labels; one that is there already stands: the lender's own word, or ours of an earlier day."""
    staged = bulk.stage(session, "staged_label", rows)
    ours = ("label", "account_id", "episode_id", "observed_on", "matured_on", "horizon_days", "outcome", "value")
    columns: dict[str, Any] = {c: staged.c[c] for c in (*ours, "arm", "propensity", "is_worked")}
    columns["origin"] = sa.literal("computed")
    bulk.upsert(session, table_of(TrainingLabel), staged, keys=("label", "account_id", "observed_on"), columns=columns)


__all__ = ["LABELLERS", "LABEL_ROWS", "Labeller", "mature"]
