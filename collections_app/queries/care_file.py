"""What is arranged on a case and what protects its customer, and the ledger of its accounts."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.tables import (
    Account,
    Case,
    Complaint,
    Customer,
    Dispute,
    Hardship,
    Hold,
    Moratorium,
    PaymentPlan,
    PlanTerm,
    StopFlag,
    User,
)
from collections_app.domain.contact import StopCode
from collections_app.domain.money import Money
from collections_app.domain.permissions import Actor, Permission
from collections_app.domain.plans import PlanKind, PlanStatus
from collections_app.domain.protections import (
    ComplaintChannel,
    DisputeGrounds,
    HardshipMeasure,
    HardshipReason,
    HoldReason,
    MoratoriumKind,
)
from collections_app.queries import case_file

_OPEN = (PlanStatus.PROPOSED, PlanStatus.ACTIVE)


@dataclass(frozen=True)
class TermRow:
    """One agreed payment. ``is_missed``: its days of grace have passed and it was not paid in full."""

    seq: int
    due_on: date
    amount: Money
    paid: Money
    is_paid: bool
    is_missed: bool


@dataclass(frozen=True)
class PlanRow:
    """One plan with its terms; ``paid_percent`` is the share of its total that came, 0 to 100."""

    id: int
    case_id: int
    customer: str
    account_ref: str
    kind: PlanKind
    status: PlanStatus
    total: Money
    paid: Money
    paid_percent: int
    waived: Money
    waived_parts: tuple[tuple[str, Money], ...]
    balance: Money
    arrears: Money
    starts_on: date
    ends_on: date
    reason: str
    re_ages: bool
    disposable: Money | None
    evidence: str
    authority: str
    authority_reasons: tuple[str, ...]
    proposed_by: str
    proposed_on: date
    is_own: bool
    decided_by: str | None
    decision_reason: str | None
    ended_on: date | None
    terms: tuple[TermRow, ...]

    @property
    def next_term(self) -> TermRow | None:
        """Return the first payment that has not come."""
        return next((term for term in self.terms if not term.is_paid), None)


@dataclass(frozen=True)
class HoldRow:
    """A hold that stands."""

    id: int
    reason: HoldReason
    note: str
    from_on: date
    until_on: date
    by: str


@dataclass(frozen=True)
class DisputeRow:
    """A dispute that is not answered."""

    id: int
    account_ref: str
    grounds: DisputeGrounds
    note: str
    amount: Money | None
    received_on: date
    due_on: date
    in_validation_period: bool
    is_written: bool


@dataclass(frozen=True)
class ComplaintRow:
    """A complaint that is open."""

    id: int
    channel: ComplaintChannel
    subject: str
    received_on: date
    due_on: date
    is_extended: bool


@dataclass(frozen=True)
class HardshipRow:
    """A hardship that lasts; without measures it waits for its answer."""

    id: int
    reason: HardshipReason
    starts_on: date
    review_on: date
    measures: tuple[HardshipMeasure, ...]
    evidence: str | None


@dataclass(frozen=True)
class MoratoriumRow:
    """A moratorium that runs; without ``ends_on`` until further notice."""

    id: int
    kind: MoratoriumKind
    reference: str
    starts_on: date
    ends_on: date | None
    accounts: int
    adviser: str | None


@dataclass(frozen=True)
class StopFlagRow:
    """A stop that was set by hand or in a call and can be released; others go with what set them."""

    id: int
    code: StopCode
    reference: str | None
    set_on: date
    by: str


@dataclass(frozen=True)
class CareFile:
    """Everything that is arranged on a case or protects its customer."""

    plans: tuple[PlanRow, ...]
    past_plans: tuple[PlanRow, ...]
    holds: tuple[HoldRow, ...]
    disputes: tuple[DisputeRow, ...]
    complaints: tuple[ComplaintRow, ...]
    hardships: tuple[HardshipRow, ...]
    moratoria: tuple[MoratoriumRow, ...]
    stops: tuple[StopFlagRow, ...]

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing is in force."""
        return not any(
            (self.plans, self.holds, self.disputes, self.complaints, self.hardships, self.moratoria, self.stops)
        )


