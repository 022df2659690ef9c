"""What outside vendors say of a customer: multi-lending answers, raw enquiries, special lists and courts (§3.3)."""

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from collections_app.db.base import Base, Currency, Id, MinorUnits, ref


class ExternalSignal(Base):
    """One answer of an external vendor about a customer. No hit and not asked are not zero (§3.3).

    ``snapshot_on``: the day it speaks of. ``received_on``: since when we know. Append-only: a corrected answer
    is a new row with a later ``received_on``. From ``expires_on`` on it may no longer be used.
    """

    __tablename__ = "external_signal"
    __table_args__ = (
        sa.UniqueConstraint(
            "customer_id", "provider", "product", "key_type", "snapshot_on", "received_on",
            name="uq_external_signal_answer",
        ),
        sa.CheckConstraint(
            "hit_status <> 'hit' OR (purpose_code IS NOT NULL AND consent_ref IS NOT NULL)", name="hit_has_purpose"
        ),
    )  # fmt: skip

    id: Mapped[Id]
    customer_id: Mapped[int] = ref("customer.id", index=False)
    provider: Mapped[str] = mapped_column(sa.String(40))
    product: Mapped[str] = mapped_column(sa.String(40), default="multi_lending", server_default="multi_lending")
    snapshot_on: Mapped[date]
    received_on: Mapped[date]
    key_type: Mapped[str] = mapped_column(sa.String(8), default="id", server_default="id")
    hit_status: Mapped[str] = mapped_column(sa.String(16))
    # Why we may ask, and by which consent (domain brief §8.14).
    purpose_code: Mapped[str | None] = mapped_column(sa.String(24))
    consent_ref: Mapped[str | None] = mapped_column(sa.String(64))
    vendor_version: Mapped[str | None] = mapped_column(sa.String(24))
    cost_amount: Mapped[MinorUnits | None]
    cost_currency: Mapped[Currency | None]
    expires_on: Mapped[date | None]
    fields: Mapped[dict[str, Any]]


class CreditEnquiry(Base):
    """One application for credit by a customer at some institution, as a bureau reports it."""

    __tablename__ = "credit_enquiry"
    __table_args__ = (
        sa.UniqueConstraint("provider", "enquiry_ref"),
        sa.Index(None, "customer_id", "enquired_at"),
    )

    id: Mapped[Id]
    customer_id: Mapped[int] = ref("customer.id", index=False)
    provider: Mapped[str] = mapped_column(sa.String(40))
    enquiry_ref: Mapped[str] = mapped_column(sa.String(64))
    key_type: Mapped[str] = mapped_column(sa.String(8))
    # A pseudonym of the institution, stable for the provider: distinct institutions are counted by it.
    institution: Mapped[str] = mapped_column(sa.String(64))
    institution_type: Mapped[str] = mapped_column(sa.String(16))
    enquired_at: Mapped[datetime]
    # The customer's local hour: night applications count apart.
    local_hour: Mapped[int | None]
    # Our own question about our own customer is not news.
    is_own: Mapped[bool]
    received_on: Mapped[date]


class ListHit(Base):
    """A customer on a special list or in a court's register, with severity (§3.3, §8.14).

    Append-only: a hit that was confirmed, corrected or removed is told again with a later ``received_on``.
    """

    __tablename__ = "list_hit"
    __table_args__ = (sa.UniqueConstraint("provider", "hit_ref", "received_on"),)

    id: Mapped[Id]
    customer_id: Mapped[int] = ref("customer.id")
    provider: Mapped[str] = mapped_column(sa.String(40))
    hit_ref: Mapped[str] = mapped_column(sa.String(64))
    list_code: Mapped[str] = mapped_column(sa.String(24))
    severity: Mapped[int]
    event_on: Mapped[date]
    received_on: Mapped[date]
    is_confirmed: Mapped[bool]
    removed_on: Mapped[date | None]
