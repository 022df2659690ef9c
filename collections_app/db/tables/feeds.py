"""What came in: batches, and the rows of them that were refused."""

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from collections_app.db.base import Base, Id, ref


class FeedBatch(Base):
    """One imported file; the same content for the same day is never imported twice."""

    __tablename__ = "feed_batch"
    __table_args__ = (sa.UniqueConstraint("source", "entity", "business_date", "sha256"),)

    id: Mapped[Id]
    source: Mapped[str] = mapped_column(sa.String(64))
    entity: Mapped[str] = mapped_column(sa.String(32))
    mapping: Mapped[str] = mapped_column(sa.String(64))
    mapping_version: Mapped[int]
    # "full" tells of every row that the source has, "delta" of those that changed.
    mode: Mapped[str] = mapped_column(sa.String(8), default="delta", server_default="delta")
    business_date: Mapped[date]
    file_name: Mapped[str] = mapped_column(sa.String(255))
    sha256: Mapped[str] = mapped_column(sa.String(64))
    rows: Mapped[int]
    accepted: Mapped[int]
    quarantined: Mapped[int]
    unchanged: Mapped[int]
    # Rows of the source that a full file did not name.
    absent: Mapped[int] = mapped_column(default=0, server_default="0")
    # The batch whose refused rows this one brings again, corrected.
    corrects_id: Mapped[int | None] = ref("feed_batch.id", index=False, nullable=True)
    # Accounts whose source counts days past due itself, and those where it counts other days than we do.
    dpd_compared: Mapped[int] = mapped_column(default=0, server_default="0")
    dpd_mismatches: Mapped[int] = mapped_column(default=0, server_default="0")
    imported_at: Mapped[datetime]


class QuarantinedRow(Base):
    """A row that was refused, with where and why. The value itself is kept as a digest only."""

    __tablename__ = "quarantined_row"

    id: Mapped[Id]
    batch_id: Mapped[int] = ref("feed_batch.id")
    line: Mapped[int]
    column: Mapped[str] = mapped_column(sa.String(128))
    reason: Mapped[str] = mapped_column(sa.String(300))
    value_digest: Mapped[str | None] = mapped_column(sa.String(64))
    # The batch that brought the row again, corrected; empty = still waiting.
    resolved_by_id: Mapped[int | None] = ref("feed_batch.id", index=False, nullable=True)
