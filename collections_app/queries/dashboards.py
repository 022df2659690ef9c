"""The figures with which each role starts the day. Each figure is a count with a definition, no more."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.tables import (
    Account,
    Assignment,
    Case,
    ContactAttempt,
    Customer,
    Finding,
    Promise,
    Recording,
    Review,
)
from collections_app.domain.cases import CaseStage
from collections_app.domain.money import Money
from collections_app.domain.outcomes import OUTCOMES
from collections_app.domain.permissions import Actor, Permission
from collections_app.domain.promises import PromiseStatus
from collections_app.domain.quality import Stream, Verdict
from collections_app.queries.reviews import has_unjudged_finding, is_for_review, lacks_verdict
from collections_app.queries.worklist import WorkDay, count_to_do

_MATURED = (PromiseStatus.KEPT, PromiseStatus.PARTIAL, PromiseStatus.BROKEN)
_RATE_DAYS = 30


@dataclass(frozen=True)
class DuePromise:
    """A promise in the list of promises. ``is_late``: due, not yet paid; grace may still run."""

    case_id: int
    customer: str
    account_ref: str
    amount: Money
    paid: Money
    due_on: date
    last_day_on: date
    is_late: bool
    is_past_grace: bool


@dataclass(frozen=True)
class AgentDay:
    """An agent's own day. ``kept_rate`` = kept / (kept + partial + broken), matured in 30 days."""

    cases: int
    to_do: int
    calls: int
    conversations: int
    promises_made: int
    kept: int
    matured: int
    due: tuple[DuePromise, ...]

    @property
    def kept_rate(self) -> float | None:
        """Return the share of matured promises that were kept, None when none matured."""
        return self.kept / self.matured if self.matured else None


@dataclass(frozen=True)
class ReviewDay:
    """How far the review of calls has come; the audit tells what the flags miss."""

    waiting: int
    waiting_critical: int
    judged_today: int
    confirmed_today: int
    audited: int
    missed: int

    @property
    def miss_rate(self) -> float | None:
        """Return the share of audited unflagged calls with a breach, None when none was audited."""
        return self.missed / self.audited if self.audited else None


@dataclass(frozen=True)
class StageRow:
    """The open book of one stage in one currency."""

    stage: CaseStage
    cases: int
    arrears: Money
    balance: Money


def get_agent_day(session: Session, actor: Actor, day: WorkDay) -> AgentDay:
    """Return the agent's own day."""
    since, today = day.since, day.today
    mine = sa.select(Assignment.case_id).where(Assignment.to_at.is_(None), Assignment.agent_id == actor.agent_id)
    outcomes = session.scalars(
        sa.select(ContactAttempt.outcome).where(
            ContactAttempt.actor_kind == "agent",
            ContactAttempt.actor_ref == actor.name,
            ContactAttempt.dispatched_at >= since,
        )
    ).all()
    matured = _matured(session, mine, today)
    made = sa.select(sa.func.count()).where(Promise.case_id.in_(mine), Promise.created_at >= since)
    return AgentDay(
        cases=session.scalar(sa.select(sa.func.count(Case.id)).where(Case.id.in_(mine), Case.closed_on.is_(None))) or 0,
        to_do=count_to_do(session, actor, day=day),
        calls=len(outcomes),
        conversations=sum(o is not None and OUTCOMES[o].conversation for o in outcomes),
        promises_made=session.scalar(made) or 0,
        kept=matured.get(PromiseStatus.KEPT, 0),
        matured=sum(matured.values()),
        due=list_promises(session, actor, today=today, until=today + timedelta(days=1)),
    )


def _matured(session: Session, case_ids: sa.Select[int], today: date) -> dict[PromiseStatus, int]:
    """Count promises of these cases by judgement, over the last days."""
    rows = session.execute(
        sa.select(Promise.status, sa.func.count())
        .where(
            Promise.case_id.in_(case_ids),
            Promise.status.in_(_MATURED),
            Promise.settled_on >= today - timedelta(days=_RATE_DAYS),
        )
        .group_by(Promise.status)
    )
    return {row[0]: row[1] for row in rows}


def list_promises(
    session: Session, actor: Actor, *, today: date, until: date | None = None, limit: int = 100
) -> tuple[DuePromise, ...]:
    """Return open promises, the earliest due first; an agent sees those of their own cases."""
    statement = (
        sa.select(Promise, Account.account_ref, Customer.full_name, Customer.customer_ref)
        .join(Account, Account.id == Promise.account_id)
        .join(Customer, Customer.id == Account.customer_id)
        .where(Promise.status == PromiseStatus.OPEN)
        .order_by(Promise.due_on, Promise.id)
        .limit(limit)
    )
    if until is not None:
        statement = statement.where(Promise.due_on <= until)
    if not actor.may(Permission.CASE_READ_ALL):
        statement = statement.join(
            Assignment,
            sa.and_(
                Assignment.case_id == Promise.case_id,
                Assignment.to_at.is_(None),
                Assignment.agent_id == actor.agent_id,
            ),
        )
    return tuple(
        DuePromise(
            case_id=p.case_id,
            customer=name or customer_ref,
            account_ref=account_ref,
            amount=Money(p.amount, p.currency),
            paid=Money(p.paid_amount, p.currency),
            due_on=p.due_on,
            last_day_on=p.due_on + timedelta(days=p.grace_days),
            is_late=p.due_on < today,
            is_past_grace=p.due_on + timedelta(days=p.grace_days) < today,
        )
        for p, account_ref, name, customer_ref in session.execute(statement)
    )


def get_review_day(session: Session, *, since: datetime) -> ReviewDay:
    """Return the state of the review room; ``since`` is the start of the day."""
    waiting = sa.select(sa.func.count(Recording.id)).where(is_for_review(), lacks_verdict())
    critical = has_unjudged_finding(Finding.severity == "critical")
    today = sa.select(sa.func.count(Review.id)).where(Review.created_at >= since)
    audit = (
        sa.select(sa.func.count(Recording.id.distinct()))
        .join(Review, Review.recording_id == Recording.id)
        .where(Recording.stream == Stream.RANDOM, Review.finding_id.is_(None))
    )
    confirmed = Review.verdict == Verdict.CONFIRMED
    return ReviewDay(
        waiting=session.scalar(waiting) or 0,
        waiting_critical=session.scalar(waiting.where(critical)) or 0,
        judged_today=session.scalar(today) or 0,
        confirmed_today=session.scalar(today.where(confirmed)) or 0,
        audited=session.scalar(audit) or 0,
        missed=session.scalar(audit.where(confirmed)) or 0,
    )


def list_stages(session: Session) -> tuple[StageRow, ...]:
    """Return the open book by stage and currency, youngest stage first."""
    rows = session.execute(
        sa.select(
            Case.stage,
            Case.currency,
            sa.func.count(),
            sa.func.sum(Case.arrears_amount),
            sa.func.sum(Case.balance_amount),
        )
        .where(Case.closed_on.is_(None))
        .group_by(Case.stage, Case.currency)
    ).all()
    order = list(CaseStage)
    return tuple(
        StageRow(stage, cases, Money(int(arrears), currency), Money(int(balance), currency))
        for stage, currency, cases, arrears, balance in sorted(rows, key=lambda r: (r.currency, order.index(r.stage)))
    )
