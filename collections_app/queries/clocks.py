"""What must be answered by a day: complaints, disputes, hardship, moratoria and holds that end."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from collections_app.db.tables import Account, Case, Complaint, Customer, Dispute, Hardship, Hold, Moratorium, Payment
from collections_app.domain.money import Money
from collections_app.domain.protections import DisputeGrounds, HardshipReason, HoldReason, MoratoriumKind


class ClockKind(StrEnum):
    """What runs out."""

    COMPLAINT = "complaint"
    DISPUTE = "dispute"
    HARDSHIP = "hardship"
    MORATORIUM = "moratorium"
    HOLD = "hold"


_CODES: dict[ClockKind, type[StrEnum]] = {
    ClockKind.DISPUTE: DisputeGrounds,
    ClockKind.HARDSHIP: HardshipReason,
    ClockKind.MORATORIUM: MoratoriumKind,
    ClockKind.HOLD: HoldReason,
}
# Whose day brings a duty of ours; a moratorium or a hold that ends is only to be known.
DUTIES = (ClockKind.COMPLAINT, ClockKind.DISPUTE, ClockKind.HARDSHIP)


@dataclass(frozen=True)
class DueClock:
    """One clock that runs. ``what`` says what it is about: a code, or the recorder's own words (a complaint)."""

    kind: ClockKind
    id: int
    case_id: int | None
    customer: str
    country: str
    what: str
    started_on: date
    due_on: date
    is_overdue: bool
    recorded_by: str


@dataclass(frozen=True)
class OnDisputedDebt:
    """A payment that the customer did not direct and that lies on a disputed debt (12 CFR 1006.30(c))."""

    payment_ref: str
    account_ref: str
    case_id: int | None
    customer: str
    amount: Money
    value_on: date


def list_due(session: Session, as_of: date, *, kinds: tuple[ClockKind, ...] = tuple(ClockKind)) -> tuple[DueClock, ...]:
    """Return the clocks that run on a day, the earliest end first; an overdue one is a duty not done in time."""
    rows = [clock for kind in kinds for clock in _run(session, kind, as_of)]
    return tuple(sorted(rows, key=lambda clock: (clock.due_on, clock.kind.value, clock.id)))


def _run(session: Session, kind: ClockKind, as_of: date) -> Iterator[DueClock]:
    for row in session.execute(_SOURCES[kind](as_of)):
        yield DueClock(
            kind=kind,
            id=row.id,
            case_id=row.case_id,
            customer=row.full_name or row.customer_ref,
            country=row.country,
            what=_CODES[kind](row.what) if kind in _CODES else str(row.what),
            started_on=row.started_on,
            due_on=row.due_on,
            is_overdue=kind in DUTIES and row.due_on < as_of,
            recorded_by=row.by,
        )


def _columns(table: Any, what: Any, started_on: Any, due_on: Any, by: Any, case_id: Any) -> sa.Select[Any]:
    return sa.select(
        table.id, case_id.label("case_id"), Customer.full_name, Customer.customer_ref, Customer.country,
        what.label("what"), started_on.label("started_on"), due_on.label("due_on"), by.label("by"),
    )  # fmt: skip


def _complaints(_: date) -> sa.Select[Any]:
    c, due_on = Complaint, sa.func.coalesce(Complaint.extended_to_on, Complaint.due_on)
    return (
        _columns(c, c.subject, c.received_on, due_on, c.recorded_by, c.case_id)
        .join(Customer, Customer.id == c.customer_id)
        .where(c.closed_on.is_(None))
    )


def _disputes(_: date) -> sa.Select[Any]:
    d = Dispute
    return (
        _columns(d, d.grounds, d.received_on, d.answer_due_on, d.recorded_by, d.case_id)
        .join(Account, Account.id == d.account_id)
        .join(Customer, Customer.id == Account.customer_id)
        .where(d.answered_on.is_(None))
    )


def _hardships(_: date) -> sa.Select[Any]:
    h = Hardship
    return (
        _columns(h, h.reason, h.starts_on, h.review_on, h.recorded_by, h.case_id)
        .join(Customer, Customer.id == h.customer_id)
        .where(h.ended_on.is_(None))
    )


def _moratoria(_: date) -> sa.Select[Any]:
    m = Moratorium
    return (
        _columns(m, m.kind, m.starts_on, m.ends_on, m.recorded_by, m.details["case_id"].as_integer())
        .join(Customer, Customer.id == m.customer_id)
        .where(m.ended_on.is_(None), m.ends_on.is_not(None))
    )


def _holds(as_of: date) -> sa.Select[Any]:
    h = Hold
    return (
        _columns(h, h.reason, h.from_on, h.until_on, h.set_by, h.case_id)
        .join(Case, Case.id == h.case_id)
        .join(Customer, Customer.id == Case.customer_id)
        .where(h.released_on.is_(None), h.until_on >= as_of, Case.closed_on.is_(None))
    )


_SOURCES = {
    ClockKind.COMPLAINT: _complaints,
    ClockKind.DISPUTE: _disputes,
    ClockKind.HARDSHIP: _hardships,
    ClockKind.MORATORIUM: _moratoria,
    ClockKind.HOLD: _holds,
}


def list_on_disputed_debts(session: Session, *, limit: int = 100) -> tuple[OnDisputedDebt, ...]:
    """Return undirected cash on a debt while it is disputed, where the customer owes us another debt as well.

    The lender books payments; a person sends it on: to the debt that the customer meant, or back.
    """
    other = aliased(Account)
    several = sa.exists().where(other.customer_id == Account.customer_id, other.id != Account.id)
    rows = session.execute(
        sa.select(Payment, Account.account_ref, Dispute.case_id, Customer.full_name, Customer.customer_ref)
        .join(Account, Account.id == Payment.account_id)
        .join(Dispute, Dispute.account_id == Account.id)
        .join(Customer, Customer.id == Account.customer_id)
        .where(
            Dispute.answered_on.is_(None), Payment.value_on >= Dispute.received_on, Payment.kind == "payment",
            Payment.status == "settled", several,
        )
        .order_by(Payment.value_on, Payment.id)
        .limit(limit)
    )  # fmt: skip
    return tuple(
        OnDisputedDebt(p.payment_ref, ref, case_id, name or customer_ref, Money(p.amount, p.currency), p.value_on)
        for p, ref, case_id, name, customer_ref in rows
        if not p.directed_to
    )
