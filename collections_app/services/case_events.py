"""Events of many cases at once."""

from typing import Any

import sqlalchemy as sa

from collections_app.db.base import table_of
from collections_app.db.tables import CaseEvent
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.events import EventKind


def record_many(uow: UnitOfWork, select: sa.Select[Any], kind: EventKind) -> None:
    """Append one event per (case_id, payload-as-json) row of a select."""
    table = table_of(CaseEvent)
    picked = select.subquery()
    case_id, payload = picked.c
    uow.session.execute(
        sa.insert(table).from_select(
            ["case_id", "payload", "kind", "at", "actor"],
            sa.select(
                case_id,
                payload,
                sa.literal(kind.value),
                sa.literal(uow.now, table.c.at.type),
                sa.literal(uow.actor.name),
            ),
        )
    )
