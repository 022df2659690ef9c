"""Scores and labels."""

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from collections_app.db.base import Base, Id, ref
from collections_app.db.types import BigId

_CHAMPION = sa.text("stage = 'champion'")
_OPEN_ALERT = sa.text("closed_at IS NULL")


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
    algorithm: Mapped[str] = mapped_column(sa.String(24), server_default="boosted")
    purpose: Mapped[str] = mapped_column(sa.String(24), server_default="risk")
    stage: Mapped[str] = mapped_column(sa.String(16))
    bundle_key: Mapped[str] = mapped_column(sa.String(200))
    card: Mapped[dict[str, Any]]
    trained_at: Mapped[datetime]
    trained_by: Mapped[str] = mapped_column(sa.String(64))
    approved_at: Mapped[datetime | None]
    approved_by: Mapped[str | None] = mapped_column(sa.String(64))


class ModelMove(Base):
    """A model changed its stage: who ordered it, when, and what was inspected before."""

    __tablename__ = "model_move"

    id: Mapped[Id]
    model_version_id: Mapped[int] = ref("model_version.id")
    from_stage: Mapped[str] = mapped_column(sa.String(16))
    to_stage: Mapped[str] = mapped_column(sa.String(16))
    note: Mapped[str] = mapped_column(sa.String(500), server_default="")
    moved_at: Mapped[datetime]
    moved_by: Mapped[str] = mapped_column(sa.String(64))


class ScoreRun(Base):
    """One batch scoring by one model. ``figures`` holds what monitoring reads: counts on the frozen bins."""

    __tablename__ = "score_run"
    __table_args__ = (sa.UniqueConstraint("model_version_id", "business_date"),)

    id: Mapped[Id]
    model_version_id: Mapped[int] = ref("model_version.id", index=False)
    business_date: Mapped[date]
    stage: Mapped[str] = mapped_column(sa.String(16), server_default="champion")
    rows: Mapped[int]
    fallback_rows: Mapped[int] = mapped_column(server_default=sa.text("0"))
    psi: Mapped[float | None]
    figures: Mapped[dict[str, Any]] = mapped_column(server_default=sa.text("'{}'"))
    created_at: Mapped[datetime]


class Score(Base):
    """A score with its event, horizon and orientation: always higher = better for the lender.

    ``purpose`` is the question it answers (risk, self_cure, contact, ...). A shadow score decides nothing.
    ``details`` holds what one number cannot: the slots of a best time, the share and amount of a recovery.
    """

    __tablename__ = "score"
    __table_args__ = (
        sa.UniqueConstraint("score_run_id", "account_id"),
        sa.Index("ix_score_case_id_purpose", "case_id", "purpose", "business_date"),
    )

    id: Mapped[Id]
    score_run_id: Mapped[int] = ref("score_run.id", index=False)
    # No foreign keys: both are read from their tables in the transaction that writes the score, and neither is
    # ever deleted. Checking them a million times a day took two thirds of the time of writing.
    case_id: Mapped[int | None] = mapped_column(BigId)
    account_id: Mapped[int] = mapped_column(BigId)
    purpose: Mapped[str] = mapped_column(sa.String(24), server_default="risk")
    is_shadow: Mapped[bool] = mapped_column(server_default=sa.text("false"))
    is_fallback: Mapped[bool] = mapped_column(server_default=sa.text("false"))
    business_date: Mapped[date]
    p_event: Mapped[float]
    event_name: Mapped[str] = mapped_column(sa.String(40))
    horizon_days: Mapped[int]
    score: Mapped[int]
    band: Mapped[str] = mapped_column(sa.String(8))
    reason_codes: Mapped[list[str]]
    details: Mapped[dict[str, Any] | None]
    available_from: Mapped[datetime]


class ModelFigure(Base):
    """One measured figure of a model: drift of a day, rank order of a month, with its interval and verdict."""

    __tablename__ = "model_figure"
    __table_args__ = (sa.UniqueConstraint("model_version_id", "as_of", "metric", "segment"),)

    id: Mapped[Id]
    model_version_id: Mapped[int] = ref("model_version.id", index=False)
    as_of: Mapped[date]
    cadence: Mapped[str] = mapped_column(sa.String(8))
    metric: Mapped[str] = mapped_column(sa.String(40))
    segment: Mapped[str] = mapped_column(sa.String(64), server_default="all")
    value: Mapped[float | None]
    low: Mapped[float | None]
    high: Mapped[float | None]
    rows: Mapped[int]
    events: Mapped[int | None]
    verdict: Mapped[str] = mapped_column(sa.String(8))
    detail: Mapped[dict[str, Any] | None]


class ModelAlert(Base):
    """A trigger that fired on a model and waits for a person; one open alert per model and trigger."""

    __tablename__ = "model_alert"
    __table_args__ = (
        sa.Index("uq_model_alert_open", "model_version_id", "trigger", unique=True, sqlite_where=_OPEN_ALERT,
                 postgresql_where=_OPEN_ALERT),
    )  # fmt: skip

    id: Mapped[Id]
    model_version_id: Mapped[int] = ref("model_version.id", index=False)
    trigger: Mapped[str] = mapped_column(sa.String(40))
    raised_on: Mapped[date]
    sentence: Mapped[str] = mapped_column(sa.String(500))
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[str | None] = mapped_column(sa.String(64))
    note: Mapped[str | None] = mapped_column(sa.String(500))


class TrainingLabel(Base):
    """An outcome that matured, or that the lender supplied, for one account and observation day.

    ``value`` is the continuous target of amount models (a share, 0 to 1). ``arm`` and ``propensity`` are those
    of the strategy at observation, ``is_worked`` tells whether anybody (robot or agent) worked the account
    before the outcome: what off-policy estimates and self-cure need to be honest (domain brief §3.7).
    """

    __tablename__ = "training_label"
    __table_args__ = (
        sa.UniqueConstraint("label", "account_id", "observed_on"),
        sa.Index("ix_training_label_label_observed_on", "label", "observed_on"),
    )

    id: Mapped[Id]
    label: Mapped[str] = mapped_column(sa.String(40))
    account_id: Mapped[int] = ref("account.id")
    episode_id: Mapped[int | None] = ref("episode.id", index=False, nullable=True)
    observed_on: Mapped[date]
    horizon_days: Mapped[int]
    outcome: Mapped[int]
    value: Mapped[float | None]
    arm: Mapped[str | None] = mapped_column(sa.String(16))
    propensity: Mapped[float | None]
    is_worked: Mapped[bool | None]
    matured_on: Mapped[date]
    origin: Mapped[str] = mapped_column(sa.String(16))
