"""Cases into queues, by the queueing table of the book."""

from datetime import date

import polars as pl
import sqlalchemy as sa

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.tables import QueueEntry
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.services.deciding import decide
from strategies.book import StrategyBook


def place(uow: UnitOfWork, *, business_date: date, book: StrategyBook) -> dict[str, int]:
    """Give every open case its place: keep it where the queue stays the same, else move it. Repeatable."""
    decided = decide(uow, business_date=business_date, book=book, table=book.queueing)
    if decided.is_empty():
        return {"cases": 0}
    staged = bulk.stage(
        uow.session,
        "staged_place",
        decided.select("case_id", "queue", "priority", "decision_id"),
        index=("case_id",),
    )
    entry = table_of(QueueEntry)
    here = sa.and_(entry.c.case_id == staged.c.case_id, entry.c.removed_on.is_(None))
    uow.session.execute(sa.update(entry).where(here, entry.c.queue != staged.c.queue).values(removed_on=business_date))
    uow.session.execute(
        sa.update(entry).where(here).values(priority=staged.c.priority, decision_id=staged.c.decision_id)
    )
    bulk.affected(
        uow.session,
        sa.insert(entry).from_select(
            ["case_id", "queue", "priority", "decision_id", "placed_on"],
            sa.select(
                staged.c.case_id,
                staged.c.queue,
                staged.c.priority,
                staged.c.decision_id,
                sa.literal(business_date, sa.Date()),
            ).where(~sa.exists().where(here)),
        ),
    )
    sizes = decided.group_by("queue").agg(pl.len().alias("n")).sort("queue")
    return {"cases": decided.height, **dict(sizes.iter_rows())}
