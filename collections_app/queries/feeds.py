"""What came in, and what was refused."""

from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.tables import FeedBatch, QuarantinedRow
from collections_app.domain.errors import NotFound


@dataclass(frozen=True)
class QuarantinedRowView:
    """One refused row with its file."""

    batch_id: int
    business_date: date
    source: str
    file_name: str
    line: int
    column: str
    reason: str
    # The batch that brought the row again, corrected; None = it still waits.
    resolved_by_id: int | None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as a plain dict."""
        return asdict(self)


def list_quarantined(
    session: Session, *, source: str | None = None, batch_id: int | None = None, resolved: bool = False, limit: int = 50
) -> list[QuarantinedRowView]:
    """Return the newest quarantined rows that still wait (``resolved``: the corrected ones too), in line order."""
    statement = (
        sa.select(
            FeedBatch.id,
            FeedBatch.business_date,
            FeedBatch.source,
            FeedBatch.file_name,
            QuarantinedRow.line,
            QuarantinedRow.column,
            QuarantinedRow.reason,
            QuarantinedRow.resolved_by_id,
        )
        .join(FeedBatch, FeedBatch.id == QuarantinedRow.batch_id)
        .order_by(FeedBatch.id.desc(), QuarantinedRow.line, QuarantinedRow.id)
        .limit(limit)
    )
    if source:
        statement = statement.where(FeedBatch.source == source)
    if batch_id is not None:
        statement = statement.where(FeedBatch.id == batch_id)
    if not resolved:
        statement = statement.where(QuarantinedRow.resolved_by_id.is_(None))
    return [QuarantinedRowView(*row) for row in session.execute(statement)]


@dataclass(frozen=True)
class BatchView:
    """One imported file with its counts in rows."""

    batch_id: int
    business_date: date
    source: str
    entity: str
    mode: str
    file_name: str
    mapping: str
    rows: int
    accepted: int
    quarantined: int
    unchanged: int
    absent: int
    dpd_compared: int
    dpd_mismatches: int
    corrects_id: int | None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as a plain dict."""
        return asdict(self)


def get_batch(session: Session, batch_id: int) -> BatchView:
    """Return a batch; raise NotFound."""
    names = [f.name for f in fields(BatchView) if f.name != "batch_id"]
    columns = [getattr(FeedBatch, name) for name in names]
    row = session.execute(sa.select(FeedBatch.id, *columns).where(FeedBatch.id == batch_id)).one_or_none()
    if row is None:
        raise NotFound(f"there is no batch {batch_id}")
    return BatchView(*row)


def list_batches(session: Session, *, source: str | None = None, limit: int = 50) -> list[BatchView]:
    """Return the newest batches, newest first."""
    names = [f.name for f in fields(BatchView) if f.name != "batch_id"]
    statement = sa.select(FeedBatch.id, *(getattr(FeedBatch, n) for n in names)).order_by(FeedBatch.id.desc())
    if source:
        statement = statement.where(FeedBatch.source == source)
    return [BatchView(*row) for row in session.execute(statement.limit(limit))]
