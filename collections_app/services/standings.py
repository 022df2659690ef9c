"""Spans of how accounts stand: added when something other than time changes, restated but never edited."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.tables import AccountStanding

_STATE = ("dpd", "is_ageing", "arrears_amount", "balance_amount", "limit_amount", "status")


def write(session: Session, staged: sa.Table, *, now: datetime, batch_id: int | None = None) -> int:
    """Write staged spans (account_id, from_on, dpd, is_ageing, amounts, status); return how many were news.

    A span equal to the one known for its first day is no news. A different one closes that and takes its place:
    what we believed until ``now`` stays readable.
    """
    standing = table_of(AccountStanding)
    same_day = sa.and_(
        standing.c.account_id == staged.c.account_id,
        standing.c.from_on == staged.c.from_on,
        standing.c.known_until.is_(None),
    )
    differs = sa.or_(*(standing.c[c].is_distinct_from(staged.c[c]) for c in _STATE))
    # Told twice within one instant: nobody can have read the first word, so it is replaced below, not closed.
    session.execute(sa.update(standing).where(same_day, differs, standing.c.known_from < now).values(known_until=now))
    known = sa.exists().where(same_day, ~differs)
    news = sa.select(staged).where(~known).subquery()
    columns: dict[str, Any] = {c: news.c[c] for c in ("account_id", "from_on", *_STATE)}
    return bulk.upsert(
        session,
        standing,
        staged,
        keys=("account_id", "from_on", "known_from"),
        columns=columns
        | {
            "known_from": sa.literal(now, standing.c.known_from.type),
            "known_until": sa.null(),
            "batch_id": sa.literal(batch_id, sa.BigInteger()),
        },
        update=(*_STATE, "batch_id"),
        origin=news,
    )
