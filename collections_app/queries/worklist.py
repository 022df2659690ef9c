"""Cases in the order in which they should be worked, with the reason for the order."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.tables import (
    Account,
    Agent,
    Assignment,
    Case,
    ContactAttempt,
    Customer,
    Hold,
    Promise,
    QueueEntry,
)
from collections_app.domain.cases import CaseStage
from collections_app.domain.contact import Channel
from collections_app.domain.errors import InvalidInput
from collections_app.domain.money import Money
from collections_app.domain.outcomes import Outcome
from collections_app.domain.permissions import Actor, Permission
from collections_app.domain.promises import PromiseStatus
from collections_app.queries.reasons import RuleNote, ScoreNote, decisions_of, scores_of

PAGE = 50


class Show(StrEnum):
    """Which part of the work is shown."""

    TO_DO = "to_do"
    WORKED = "worked"
    ALL = "all"


@dataclass(frozen=True)
class WorkDay:
    """The day that is worked: since when calls count as today's, and the business date."""

    since: datetime
    today: date


@dataclass(frozen=True)
class OpenPromise:
    """What the customer said they would pay, and when."""

    due_on: date
    amount: Money


@dataclass(frozen=True)
class Touch:
    """The latest call on a case that came to an end. ``is_today``: it counts as today's work."""

    at: datetime
    outcome: Outcome
    is_today: bool


@dataclass(frozen=True)
class WorkRow:
    """One case in the list."""

    case_id: int
    customer: str
    country: str
    stage: CaseStage
    queue: str | None
    priority: float
    arrears: Money
    balance: Money
    dpd: int
    reason: RuleNote | None
    score: ScoreNote | None
    promise: OpenPromise | None
    is_promise_due: bool
    last_call: Touch | None
    agent: str | None


@dataclass(frozen=True)
class Worklist:
    """A part of the list; ``after`` asks for the next part."""

    rows: tuple[WorkRow, ...]
    after: str | None
    show: Show
    queue: str | None
    queues: tuple[tuple[str, int], ...]
    is_own: bool
    total: int


@dataclass(frozen=True)
class Found:
    """What a search found."""

    case_id: int
    customer: str
    account_ref: str
    creditor: str
    is_open: bool
    arrears: Money


