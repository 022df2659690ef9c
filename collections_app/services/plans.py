"""Payment plans: proposed, granted by who may, set to work on the ledger, taken back. Cash judges them elsewhere.

One open plan per account. What an agent may grant is active at once; the rest waits for somebody else's word.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.tables import Account, Case, Customer, Dispute, Payment, PaymentPlan, PlanTerm, StopFlag
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.calendars import add_months
from collections_app.domain.contact import StopCode
from collections_app.domain.delinquency import ReAgeLimits, ReAgeRefusal, may_re_age
from collections_app.domain.errors import Conflict, InvalidInput, NotAllowed, NotFound
from collections_app.domain.events import EventKind
from collections_app.domain.permissions import Permission, Role
from collections_app.domain.plans import (
    Affordability,
    Authority,
    AuthorityNeeded,
    Debt,
    PlanKind,
    PlanStatus,
    Proposal,
    Term,
    check,
    required_authority,
    split_waiver,
)
from collections_app.queries import case_file
from collections_app.services import plan_schedules
from strategies import concessions
from strategies.parameters.products import re_age_limits

OPEN = (PlanStatus.PROPOSED, PlanStatus.ACTIVE)
_LEVEL_OF: Mapping[Role, Authority] = {Role.AGENT: Authority.AGENT, Role.SUPERVISOR: Authority.SUPERVISOR}
_RANK = {level: rank for rank, level in enumerate(Authority)}
_CASH = ("payment", "writeoff_recovery")
# Nobody arranges anything while these hold: an estate, a court or an administrator speaks for the customer.
_FORBIDDING = (StopCode.DECEASED, StopCode.BANKRUPTCY)


@dataclass(frozen=True)
class Wish:
    """A plan as somebody asks for it; ``ends_on`` matters for a deferral, ``terms`` for every other kind."""

    kind: PlanKind
    reason: str
    terms: tuple[Term, ...] = ()
    ends_on: date | None = None
    affordability: Affordability | None = None
    re_ages: bool = False


@dataclass(frozen=True)
class Assessment:
    """What a wish comes to: the plan with what it waives, and who may grant it."""

    proposal: Proposal
    needed: AuthorityNeeded


def assess(session: Session, account: Account, wish: Wish, *, business_date: date) -> Assessment:
    """Check a wish against the account and the limits, without recording it; InvalidInput says what is wrong."""
    if not wish.reason.strip():
        raise InvalidInput("the reason is missing: say in a sentence why this plan helps")
    debt, rules = debt_of(account), concessions.plan_rules(business_date)
    proposal = _proposal(wish, debt, business_date)
    check(proposal, debt, as_of=business_date, most_terms=rules.most_terms)
    country = session.scalar(sa.select(Customer.country).where(Customer.id == account.customer_id)) or ""
    if wish.affordability is None and wish.kind is not PlanKind.DEFERRAL and country in rules.affordability:
        raise InvalidInput("the monthly income and expense are missing; a plan here needs them")
    if wish.re_ages:
        _check_re_age(session, account, wish.kind, business_date)
    return Assessment(proposal, required_authority(proposal, debt, concessions.authority_levels(business_date)))


def debt_of(account: Account) -> Debt:
    """Return what is owed on an account, as its source told it."""
    known = (account.fees_amount, account.penalty_amount)
    return Debt(
        currency=account.currency,
        balance_minor=account.balance_amount,
        arrears_minor=account.arrears_amount,
        principal_minor=account.principal_amount,
        interest_minor=account.interest_amount,
        fees_minor=None if known == (None, None) else sum(part or 0 for part in known),
    )


def _proposal(wish: Wish, debt: Debt, business_date: date) -> Proposal:
    ends_on = wish.ends_on if wish.kind is PlanKind.DEFERRAL else wish.terms[-1].due_on if wish.terms else None
    if ends_on is None:
        raise InvalidInput("the last date is missing")
    proposal = Proposal(
        kind=wish.kind,
        currency=debt.currency,
        terms=() if wish.kind is PlanKind.DEFERRAL else wish.terms,
        starts_on=business_date,
        ends_on=ends_on,
        affordability=wish.affordability,
    )
    if wish.kind is not PlanKind.SETTLEMENT:
        return proposal
    return replace(proposal, waiver=split_waiver(max(debt.balance_minor - proposal.total_minor, 0), debt))


def _check_re_age(session: Session, account: Account, kind: PlanKind, on: date) -> None:
    """Refuse a fresh start that the rules do not allow (FFIEC; domain brief §2.2), with every reason."""
    if kind is not PlanKind.INSTALMENT:
        raise InvalidInput("only an instalment plan can start the account afresh")
    if account.basis != "schedule":
        raise InvalidInput("the lender keeps this account's due dates; it cannot start afresh here")
    limits = re_age_limits(on)
    before = session.scalars(
        sa.select(PaymentPlan.starts_on).where(
            PaymentPlan.account_id == account.id, PaymentPlan.plan_version.is_not(None), PaymentPlan.re_ages
        )
    ).all()
    refusals = may_re_age(
        on,
        opened_on=account.opened_on,
        payments_in_a_row=_minimum_payments_in_a_row(session, account, on, months=limits.minimum_payments),
        re_aged_on=before,
        limits=limits,
    )
    if refusals:
        told = _re_age_refusals(limits)
        raise InvalidInput(f"the account cannot start afresh: {'; '.join(told[r] for r in refusals)}")


def _re_age_refusals(limits: ReAgeLimits) -> Mapping[ReAgeRefusal, str]:
    return {
        ReAgeRefusal.TOO_FEW_PAYMENTS: f"the last {limits.minimum_payments} months need a minimum payment each",
        ReAgeRefusal.TOO_YOUNG: f"it must be {limits.account_months} months old",
        ReAgeRefusal.ONCE_IN_12_MONTHS: f"it may only {_times(limits.per_12_months)} in twelve months",
        ReAgeRefusal.TWICE_IN_60_MONTHS: f"it may only {_times(limits.per_60_months)} in five years",
    }


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _minimum_payments_in_a_row(session: Session, account: Account, on: date, *, months: int) -> int:
    """Count the months back from a day in which the minimum was paid and stayed paid; several in one sum count."""
    taken_back = sa.select(Payment.reverses_ref).where(
        Payment.account_id == account.id, Payment.reverses_ref.is_not(None), Payment.status == "settled"
    )
    cash = session.execute(
        sa.select(Payment.value_on, Payment.amount).where(
            Payment.account_id == account.id, Payment.kind.in_(_CASH), Payment.status == "settled",
            Payment.value_on <= on, Payment.value_on > add_months(on, -months), Payment.payment_ref.not_in(taken_back),
        )
    ).all()  # fmt: skip
    minimum = account.minimum_due_amount or 1
    count = 0
    for n in range(1, months + 1):
        start, end = add_months(on, -n), add_months(on, 1 - n)
        if sum(amount for day, amount in cash if start < day <= end) < minimum:
            break
        count += 1
    paid_at_once = sum(amount for _, amount in cash) // minimum if account.minimum_due_amount else 0
    return max(count, min(paid_at_once, months))


def propose(uow: UnitOfWork, *, case_id: int, account_id: int, wish: Wish, business_date: date) -> PaymentPlan:
    """Record a plan on an account of a case; within an agent's limits it is active at once, else it waits."""
    uow.actor.require(Permission.PLAN_PROPOSE)
    session = uow.session
    account = _account(uow, case_id, account_id)
    assessment = assess(session, account, wish, business_date=business_date)
    proposal, needed = assessment.proposal, assessment.needed
    known = proposal.affordability
    plan = PaymentPlan(
        account_id=account.id,
        case_id=case_id,
        kind=proposal.kind,
        status=PlanStatus.PROPOSED,
        currency=proposal.currency,
        total_amount=proposal.total_minor,
        starts_on=proposal.starts_on,
        ends_on=proposal.ends_on,
        waived_principal_amount=proposal.waiver.principal,
        waived_interest_amount=proposal.waiver.interest,
        waived_fees_amount=proposal.waiver.fees,
        affordability=_stored(known),
        reason=wish.reason.strip()[:200],
        re_ages=wish.re_ages,
        proposed_by=uow.actor.name,
        proposed_at=uow.now,
        authority=needed.level.value,
        authority_reasons=list(needed.reasons),
        breach=_breach(proposal.kind, business_date),
    )
    session.add(plan)
    session.flush()  # the terms and the event name the plan
    session.add_all(
        PlanTerm(plan_id=plan.id, seq=seq, due_on=term.due_on, amount=term.amount_minor, paid_amount=0)
        for seq, term in enumerate(proposal.terms, start=1)
    )
    _record(uow, plan, EventKind.PLAN_PROPOSED, text=_summary(plan, proposal.terms))
    if needed.level is Authority.AGENT:
        _activate(uow, plan, account, business_date)
    return plan


