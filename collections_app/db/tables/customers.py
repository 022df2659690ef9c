"""Customers, how to reach them, and what forbids it."""

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from collections_app.db.base import Base, Id, ref
from collections_app.db.types import EnumText
from collections_app.domain.contact import PointKind, StopCode


class Customer(Base):
    """A person or firm that owes."""

    __tablename__ = "customer"
    __table_args__ = (sa.UniqueConstraint("source", "customer_ref"),)

    id: Mapped[Id]
    source: Mapped[str] = mapped_column(sa.String(64))
    customer_ref: Mapped[str] = mapped_column(sa.String(64))
    full_name: Mapped[str | None] = mapped_column(sa.String(200))
    party_type: Mapped[str] = mapped_column(sa.String(16), default="person", server_default="person")
    language: Mapped[str] = mapped_column(sa.String(16), default="en-US", server_default="en-US")
    country: Mapped[str] = mapped_column(sa.String(2))
    # ISO 3166-2 codes of residence, mailing address and area code: every applicable profile counts.
    regions: Mapped[list[str]]
    # IANA candidates; empty means unknown, which the gate reads as every zone of the country.
    zones: Mapped[list[str]]
    preferences: Mapped[list[Any]]


class ContactPoint(Base):
    """A phone, e-mail or address with owner, source and quality."""

    __tablename__ = "contact_point"
    __table_args__ = (sa.UniqueConstraint("customer_id", "kind", "value"), sa.Index(None, "value"))

    id: Mapped[Id]
    customer_id: Mapped[int] = ref("customer.id", index=False)
    kind: Mapped[PointKind] = mapped_column(EnumText(PointKind))
    value: Mapped[str] = mapped_column(sa.String(200))
    owner: Mapped[str] = mapped_column(sa.String(24), default="debtor", server_default="debtor")
    quality: Mapped[str] = mapped_column(sa.String(24), default="ok", server_default="ok")
    source: Mapped[str] = mapped_column(sa.String(32), default="application", server_default="application")
    rank: Mapped[int] = mapped_column(default=1, server_default="1")
    # Since when the source says so, since when we know; earlier versions are in contact_point_history.
    valid_from: Mapped[datetime | None]
    recorded_at: Mapped[datetime | None]
    # The source took the point back: it stays for the record and is never used.
    withdrawn_at: Mapped[datetime | None]


class ContactPointHistory(Base):
    """What was said of a contact point before: its owner, quality and rank then. Append-only."""

    __tablename__ = "contact_point_history"
    __table_args__ = (sa.Index(None, "contact_point_id", "valid_from"),)

    id: Mapped[Id]
    contact_point_id: Mapped[int] = ref("contact_point.id", index=False)
    owner: Mapped[str] = mapped_column(sa.String(24))
    quality: Mapped[str] = mapped_column(sa.String(24))
    source: Mapped[str] = mapped_column(sa.String(32))
    rank: Mapped[int]
    valid_from: Mapped[datetime | None]
    recorded_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]


class Consent(Base):
    """A consent as given; append-only, revoked by date."""

    __tablename__ = "consent"
    __table_args__ = (sa.UniqueConstraint("contact_point_id", "kind", "captured_at"),)

    id: Mapped[Id]
    contact_point_id: Mapped[int] = ref("contact_point.id", index=False)
    kind: Mapped[str] = mapped_column(sa.String(32))
    captured_at: Mapped[datetime]
    given_to: Mapped[str] = mapped_column(sa.String(16))
    revoked_at: Mapped[datetime | None]


class OptOut(Base):
    """A customer's word that a point, a medium or everything must stop."""

    __tablename__ = "opt_out"

    id: Mapped[Id]
    customer_id: Mapped[int] = ref("customer.id")
    contact_point_id: Mapped[int | None] = ref("contact_point.id", nullable=True)
    channel: Mapped[str | None] = mapped_column(sa.String(16))
    scope: Mapped[str] = mapped_column(sa.String(8))
    at: Mapped[datetime]
    raw_text: Mapped[str | None] = mapped_column(sa.Text)
    detected_by: Mapped[str] = mapped_column(sa.String(32))


class StopFlag(Base):
    """A hard stop on a customer (or one account); active until released."""

    __tablename__ = "stop_flag"

    id: Mapped[Id]
    customer_id: Mapped[int] = ref("customer.id")
    account_id: Mapped[int | None] = ref("account.id", nullable=True)
    code: Mapped[StopCode] = mapped_column(EnumText(StopCode))
    set_at: Mapped[datetime]
    set_by: Mapped[str] = mapped_column(sa.String(64))
    reference: Mapped[str | None] = mapped_column(sa.String(200))
    until_on: Mapped[date | None]
    released_at: Mapped[datetime | None]
    released_by: Mapped[str | None] = mapped_column(sa.String(64))
    release_reason: Mapped[str | None] = mapped_column(sa.String(300))
