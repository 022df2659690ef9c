"""From audio to a person's verdict."""

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from collections_app.db.base import Base, Id, ref


class Recording(Base):
    """One call's audio: where it lies, what it is, how far it has come."""

    __tablename__ = "recording"
    __table_args__ = (sa.Index(None, "status"), sa.UniqueConstraint("sha256"))

    id: Mapped[Id]
    attempt_id: Mapped[int | None] = ref("contact_attempt.id", nullable=True)
    case_id: Mapped[int | None] = ref("case.id", nullable=True)
    agent_id: Mapped[int | None] = ref("agent.id", index=False, nullable=True)
    blob_key: Mapped[str] = mapped_column(sa.String(200))
    sha256: Mapped[str] = mapped_column(sa.String(64))
    sample_rate: Mapped[int]
    channels: Mapped[int]
    channel_map: Mapped[list[str]]
    duration_ms: Mapped[int]
    started_at: Mapped[datetime]
    # received -> transcribed -> checked, or failed with a reason; a failed one counts as unchecked.
    status: Mapped[str] = mapped_column(sa.String(16))
    status_reason: Mapped[str | None] = mapped_column(sa.String(300))
    risk: Mapped[float | None]
    # How it came before a reviewer: flagged, random (blind audit), or not at all.
    stream: Mapped[str | None] = mapped_column(sa.String(16))
    sampling_probability: Mapped[float | None]
    retention_until_on: Mapped[date]
    legal_hold: Mapped[bool] = mapped_column(default=False, server_default=sa.text("false"))


class Transcript(Base):
    """The words as heard, with times, per speaker."""

    __tablename__ = "transcript"

    id: Mapped[Id]
    recording_id: Mapped[int] = mapped_column(sa.ForeignKey("recording.id"), unique=True)
    engine: Mapped[str] = mapped_column(sa.String(24))
    model_version: Mapped[str] = mapped_column(sa.String(100))
    # [{speaker, start_ms, end_ms, text, words: [{text, start_ms, end_ms, confidence}]}]
    utterances: Mapped[list[Any]]
    # Peaks of each channel for the picture of the sound: {speaker: [0..100, ...]}
    peaks: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class Finding(Base):
    """A suspected breach with its evidence."""

    __tablename__ = "finding"

    id: Mapped[Id]
    recording_id: Mapped[int] = ref("recording.id")
    item_code: Mapped[str] = mapped_column(sa.String(8))
    rule_id: Mapped[str] = mapped_column(sa.String(64))
    checklist_version: Mapped[str] = mapped_column(sa.String(80))
    severity: Mapped[str] = mapped_column(sa.String(16))
    speaker: Mapped[str] = mapped_column(sa.String(16))
    start_ms: Mapped[int]
    end_ms: Mapped[int]
    evidence: Mapped[str] = mapped_column(sa.Text)
    probability: Mapped[float]
    created_at: Mapped[datetime]


class Review(Base):
    """A person's verdict on a finding, or on a whole call when ``finding_id`` is empty (blind audit)."""

    __tablename__ = "review"
    __table_args__ = (sa.UniqueConstraint("recording_id", "finding_id", "reviewer_id"),)

    id: Mapped[Id]
    recording_id: Mapped[int] = ref("recording.id", index=False)
    finding_id: Mapped[int | None] = ref("finding.id", nullable=True)
    reviewer_id: Mapped[int] = mapped_column(sa.ForeignKey("app_user.id"))
    verdict: Mapped[str] = mapped_column(sa.String(16))
    comment: Mapped[str | None] = mapped_column(sa.Text)
    mode: Mapped[str] = mapped_column(sa.String(16))
    sampling_probability: Mapped[float]
    created_at: Mapped[datetime]