def _stored(known: Affordability | None) -> dict[str, Any] | None:
    if known is None:
        return None
    return {
        "income_minor": known.income_minor,
        "expense_minor": known.expense_minor,
        "disposable_minor": known.disposable_minor,
        "evidence": known.evidence,
    }


def _breach(kind: PlanKind, on: date) -> dict[str, int]:
    rule = concessions.plan_rules(on).breach
    # A settlement gives up the rest of the debt for its sum: the sum is paid in full.
    tolerance = 0 if kind is PlanKind.SETTLEMENT else rule.tolerance_percent
    return {"grace_days": rule.grace_days, "tolerance_percent": tolerance, "missed_terms": rule.missed_terms}


def _summary(plan: PaymentPlan, terms: Sequence[Term]) -> str:
    last = f"{plan.ends_on.day} {plan.ends_on:%b %Y}"
    if plan.kind is PlanKind.DEFERRAL:
        return f"nothing is due until {last}"
    return f"{len(terms)} payments, the last on {last}" if len(terms) > 1 else f"one payment on {last}"


def approve(uow: UnitOfWork, *, plan_id: int, business_date: date, reason: str = "") -> None:
    """Grant a proposed plan: by somebody else than its proposer, with authority enough, on figures that still hold."""
    plan, account = _to_decide(uow, plan_id)
    level = _LEVEL_OF.get(uow.actor.role)
    if level is None or _RANK[level] < _RANK[Authority(plan.authority)]:
        raise NotAllowed(f"this plan needs the authority of a {plan.authority}")
    waived = plan.waived_principal_amount + plan.waived_interest_amount + plan.waived_fees_amount
    if plan.kind is PlanKind.SETTLEMENT and plan.total_amount + waived != account.balance_amount:
        raise Conflict("the balance has changed since the proposal; reject it and ask for a new one")
    first = uow.session.scalar(sa.select(sa.func.min(PlanTerm.due_on)).where(PlanTerm.plan_id == plan.id))
    if first is not None and first < business_date:
        raise Conflict("the first date has passed since the proposal; reject it and ask for a new one")
    plan.decision_reason = reason.strip()[:200] or None
    _activate(uow, plan, account, business_date)


