"""Scores and labels."""

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from collections_app.db.base import Base, Id, ref

_CHAMPION = sa.text("stage = 'champion'")


class ModelVersion(Base):
    """A trained model: where its bundle lies, how good it is, who let it work."""

    __tablename__ = "model_version"
    __table_args__ = (
        sa.UniqueConstraint("name", "version"),
        sa.Index(
            "uq_model_version_champion",
            "name",
            unique=True,
            sqlite_where=_CHAMPION,
            postgresql_where=_CHAMPION,
        ),
    )

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(sa.String(40))
    version: Mapped[str] = mapped_column(sa.String(40))
    stage: Mapped[str] = mapped_column(sa.String(16))
    bundle_key: Mapped[str] = mapped_column(sa.String(200))
    card: Mapped[dict[str, Any]]
    trained_at: Mapped[datetime]
    trained_by: Mapped[str] = mapped_column(sa.String(64))
    approved_at: Mapped[datetime | None]
    approved_by: Mapped[str | None] = mapped_column(sa.String(64))


class ScoreRun(Base):
    """One batch scoring of the open book."""

    __tablename__ = "score_run"
    __table_args__ = (sa.UniqueConstraint("model_version_id", "business_date"),)

    id: Mapped[Id]
    model_version_id: Mapped[int] = ref("model_version.id", index=False)
    business_date: Mapped[date]
    rows: Mapped[int]
    psi: Mapped[float | None]
    created_at: Mapped[datetime]


class Score(Base):
    """A score with its event, horizon and orientation: always higher = safer."""

    __tablename__ = "score"
    __table_args__ = (sa.UniqueConstraint("case_id", "score_run_id"),)

    id: Mapped[Id]
    score_run_id: Mapped[int] = ref("score_run.id")
    case_id: Mapped[int] = ref("case.id", index=False)
    account_id: Mapped[int] = ref("account.id", index=False)
    business_date: Mapped[date]
    p_event: Mapped[float]
    event_name: Mapped[str] = mapped_column(sa.String(40))
    horizon_days: Mapped[int]
    score: Mapped[int]
    band: Mapped[str] = mapped_column(sa.String(8))
    reason_codes: Mapped[list[str]]
    available_from: Mapped[datetime]


class TrainingLabel(Base):
    """An outcome that matured, or that the lender supplied, for one account and observation day."""

    __tablename__ = "training_label"
    __table_args__ = (sa.UniqueConstraint("label", "account_id", "observed_on"),)

    id: Mapped[Id]
    label: Mapped[str] = mapped_column(sa.String(40))
    account_id: Mapped[int] = ref("account.id")
    episode_id: Mapped[int | None] = ref("episode.id", index=False, nullable=True)
    observed_on: Mapped[date]
    horizon_days: Mapped[int]
    outcome: Mapped[int]
    matured_on: Mapped[date]
    origin: Mapped[str] = mapped_column(sa.String(16))
