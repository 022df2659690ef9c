"""One case as the person who works it needs to see it: what is owed, what happened, how to reach whom."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.tables import (
    Account,
    AccountCycle,
    Agent,
    Assignment,
    Case,
    ContactAttempt,
    ContactPoint,
    Customer,
    Episode,
    GateDecision,
    OptOut,
    Promise,
    QueueEntry,
    StopFlag,
)
from collections_app.domain.cases import CaseStage, CloseReason
from collections_app.domain.contact import AttemptStatus, Channel, PointKind, StopCode
from collections_app.domain.errors import NotFound
from collections_app.domain.money import Money
from collections_app.domain.permissions import Actor, Permission
from collections_app.domain.promises import PromiseStatus
from collections_app.queries.masking import mask_point
from collections_app.queries.reasons import RuleNote, decisions_of, latest_decision
from collections_app.queries.timeline import Entry, list_timeline
from collections_app.queries.worklist import WorkDay
from strategies.parameters import casework as parameters

_CYCLES_SHOWN = 6


@dataclass(frozen=True)
class CycleRow:
    """One statement: billed and paid. ``paid_share`` is 0 to 100, None when nothing was billed."""

    ended_on: date
    billed: Money | None
    paid: Money | None
    paid_share: int | None

    @property
    def unpaid_share(self) -> int:
        """Return what is left of the bar."""
        return 100 - (self.paid_share or 0)


@dataclass(frozen=True)
class AccountRow:
    """One account of the customer."""

    id: int
    account_ref: str
    creditor: str
    product: str
    balance: Money
    arrears: Money
    minimum_due: Money | None
    dpd: int
    bucket: str
    oldest_unpaid_due_on: date | None
    as_of_on: date
    is_overdue: bool
    cycles: tuple[CycleRow, ...]


@dataclass(frozen=True)
class PromiseRow:
    """One promise with the judgement of the payments."""

    id: int
    account_ref: str
    amount: Money
    paid: Money
    due_on: date
    grace_until_on: date
    status: PromiseStatus
    made_by: str
    created_on: date


@dataclass(frozen=True)
class PointRow:
    """One way to reach the customer, masked."""

    id: int
    kind: PointKind
    masked: str
    owner: str
    quality: str
    is_phone: bool
    opted_out: bool
    calls_today: int
    calls_7d: int


@dataclass(frozen=True)
class StopRow:
    """A hard stop in force."""

    code: StopCode
    set_at: datetime
    set_by: str
    reference: str | None
    until_on: date | None


@dataclass(frozen=True)
class OpenCall:
    """A call of this actor whose outcome is still to be told."""

    attempt_id: int
    masked: str
    started_at: datetime
    required_content: tuple[str, ...]


@dataclass(frozen=True)
class CaseFile:
    """Everything of one case, read at one moment."""

    id: int
    customer_id: int
    customer_ref: str
    customer: str
    party_type: str
    language: str
    country: str
    zones: tuple[str, ...]
    stage: CaseStage
    dpd: int
    arrears: Money
    balance: Money
    opened_on: date
    closed_on: date | None
    close_reason: CloseReason | None
    cool_until_on: date | None
    is_resting: bool
    agent: str | None
    is_mine: bool
    queue: str | None
    priority: float
    reason: RuleNote | None
    next_step: RuleNote | None
    accounts: tuple[AccountRow, ...]
    promises: tuple[PromiseRow, ...]
    points: tuple[PointRow, ...]
    stops: tuple[StopRow, ...]
    timeline: tuple[Entry, ...]
    open_call: OpenCall | None
    longest_promise_days: int

    @property
    def overdue_accounts(self) -> tuple[AccountRow, ...]:
        """Return the accounts that a promise may be about."""
        return tuple(a for a in self.accounts if a.is_overdue)

    @property
    def open_promise(self) -> PromiseRow | None:
        """Return the open promise that is due first."""
        return next((p for p in self.promises if p.status is PromiseStatus.OPEN), None)


def require_visible(session: Session, actor: Actor, case_id: int) -> None:
    """Raise NotFound when the actor may not know of this case: agents see what is assigned to them now."""
    actor.require(Permission.CASE_READ)
    mine = sa.exists().where(
        Assignment.case_id == case_id, Assignment.to_at.is_(None), Assignment.agent_id == actor.agent_id
    )
    known = sa.select(Case.id).where(Case.id == case_id)
    if not actor.may(Permission.CASE_READ_ALL):
        known = known.where(mine)
    if session.scalar(known) is None:
        raise NotFound("there is no such case")


def get_case_file(session: Session, actor: Actor, case_id: int, *, now: datetime, day: WorkDay) -> CaseFile:
    """Return one case, or raise NotFound."""
    require_visible(session, actor, case_id)
    case = session.get_one(Case, case_id)
    customer = session.get_one(Customer, case.customer_id)
    entry = session.execute(
        sa.select(QueueEntry.queue, QueueEntry.priority, QueueEntry.decision_id)
        .where(QueueEntry.case_id == case_id, QueueEntry.removed_on.is_(None))
    ).one_or_none()  # fmt: skip
    owner = session.execute(
        sa.select(Agent.id, Agent.name)
        .join(Assignment, Assignment.agent_id == Agent.id)
        .where(Assignment.case_id == case_id, Assignment.to_at.is_(None))
    ).one_or_none()
    accounts = _accounts(session, case)
    points = _points(session, case.customer_id, now=now, since=day.since)
    return CaseFile(
        id=case.id, customer_id=customer.id, customer_ref=customer.customer_ref,
        customer=customer.full_name or customer.customer_ref,
        party_type=customer.party_type, language=customer.language, country=customer.country,
        zones=tuple(customer.zones), stage=case.stage, dpd=case.dpd,
        arrears=Money(case.arrears_amount, case.currency), balance=Money(case.balance_amount, case.currency),
        opened_on=case.opened_on, closed_on=case.closed_on, close_reason=case.close_reason,
        cool_until_on=case.cool_until_on,
        is_resting=case.cool_until_on is not None and case.cool_until_on > day.today,
        agent=owner.name if owner else None,
        is_mine=owner is not None and owner.id == actor.agent_id,
        queue=entry.queue if entry else None, priority=entry.priority if entry else 0.0,
        reason=decisions_of(session, [entry.decision_id])[entry.decision_id] if entry else None,
        next_step=latest_decision(session, case_id, "treatment"),
        accounts=accounts,
        promises=_promises(session, case_id), points=points, stops=_stops(session, case.customer_id),
        timeline=list_timeline(session, case_id=case_id, customer_id=case.customer_id),
        open_call=_open_call(session, actor, case_id, points),
        longest_promise_days=parameters("promise")["longest_days"],
    )  # fmt: skip


def _accounts(session: Session, case: Case) -> tuple[AccountRow, ...]:
    accounts = session.scalars(
        sa.select(Account).where(Account.customer_id == case.customer_id).order_by(Account.dpd.desc(), Account.id)
    ).all()
    overdue = set(
        session.scalars(sa.select(Episode.account_id).where(Episode.case_id == case.id, Episode.ended_on.is_(None)))
    )
    cycles = _cycles(session, {a.id: a.currency for a in accounts})
    return tuple(
        AccountRow(
            id=a.id, account_ref=a.account_ref, creditor=a.creditor, product=a.product_family,
            balance=Money(a.balance_amount, a.currency), arrears=Money(a.arrears_amount, a.currency),
            minimum_due=Money(a.minimum_due_amount, a.currency) if a.minimum_due_amount else None, dpd=a.dpd,
            bucket=a.bucket, oldest_unpaid_due_on=a.oldest_unpaid_due_on, as_of_on=a.as_of_on,
            is_overdue=a.id in overdue, cycles=cycles[a.id],
        )
        for a in accounts
    )  # fmt: skip


def _cycles(session: Session, currencies: dict[int, str]) -> dict[int, tuple[CycleRow, ...]]:
    """Return the latest statements of each account, oldest first."""
    rows: dict[int, list[CycleRow]] = defaultdict(list)
    for cycle in session.scalars(
        sa.select(AccountCycle)
        .where(AccountCycle.account_id.in_(currencies))
        .order_by(AccountCycle.cycle_end_on.desc())
    ):
        if len(rows[cycle.account_id]) == _CYCLES_SHOWN:
            continue
        currency, billed, paid = currencies[cycle.account_id], cycle.statement_amount, cycle.paid_amount
        rows[cycle.account_id].append(
            CycleRow(
                ended_on=cycle.cycle_end_on,
                billed=None if billed is None else Money(billed, currency),
                paid=None if paid is None else Money(paid, currency),
                paid_share=min(100, max(0, 100 * paid // billed)) if billed and paid is not None else None,
            )
        )
    return {account_id: tuple(reversed(rows[account_id])) for account_id in currencies}


def _promises(session: Session, case_id: int) -> tuple[PromiseRow, ...]:
    rows = session.execute(
        sa.select(Promise, Account.account_ref)
        .join(Account, Account.id == Promise.account_id)
        .where(Promise.case_id == case_id)
        .order_by(Promise.status != PromiseStatus.OPEN, Promise.due_on.desc(), Promise.id.desc())
    )
    return tuple(
        PromiseRow(p.id, ref, Money(p.amount, p.currency), Money(p.paid_amount, p.currency), p.due_on,
                   p.due_on + timedelta(days=p.grace_days), p.status, p.made_by, p.created_on)
        for p, ref in rows
    )  # fmt: skip


def _points(session: Session, customer_id: int, *, now: datetime, since: datetime) -> tuple[PointRow, ...]:
    points = session.scalars(
        sa.select(ContactPoint)
        .where(ContactPoint.customer_id == customer_id, ContactPoint.withdrawn_at.is_(None))
        .order_by(ContactPoint.rank, ContactPoint.id)
    ).all()
    calls = session.execute(
        sa.select(ContactAttempt.contact_point_id, ContactAttempt.dispatched_at).where(
            ContactAttempt.customer_id == customer_id, ContactAttempt.channel == Channel.VOICE,
            ContactAttempt.direction == "outbound", ContactAttempt.dispatched_at > now - timedelta(days=7),
        )
    ).all()  # fmt: skip
    silenced = _opted_out(session, customer_id, [p.id for p in points])
    return tuple(
        PointRow(
            id=p.id, kind=p.kind, masked=mask_point(p.kind, p.value), owner=p.owner, quality=p.quality,
            is_phone=p.kind not in (PointKind.EMAIL, PointKind.POSTAL), opted_out=p.id in silenced,
            calls_today=sum(c.contact_point_id == p.id and c.dispatched_at >= since for c in calls),
            calls_7d=sum(c.contact_point_id == p.id for c in calls),
        )
        for p in points
    )  # fmt: skip


def _opted_out(session: Session, customer_id: int, point_ids: Collection[int]) -> set[int]:
    rows = session.execute(sa.select(OptOut.contact_point_id, OptOut.scope).where(OptOut.customer_id == customer_id))
    silenced: set[int] = set()
    for point_id, scope in rows:
        silenced.update(point_ids if scope == "all" or point_id is None else (point_id,))
    return silenced


def _stops(session: Session, customer_id: int) -> tuple[StopRow, ...]:
    flags = session.scalars(
        sa.select(StopFlag)
        .where(StopFlag.customer_id == customer_id, StopFlag.released_at.is_(None))
        .order_by(StopFlag.set_at)
    )
    return tuple(StopRow(f.code, f.set_at, f.set_by, f.reference, f.until_on) for f in flags)


def _open_call(session: Session, actor: Actor, case_id: int, points: Collection[PointRow]) -> OpenCall | None:
    attempt = session.execute(
        sa.select(ContactAttempt.id, ContactAttempt.contact_point_id, ContactAttempt.dispatched_at)
        .where(
            ContactAttempt.case_id == case_id, ContactAttempt.actor_kind == "agent",
            ContactAttempt.actor_ref == actor.name, ContactAttempt.outcome.is_(None),
            ContactAttempt.status.in_((AttemptStatus.SENDING, AttemptStatus.SENT)),
        )
        .order_by(ContactAttempt.id.desc())
        .limit(1)
    ).one_or_none()  # fmt: skip
    if attempt is None:
        return None
    masked = next((p.masked for p in points if p.id == attempt.contact_point_id), "")
    required = session.scalar(
        sa.select(GateDecision.required_content)
        .where(GateDecision.attempt_id == attempt.id)
        .order_by(GateDecision.id.desc())
        .limit(1)
    )
    return OpenCall(attempt.id, masked, attempt.dispatched_at, tuple(required or ()))


def require_own_call(session: Session, actor: Actor, *, case_id: int, attempt_id: int) -> None:
    """Raise NotFound unless this is a call that the actor made on a case that they may see."""
    require_visible(session, actor, case_id)
    own = sa.select(ContactAttempt.id).where(
        ContactAttempt.id == attempt_id,
        ContactAttempt.case_id == case_id,
        ContactAttempt.actor_kind == "agent",
        ContactAttempt.actor_ref == actor.name,
    )
    if session.scalar(own) is None:
        raise NotFound("there is no such call of yours on this case")