def reject(uow: UnitOfWork, *, plan_id: int, reason: str, business_date: date) -> None:
    """Refuse a proposed plan, with the reason for its proposer."""
    plan, _ = _to_decide(uow, plan_id)
    if not reason.strip():
        raise InvalidInput("the reason is missing: the proposer needs it to do better")
    _decided(uow, plan, PlanStatus.REJECTED)
    plan.decision_reason, plan.ended_on = reason.strip()[:200], business_date
    _record(uow, plan, EventKind.PLAN_REJECTED, text=reason.strip())


def cancel(uow: UnitOfWork, *, plan_id: int, reason: str, business_date: date) -> None:
    """End a plan before its time. Who proposed it may take back a proposal; an active plan needs a decision."""
    uow.actor.require(Permission.PLAN_PROPOSE)
    plan, account = _locked(uow, plan_id)
    if plan.status not in OPEN:
        raise Conflict(f"this plan is {plan.status} already")
    if plan.status is PlanStatus.ACTIVE or plan.proposed_by != uow.actor.name:
        uow.actor.require(Permission.PLAN_DECIDE)
    if not reason.strip():
        raise InvalidInput("the reason is missing")
    was_active = plan.status is PlanStatus.ACTIVE
    plan.status, plan.ended_on = PlanStatus.CANCELLED, business_date
    plan.decision_reason = reason.strip()[:200]
    if was_active:
        plan_schedules.undo(uow, plan, account, business_date=business_date)
    _record(uow, plan, EventKind.PLAN_CANCELLED, text=reason.strip())


