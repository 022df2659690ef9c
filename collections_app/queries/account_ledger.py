"""The ledger of an account as it stands: instalments, payments, and which payment covered what."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.tables import Account, Instalment, Payment, PaymentAllocation
from collections_app.domain.money import Money
from collections_app.domain.restructuring import COMPONENTS

_PAYMENTS_SHOWN = 24


@dataclass(frozen=True)
class InstalmentRow:
    """One due amount of the schedule in force. ``is_overdue``: past due with something unpaid."""

    seq: int
    kind: str
    due_on: date | None
    due: Money
    unpaid: Money
    closed_on: date | None
    is_overdue: bool


@dataclass(frozen=True)
class AllocationRow:
    """A part of a payment: what it covered, by which rule."""

    seq: int
    component: str
    amount: Money
    rule: str


@dataclass(frozen=True)
class PaymentRow:
    """One payment with the lines that it covered; ``unapplied`` is what found nothing to cover."""

    ref: str
    kind: str
    status: str
    value_on: date
    amount: Money
    unapplied: Money | None
    lines: tuple[AllocationRow, ...]


@dataclass(frozen=True)
class AccountLedger:
    """The schedule in force and the latest payments of one account."""

    account_ref: str
    instalments: tuple[InstalmentRow, ...]
    payments: tuple[PaymentRow, ...]

    @property
    def open_instalments(self) -> int:
        """Count the instalments with something unpaid."""
        return sum(row.unpaid.minor > 0 for row in self.instalments)


def get_ledgers(session: Session, customer_id: int, *, today: date) -> dict[int, AccountLedger]:
    """Return the ledger of each account of a customer that has one, by account."""
    accounts = {
        row.id: row
        for row in session.execute(
            sa.select(Account.id, Account.account_ref, Account.currency, Account.schedule_version)
            .where(Account.customer_id == customer_id)
            .order_by(Account.id)
        )
    }
    currencies = {account_id: row.currency for account_id, row in accounts.items()}
    instalments = _instalments(session, customer_id, currencies, today)
    payments = _payments(session, customer_id, currencies)
    return {
        account_id: AccountLedger(row.account_ref, tuple(instalments[account_id]), tuple(payments[account_id]))
        for account_id, row in accounts.items()
        if instalments[account_id] or payments[account_id]
    }


def _instalments(
    session: Session, customer_id: int, currencies: Mapping[int, str], today: date
) -> dict[int, list[InstalmentRow]]:
    found: dict[int, list[InstalmentRow]] = defaultdict(list)
    rows = session.scalars(
        sa.select(Instalment)
        .join(
            Account,
            sa.and_(Account.id == Instalment.account_id, Account.schedule_version == Instalment.schedule_version),
        )
        .where(Account.customer_id == customer_id)
        .order_by(Instalment.account_id, Instalment.due_on.is_(None), Instalment.due_on, Instalment.seq)
    )
    for row in rows:
        due = sum(getattr(row, f"{component}_due_amount") for component in COMPONENTS)
        unpaid = max(due - row.paid_amount, 0)
        currency = currencies[row.account_id]
        found[row.account_id].append(
            InstalmentRow(
                row.seq, row.kind, row.due_on, Money(due, currency), Money(unpaid, currency), row.closed_on,
                row.closed_on is None and unpaid > 0 and row.due_on is not None and row.due_on < today,
            )
        )  # fmt: skip
    return found


def _payments(session: Session, customer_id: int, currencies: Mapping[int, str]) -> dict[int, list[PaymentRow]]:
    ranked = (
        sa.select(
            Payment.id,
            sa.func.row_number()
            .over(partition_by=Payment.account_id, order_by=(Payment.value_on.desc(), Payment.id.desc()))
            .label("n"),
        )
        .join(Account, Account.id == Payment.account_id)
        .where(Account.customer_id == customer_id)
        .subquery()
    )
    payments = session.scalars(
        sa.select(Payment)
        .join(ranked, ranked.c.id == Payment.id)
        .where(ranked.c.n <= _PAYMENTS_SHOWN)
        .order_by(Payment.value_on.desc(), Payment.id.desc())
    ).all()
    lines: dict[int, list[AllocationRow]] = defaultdict(list)
    by_id = {payment.id: payment for payment in payments}
    for line in session.scalars(
        sa.select(PaymentAllocation)
        .where(PaymentAllocation.payment_id.in_(by_id))
        .order_by(PaymentAllocation.payment_id, PaymentAllocation.line)
    ):
        amount = Money(line.amount, by_id[line.payment_id].currency)
        lines[line.payment_id].append(AllocationRow(line.instalment_seq, line.component, amount, line.rule))
    found: dict[int, list[PaymentRow]] = defaultdict(list)
    for p in payments:
        left = Money(p.unapplied_amount, currencies[p.account_id]) if p.unapplied_amount else None
        found[p.account_id].append(
            PaymentRow(p.payment_ref, p.kind, p.status, p.value_on, Money(p.amount, p.currency), left,
                       tuple(lines[p.id]))
        )  # fmt: skip
    return found
