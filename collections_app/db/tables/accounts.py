"""Accounts as their source tells them, with everything it told before, and the statement cycles of cards."""

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from collections_app.db.base import Base, Currency, Id, MinorUnits, Rate, ref


class AccountTerms:
    """What a source tells of an account (domain brief §8.2). The present and the past share these columns.

    ``valid_from``: since when it is so, by the source. ``recorded_at``: since when we know it.
    ``row_hash``: of the told columns; an equal hash is an unchanged row.
    """

    creditor: Mapped[str] = mapped_column(sa.String(100))
    servicer: Mapped[str | None] = mapped_column(sa.String(64))
    owner_since_on: Mapped[date | None]
    collector_role: Mapped[str] = mapped_column(sa.String(16))
    product_code: Mapped[str | None] = mapped_column(sa.String(64))
    product_family: Mapped[str] = mapped_column(sa.String(24))
    # Names a product profile (strategies/parameters/products.yaml); empty = the one of the family.
    profile: Mapped[str | None] = mapped_column(sa.String(40))
    currency: Mapped[Currency]
    opened_on: Mapped[date | None]
    matures_on: Mapped[date | None]
    limit_amount: Mapped[MinorUnits | None]
    interest_rate: Mapped[Rate | None]
    penalty_rate: Mapped[Rate | None]
    day_count: Mapped[str | None] = mapped_column(sa.String(8))
    due_roll: Mapped[str | None] = mapped_column(sa.String(12))
    grace_days: Mapped[int | None]
    tolerance_amount: Mapped[MinorUnits | None]
    tolerance_rate: Mapped[Rate | None]
    balance_amount: Mapped[MinorUnits]
    principal_amount: Mapped[MinorUnits | None]
    interest_amount: Mapped[MinorUnits | None]
    fees_amount: Mapped[MinorUnits | None]
    penalty_amount: Mapped[MinorUnits | None]
    arrears_source_amount: Mapped[MinorUnits | None]
    minimum_due_amount: Mapped[MinorUnits | None]
    due_source_on: Mapped[date | None]
    dpd_source: Mapped[int | None]
    bucket_source: Mapped[str | None] = mapped_column(sa.String(16))
    status: Mapped[str] = mapped_column(sa.String(16))
    charged_off_on: Mapped[date | None]
    charged_off_amount: Mapped[MinorUnits | None]
    limitation_on: Mapped[date | None]
    limitation_basis: Mapped[str | None] = mapped_column(sa.String(64))
    ifrs9_stage: Mapped[int | None]
    reg_class_source: Mapped[str | None] = mapped_column(sa.String(24))
    is_secured: Mapped[bool | None]
    collateral_ref: Mapped[str | None] = mapped_column(sa.String(64))
    itemization_on: Mapped[date | None]
    itemization: Mapped[dict[str, Any] | None]
    valid_from: Mapped[datetime]
    recorded_at: Mapped[datetime]
    row_hash: Mapped[int] = mapped_column(sa.BigInteger)


class Account(AccountTerms, Base):
    """One loan or card contract as last told by its source, and how it stands by our own ledger."""

    __tablename__ = "account"
    __table_args__ = (
        sa.UniqueConstraint("source", "account_ref"),
        sa.CheckConstraint(
            "principal_amount IS NULL OR interest_amount IS NULL OR fees_amount IS NULL OR penalty_amount IS NULL "
            "OR balance_amount = principal_amount + interest_amount + fees_amount + penalty_amount",
            name="balance_is_sum_of_parts",
        ),
        {"postgresql_with": {"fillfactor": 85}},
    )

    id: Mapped[Id]
    source: Mapped[str] = mapped_column(sa.String(64))
    account_ref: Mapped[str] = mapped_column(sa.String(64))
    customer_id: Mapped[int] = ref("customer.id")
    bucket_table: Mapped[str] = mapped_column(sa.String(8))
    # "schedule": DPD and arrears follow from instalments and payments; "source": from the source's oldest due date.
    basis: Mapped[str] = mapped_column(sa.String(8), default="source", server_default="source")
    schedule_version: Mapped[int] = mapped_column(default=0, server_default="0")
    # Since when this version replaces another one; how the account stood before is left as it was. Empty = ever.
    schedule_since_on: Mapped[date | None]
    # The oldest due date with something unpaid, in the past or still to come; DPD counts from it.
    oldest_unpaid_due_on: Mapped[date | None]
    # The next due date after as_of_on: until then only time changes how the account stands.
    next_due_on: Mapped[date | None]
    # The first day on which more than ageing happens by itself (a due date passes, a pause begins or ends).
    next_change_on: Mapped[date | None]
    # The first day of collection, grace over; empty = nothing past due, or the source keeps the account.
    collect_from_on: Mapped[date | None]
    # Whether days past due grow by themselves (basis "schedule" only).
    is_ageing: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    arrears_amount: Mapped[MinorUnits]
    dpd: Mapped[int]
    # Days for which more than the regulator's materiality threshold has been overdue (domain brief §2.1).
    dpd_regulatory: Mapped[int] = mapped_column(default=0, server_default="0")
    # The first day of the present run of material arrears; dpd_regulatory counts from it.
    material_since_on: Mapped[date | None]
    bucket: Mapped[str] = mapped_column(sa.String(16))
    reg_class: Mapped[str | None] = mapped_column(sa.String(24))
    as_of_on: Mapped[date]


class AccountHistory(AccountTerms, Base):
    """What a source told of an account and is no longer the last word: earlier versions, and late corrections
    of an earlier time. Append-only; together with ``account`` it is everything ever told."""

    __tablename__ = "account_history"
    __table_args__ = (sa.Index(None, "account_id", "valid_from"),)

    id: Mapped[Id]
    account_id: Mapped[int] = ref("account.id", index=False)


class AccountCycle(Base):
    """One statement cycle as the lender reports it: billed, paid, cycles past due at its end."""

    __tablename__ = "account_cycle"

    account_id: Mapped[int] = mapped_column(sa.ForeignKey("account.id"), primary_key=True)
    cycle_end_on: Mapped[date] = mapped_column(primary_key=True)
    cycles_past_due: Mapped[int | None]
    statement_amount: Mapped[MinorUnits | None]
    paid_amount: Mapped[MinorUnits | None]