def get_care_file(session: Session, actor: Actor, case_id: int, *, today: date) -> CareFile:
    """Return what is in force on a case that the actor may see, and its plans of before."""
    case_file.require_visible(session, actor, case_id)
    customer_id = session.scalar(sa.select(Case.customer_id).where(Case.id == case_id))
    plans = _plans(session, actor, PaymentPlan.case_id == case_id, today=today)
    return CareFile(
        plans=tuple(plan for plan in plans if plan.status in _OPEN),
        past_plans=tuple(plan for plan in plans if plan.status not in _OPEN),
        holds=_holds(session, case_id, today),
        disputes=_disputes(session, customer_id),
        complaints=_complaints(session, customer_id),
        hardships=_hardships(session, customer_id),
        moratoria=_moratoria(session, customer_id),
        stops=_stops(session, customer_id),
    )


def list_proposals(session: Session, actor: Actor, *, today: date) -> tuple[PlanRow, ...]:
    """Return the plans that wait for a decision, the oldest proposal first."""
    actor.require(Permission.PLAN_DECIDE)
    return tuple(reversed(_plans(session, actor, PaymentPlan.status == PlanStatus.PROPOSED, today=today)))


def count_proposals(session: Session) -> int:
    """Count the plans that wait for a decision."""
    waiting = sa.select(sa.func.count(PaymentPlan.id)).where(PaymentPlan.status == PlanStatus.PROPOSED)
    return session.scalar(waiting) or 0


def _plans(session: Session, actor: Actor, wanted: sa.ColumnElement[bool], *, today: date) -> tuple[PlanRow, ...]:
    rows = session.execute(
        sa.select(PaymentPlan, Account, Customer.full_name, Customer.customer_ref)
        .join(Account, Account.id == PaymentPlan.account_id)
        .join(Customer, Customer.id == Account.customer_id)
        .where(wanted)
        .order_by(PaymentPlan.id.desc())
    ).all()
    names = {u.username: u.display_name for u in session.execute(sa.select(User.username, User.display_name))}
    terms = _terms(session, [plan for plan, *_ in rows], today)
    return tuple(
        _plan_row(plan, account, name or ref, terms[plan.id], names, actor) for plan, account, name, ref in rows
    )


def _plan_row(
    plan: PaymentPlan, account: Account, customer: str, terms: list[TermRow], names: dict[str, str], actor: Actor
) -> PlanRow:
    def money(minor: int) -> Money:
        return Money(minor, plan.currency)

    paid = sum(term.paid.minor for term in terms)
    parts = (("fees", plan.waived_fees_amount), ("interest", plan.waived_interest_amount),
             ("principal", plan.waived_principal_amount))  # fmt: skip
    known: dict[str, Any] = plan.affordability or {}
    return PlanRow(
        id=plan.id, case_id=plan.case_id or 0, customer=customer, account_ref=account.account_ref, kind=plan.kind,
        status=plan.status, total=money(plan.total_amount), paid=money(paid),
        paid_percent=100 * paid // plan.total_amount if plan.total_amount else 0,
        waived=money(sum(minor for _, minor in parts)),
        waived_parts=tuple((name, money(minor)) for name, minor in parts if minor),
        balance=Money(account.balance_amount, account.currency),
        arrears=Money(account.arrears_amount, account.currency),
        starts_on=plan.starts_on, ends_on=plan.ends_on, reason=plan.reason, re_ages=plan.re_ages,
        disposable=money(known["disposable_minor"]) if known else None, evidence=str(known.get("evidence", "")),
        authority=plan.authority, authority_reasons=tuple(plan.authority_reasons),
        proposed_by=names.get(plan.proposed_by, plan.proposed_by), proposed_on=plan.proposed_at.date(),
        is_own=plan.proposed_by == actor.name,
        decided_by=names.get(plan.decided_by, plan.decided_by) if plan.decided_by else None,
        decision_reason=plan.decision_reason, ended_on=plan.ended_on, terms=tuple(terms),
    )  # fmt: skip