def start_of_day(now: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant at which the house's day began."""
    return datetime.combine(now.astimezone(zone).date(), time(), zone).astimezone(UTC)


def list_worklist(
    session: Session,
    actor: Actor,
    *,
    day: WorkDay,
    show: Show = Show.TO_DO,
    queue: str | None = None,
    after: str | None = None,
    limit: int = PAGE,
) -> Worklist:
    """Return open cases, most urgent first; an agent sees their own only."""
    visible = _visible(actor, show=show, day=day)
    statement = visible.order_by(QueueEntry.priority.desc(), Case.id.desc()).limit(limit + 1)
    if queue:
        statement = statement.where(QueueEntry.queue == queue)
    if after:
        # A row comparison, not an OR: it walks the index from where the last page ended.
        statement = statement.where(sa.tuple_(QueueEntry.priority, Case.id) < sa.tuple_(*_cursor(after)))
    rows = session.execute(statement).all()
    shown = rows[:limit]
    inner = visible.with_only_columns(QueueEntry.queue, sa.func.count()).group_by(QueueEntry.queue)
    queues = tuple((name, n) for name, n in session.execute(inner.order_by(QueueEntry.queue)))
    return Worklist(
        rows=tuple(_rows(session, shown, day)),
        after=f"{shown[-1].priority!r}:{shown[-1].case_id}" if len(rows) > limit else None,
        show=show,
        queue=queue,
        queues=queues,
        is_own=not actor.may(Permission.CASE_READ_ALL),
        total=sum(n for name, n in queues if queue in (None, "", name)),
    )


def find_next_case(session: Session, actor: Actor, *, day: WorkDay) -> int | None:
    """Return the most urgent case that is to be worked."""
    statement = _visible(actor, show=Show.TO_DO, day=day)
    row = session.execute(statement.order_by(QueueEntry.priority.desc(), Case.id.desc()).limit(1)).first()
    return row.case_id if row else None


def count_to_do(session: Session, actor: Actor, *, day: WorkDay) -> int:
    """Count the cases that are to be worked."""
    waiting = _visible(actor, show=Show.TO_DO, day=day).with_only_columns(sa.func.count())
    return int(session.scalar(waiting) or 0)


def search(session: Session, actor: Actor, text: str, *, limit: int = 30) -> list[Found]:
    """Find cases by account reference, customer reference or name; an agent finds their own only."""
    text = text.strip()
    if len(text) < 2:
        return []
    name = text.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    statement = (
        sa.select(Case.id, Customer.full_name, Account.account_ref, Account.creditor, Case.closed_on,
                  Case.arrears_amount, Case.currency, Customer.customer_ref)
        .join(Customer, Customer.id == Case.customer_id)
        .join(Account, Account.customer_id == Customer.id)
        .where(sa.or_(Account.account_ref == text, Customer.customer_ref == text,
                      sa.func.lower(Customer.full_name).like(f"%{name}%", escape="\\")))
        .order_by(Case.closed_on.is_not(None), Customer.full_name, Case.id.desc())
        .limit(limit)
    )  # fmt: skip
    if not actor.may(Permission.CASE_READ_ALL):
        statement = statement.where(_assigned_to(actor))
    return [
        Found(r.id, r.full_name or r.customer_ref, r.account_ref, r.creditor, r.closed_on is None,
              Money(r.arrears_amount, r.currency))
        for r in session.execute(statement)
    ]  # fmt: skip


def _assigned_to(actor: Actor) -> sa.ColumnElement[bool]:
    return sa.exists().where(
        Assignment.case_id == Case.id, Assignment.to_at.is_(None), Assignment.agent_id == actor.agent_id
    )


def on_hold(today: date) -> sa.ColumnElement[bool]:
    """Tell whether a case rests on a day; placed in the middle of a day, a hold takes effect at once."""
    return sa.exists().where(
        Hold.case_id == Case.id, Hold.released_on.is_(None), Hold.from_on <= today, Hold.until_on >= today
    )


def _worked(since: datetime) -> sa.ColumnElement[bool]:
    return sa.exists().where(
        ContactAttempt.case_id == Case.id, ContactAttempt.actor_kind == "agent",
        ContactAttempt.dispatched_at >= since, ContactAttempt.outcome.is_not(None),
    )  # fmt: skip


def _visible(actor: Actor, *, show: Show, day: WorkDay) -> Any:
    statement = (
        sa.select(
            Case.id.label("case_id"), Customer.full_name, Customer.customer_ref, Customer.country, Case.stage,
            Case.dpd, Case.arrears_amount, Case.balance_amount, Case.currency, QueueEntry.queue,
            QueueEntry.priority, QueueEntry.decision_id, Agent.name.label("agent"),
        )
        .join(QueueEntry, sa.and_(QueueEntry.case_id == Case.id, QueueEntry.removed_on.is_(None)))
        .join(Customer, Customer.id == Case.customer_id)
        .outerjoin(Assignment, sa.and_(Assignment.case_id == Case.id, Assignment.to_at.is_(None)))
        .outerjoin(Agent, Agent.id == Assignment.agent_id)
        .where(Case.closed_on.is_(None))
    )  # fmt: skip
    if not actor.may(Permission.CASE_READ_ALL):
        statement = statement.where(Assignment.agent_id == actor.agent_id)
    if show is Show.WORKED:
        return statement.where(_worked(day.since))
    if show is Show.TO_DO:
        # Priority 0 says that nobody works the case now; a case that rests is left in peace.
        rested = sa.or_(Case.cool_until_on.is_(None), Case.cool_until_on <= day.today)
        return statement.where(~_worked(day.since), rested, ~on_hold(day.today), QueueEntry.priority > 0)
    return statement


def _cursor(after: str) -> tuple[float, int]:
    priority, _, case_id = after.partition(":")
    try:
        return float(priority), int(case_id)
    except ValueError:
        raise InvalidInput("that page of the list does not exist; start again from its top") from None


def _rows(session: Session, rows: Collection[Any], day: WorkDay) -> list[WorkRow]:
    ids = [r.case_id for r in rows]
    reasons = decisions_of(session, {r.decision_id for r in rows})
    scores, promises = scores_of(session, ids), _promises(session, ids)
    touches = _touches(session, ids, day.since)
    return [
        WorkRow(
            case_id=r.case_id,
            customer=r.full_name or r.customer_ref,
            country=r.country,
            stage=r.stage,
            queue=r.queue,
            priority=r.priority,
            arrears=Money(r.arrears_amount, r.currency),
            balance=Money(r.balance_amount, r.currency),
            dpd=r.dpd,
            reason=reasons.get(r.decision_id),
            score=scores.get(r.case_id),
            promise=promises.get(r.case_id),
            is_promise_due=r.case_id in promises and promises[r.case_id].due_on <= day.today,
            last_call=touches.get(r.case_id),
            agent=r.agent,
        )
        for r in rows
    ]


def _promises(session: Session, ids: Collection[int]) -> dict[int, OpenPromise]:
    rows = session.execute(
        sa.select(Promise.case_id, Promise.due_on, Promise.amount, Promise.currency)
        .where(Promise.case_id.in_(ids), Promise.status == PromiseStatus.OPEN)
        .order_by(Promise.due_on.desc())
    )
    return {r.case_id: OpenPromise(r.due_on, Money(r.amount, r.currency)) for r in rows}


def _touches(session: Session, ids: Collection[int], since: datetime) -> dict[int, Touch]:
    latest = (
        sa.select(sa.func.max(ContactAttempt.id))
        .where(
            ContactAttempt.case_id.in_(ids),
            ContactAttempt.channel == Channel.VOICE,
            ContactAttempt.dispatched_at.is_not(None),
            ContactAttempt.outcome.is_not(None),
        )
        .group_by(ContactAttempt.case_id)
    )
    rows = session.scalars(sa.select(ContactAttempt).where(ContactAttempt.id.in_(latest)))
    return {
        a.case_id: Touch(a.dispatched_at, a.outcome, a.actor_kind == "agent" and a.dispatched_at >= since)
        for a in rows
        if a.dispatched_at is not None and a.outcome is not None
    }
