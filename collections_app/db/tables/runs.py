"""What ran, for which day, and how it went."""

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from collections_app.db.base import Base, Id


class JobRun(Base):
    """One run of a job. (job, slot) is unique, so that two schedulers cannot run one slot twice."""

    __tablename__ = "job_run"
    __table_args__ = (sa.UniqueConstraint("job", "slot"), sa.Index(None, "started_at"))

    id: Mapped[Id]
    job: Mapped[str] = mapped_column(sa.String(40))
    slot: Mapped[str] = mapped_column(sa.String(40))
    business_date: Mapped[date]
    status: Mapped[str] = mapped_column(sa.String(16))
    # [{name, status, seconds, result}] in order; a resumed run skips what is done.
    steps: Mapped[list[Any]]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(sa.Text)
    attempts: Mapped[int] = mapped_column(default=1, server_default=sa.text("1"))
    stats: Mapped[dict[str, Any]]