def _to_decide(uow: UnitOfWork, plan_id: int) -> tuple[PaymentPlan, Account]:
    uow.actor.require(Permission.PLAN_DECIDE)
    plan, account = _locked(uow, plan_id)
    if plan.status is not PlanStatus.PROPOSED:
        raise Conflict(f"this plan is {plan.status} already")
    if plan.proposed_by == uow.actor.name:
        raise NotAllowed("nobody decides on their own proposal")
    return plan, account


def _locked(uow: UnitOfWork, plan_id: int) -> tuple[PaymentPlan, Account]:
    plan = uow.session.get(PaymentPlan, plan_id, with_for_update=True)
    if plan is None or plan.case_id is None:
        raise NotFound("there is no such plan")
    case_file.require_visible(uow.session, uow.actor, plan.case_id)
    return plan, uow.session.get_one(Account, plan.account_id, with_for_update=True)


def _account(uow: UnitOfWork, case_id: int, account_id: int) -> Account:
    """Return the account, locked, if a plan may be made on it now."""
    session = uow.session
    case_file.require_visible(session, uow.actor, case_id)
    case, account = session.get_one(Case, case_id), session.get(Account, account_id, with_for_update=True)
    if account is None or account.customer_id != case.customer_id:
        raise NotFound("there is no such account on this case")
    if case.closed_on is not None:
        raise Conflict("the case is closed; nothing is overdue any more")
    if session.scalar(sa.select(sa.exists().where(PaymentPlan.account_id == account_id, PaymentPlan.status.in_(OPEN)))):
        raise Conflict("this account has an open plan; end it first")
    if session.scalar(sa.select(sa.exists().where(Dispute.account_id == account_id, Dispute.answered_on.is_(None)))):
        raise Conflict("this account is disputed; answer the dispute first")
    stopped = sa.exists().where(
        StopFlag.customer_id == case.customer_id, StopFlag.code.in_(_FORBIDDING), StopFlag.released_at.is_(None)
    )
    if session.scalar(sa.select(stopped)):
        raise Conflict("an estate, a court or an administrator speaks for the customer; nothing is arranged here")
    return account


def _activate(uow: UnitOfWork, plan: PaymentPlan, account: Account, business_date: date) -> None:
    _decided(uow, plan, PlanStatus.ACTIVE)
    # Cash counts from the day on which the customer's word was taken, not from the day of the approval.
    plan_schedules.apply(uow, plan, account, business_date=business_date)
    _record(uow, plan, EventKind.PLAN_APPROVED, text=plan.decision_reason or "")


def _decided(uow: UnitOfWork, plan: PaymentPlan, status: PlanStatus) -> None:
    plan.status, plan.decided_by, plan.decided_at = status, uow.actor.name, uow.now


def _record(uow: UnitOfWork, plan: PaymentPlan, kind: EventKind, *, text: str) -> None:
    assert plan.case_id is not None
    payload: dict[str, Any] = {"plan_id": plan.id, "plan": plan.kind.value, "text": text}
    if plan.total_amount:
        payload |= {"amount_minor": plan.total_amount, "currency": plan.currency}
    uow.record(plan.case_id, kind, payload)
