"""What came in, and what was refused."""

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.tables import FeedBatch, QuarantinedRow


@dataclass(frozen=True)
class QuarantinedRowView:
    """One refused row with its file."""

    business_date: date
    source: str
    file_name: str
    line: int
    column: str
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as a plain dict."""
        return asdict(self)


def list_quarantined(session: Session, *, source: str | None = None, limit: int = 50) -> list[QuarantinedRowView]:
    """Return the newest quarantined rows, newest batch first, in line order."""
    statement = (
        sa.select(
            FeedBatch.business_date,
            FeedBatch.source,
            FeedBatch.file_name,
            QuarantinedRow.line,
            QuarantinedRow.column,
            QuarantinedRow.reason,
        )
        .join(FeedBatch, FeedBatch.id == QuarantinedRow.batch_id)
        .order_by(FeedBatch.id.desc(), QuarantinedRow.line)
        .limit(limit)
    )
    if source:
        statement = statement.where(FeedBatch.source == source)
    return [QuarantinedRowView(*row) for row in session.execute(statement)]