def _terms(session: Session, plans: Collection[PaymentPlan], today: date) -> dict[int, list[TermRow]]:
    about = {plan.id: plan for plan in plans}
    found: dict[int, list[TermRow]] = defaultdict(list)
    for term in session.scalars(
        sa.select(PlanTerm).where(PlanTerm.plan_id.in_(about)).order_by(PlanTerm.plan_id, PlanTerm.seq)
    ):
        plan, is_paid = about[term.plan_id], term.paid_amount >= term.amount
        last_day = term.due_on + timedelta(days=plan.breach["grace_days"])
        amount, paid = Money(term.amount, plan.currency), Money(term.paid_amount, plan.currency)
        found[plan.id].append(TermRow(term.seq, term.due_on, amount, paid, is_paid, not is_paid and last_day < today))
    return found


def _holds(session: Session, case_id: int, today: date) -> tuple[HoldRow, ...]:
    rows = session.scalars(
        sa.select(Hold).where(Hold.case_id == case_id, Hold.released_on.is_(None), Hold.until_on >= today)
    )
    return tuple(HoldRow(h.id, HoldReason(h.reason), h.note, h.from_on, h.until_on, h.set_by) for h in rows)


def _disputes(session: Session, customer_id: int | None) -> tuple[DisputeRow, ...]:
    rows = session.execute(
        sa.select(Dispute, Account.account_ref, Account.currency)
        .join(Account, Account.id == Dispute.account_id)
        .where(Account.customer_id == customer_id, Dispute.answered_on.is_(None))
        .order_by(Dispute.answer_due_on)
    )
    return tuple(
        DisputeRow(d.id, ref, DisputeGrounds(d.grounds), d.note,
                   Money(d.disputed_amount, currency) if d.disputed_amount else None, d.received_on,
                   d.answer_due_on, d.in_validation_period, d.is_written)
        for d, ref, currency in rows
    )  # fmt: skip


def _complaints(session: Session, customer_id: int | None) -> tuple[ComplaintRow, ...]:
    rows = session.scalars(
        sa.select(Complaint).where(Complaint.customer_id == customer_id, Complaint.closed_on.is_(None))
    )
    return tuple(
        ComplaintRow(c.id, ComplaintChannel(c.channel), c.subject, c.received_on, c.extended_to_on or c.due_on,
                     c.extended_to_on is not None)
        for c in rows
    )  # fmt: skip


def _hardships(session: Session, customer_id: int | None) -> tuple[HardshipRow, ...]:
    rows = session.scalars(sa.select(Hardship).where(Hardship.customer_id == customer_id, Hardship.ended_on.is_(None)))
    return tuple(
        HardshipRow(h.id, HardshipReason(h.reason), h.starts_on, h.review_on,
                    tuple(HardshipMeasure(m) for m in h.measures), h.evidence_ref)
        for h in rows
    )  # fmt: skip


def _moratoria(session: Session, customer_id: int | None) -> tuple[MoratoriumRow, ...]:
    rows = session.scalars(
        sa.select(Moratorium).where(Moratorium.customer_id == customer_id, Moratorium.ended_on.is_(None))
    )
    return tuple(
        MoratoriumRow(m.id, MoratoriumKind(m.kind), m.reference, m.starts_on, m.ends_on, len(m.account_ids), m.adviser)
        for m in rows
    )


def _stops(session: Session, customer_id: int | None) -> tuple[StopFlagRow, ...]:
    owners = (
        (Dispute, Dispute.answered_on), (Complaint, Complaint.closed_on), (Hardship, Hardship.ended_on),
        (Moratorium, Moratorium.ended_on),
    )  # fmt: skip
    owned = sa.or_(*(sa.exists().where(o.stop_flag_id == StopFlag.id, ended.is_(None)) for o, ended in owners))
    rows = session.scalars(
        sa.select(StopFlag)
        .where(StopFlag.customer_id == customer_id, StopFlag.released_at.is_(None), ~owned)
        .order_by(StopFlag.id)
    )
    return tuple(StopFlagRow(f.id, f.code, f.reference, f.set_at.date(), f.set_by) for f in rows)
