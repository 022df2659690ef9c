"""Campaigns, attempts, the carriers' receipts, and what customers wrote back."""

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from collections_app.db.base import Base, Id, ref
from collections_app.db.types import EnumText
from collections_app.domain.contact import AttemptStatus, CampaignStatus, Channel, Mode, Purpose
from collections_app.domain.outcomes import Disposition, Outcome

_READY = sa.text("status IN ('planned', 'deferred')")


class Campaign(Base):
    """A paced wave of attempts for one treatment step."""

    __tablename__ = "campaign"
    __table_args__ = (sa.UniqueConstraint("name", "business_date"),)

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(sa.String(100))
    business_date: Mapped[date]
    channel: Mapped[Channel] = mapped_column(EnumText(Channel))
    mode: Mapped[Mode] = mapped_column(EnumText(Mode))
    step: Mapped[str] = mapped_column(sa.String(40))
    template_id: Mapped[str] = mapped_column(sa.String(64))
    status: Mapped[CampaignStatus] = mapped_column(EnumText(CampaignStatus))
    created_by: Mapped[str] = mapped_column(sa.String(64))
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class ContactAttempt(Base):
    """One try on one point by one channel, by anybody. ``claim`` names the worker that took it."""

    __tablename__ = "contact_attempt"
    __table_args__ = (
        sa.Index(None, "customer_id", "scheduled_at"),
        sa.Index("ix_contact_attempt_ready", "campaign_id", "scheduled_at",
                 sqlite_where=_READY, postgresql_where=_READY),
        sa.Index(None, "provider", "provider_ref"),
        sa.UniqueConstraint("campaign_id", "customer_id"),
    )  # fmt: skip

    id: Mapped[Id]
    campaign_id: Mapped[int | None] = ref("campaign.id", index=False, nullable=True)
    case_id: Mapped[int] = ref("case.id")
    customer_id: Mapped[int] = ref("customer.id", index=False)
    contact_point_id: Mapped[int] = ref("contact_point.id", index=False)
    account_ids: Mapped[list[int]]
    channel: Mapped[Channel] = mapped_column(EnumText(Channel))
    mode: Mapped[Mode] = mapped_column(EnumText(Mode))
    purpose: Mapped[Purpose] = mapped_column(EnumText(Purpose))
    direction: Mapped[str] = mapped_column(sa.String(8), default="outbound", server_default="outbound")
    actor_kind: Mapped[str] = mapped_column(sa.String(16))
    actor_ref: Mapped[str] = mapped_column(sa.String(64))
    collector_role: Mapped[str] = mapped_column(sa.String(16))
    status: Mapped[AttemptStatus] = mapped_column(EnumText(AttemptStatus))
    scheduled_at: Mapped[datetime]
    claim: Mapped[str | None] = mapped_column(sa.String(64))
    dispatched_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    local_date: Mapped[date | None]
    outcome: Mapped[Outcome | None] = mapped_column(EnumText(Outcome))
    disposition: Mapped[Disposition | None] = mapped_column(EnumText(Disposition))
    template_id: Mapped[str | None] = mapped_column(sa.String(64))
    body: Mapped[str | None] = mapped_column(sa.Text)
    provider: Mapped[str | None] = mapped_column(sa.String(24))
    provider_ref: Mapped[str | None] = mapped_column(sa.String(64))
    error_code: Mapped[str | None] = mapped_column(sa.String(32))
    talk_seconds: Mapped[int | None]


class Receipt(Base):
    """The carrier's word on an attempt, stored before it is acted on; duplicates are one row."""

    __tablename__ = "receipt"
    __table_args__ = (sa.UniqueConstraint("provider", "provider_ref", "status"),)

    id: Mapped[Id]
    attempt_id: Mapped[int | None] = ref("contact_attempt.id", nullable=True)
    provider: Mapped[str] = mapped_column(sa.String(24))
    provider_ref: Mapped[str] = mapped_column(sa.String(64))
    status: Mapped[str] = mapped_column(sa.String(32))
    error_code: Mapped[str | None] = mapped_column(sa.String(32))
    applied: Mapped[bool]
    received_at: Mapped[datetime]


class InboundMessage(Base):
    """What a customer wrote to us; one row per carrier id."""

    __tablename__ = "inbound_message"
    __table_args__ = (sa.UniqueConstraint("provider", "provider_ref"),)

    id: Mapped[Id]
    provider: Mapped[str] = mapped_column(sa.String(24))
    provider_ref: Mapped[str] = mapped_column(sa.String(64))
    customer_id: Mapped[int | None] = ref("customer.id", nullable=True)
    contact_point_id: Mapped[int | None] = ref("contact_point.id", index=False, nullable=True)
    body: Mapped[str] = mapped_column(sa.Text)
    intent: Mapped[str] = mapped_column(sa.String(24))
    received_at: Mapped[datetime]


class RobotCall(Base):
    """The dialogue of one automated call, turn by turn."""

    __tablename__ = "robot_call"

    id: Mapped[Id]
    attempt_id: Mapped[int] = mapped_column(sa.ForeignKey("contact_attempt.id"), unique=True)
    script_id: Mapped[str] = mapped_column(sa.String(64))
    script_version: Mapped[int]
    state: Mapped[str] = mapped_column(sa.String(40))
    turns: Mapped[list[Any]]
    result: Mapped[dict[str, Any]]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
