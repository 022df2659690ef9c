"""Take due attempts for one worker: last look, the gate's final word, and the claim, in one transaction."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from collections_app.db.base import table_of
from collections_app.db.tables import Campaign, ContactAttempt, Customer
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.contact import AttemptStatus, CampaignStatus, Channel, Purpose
from collections_app.domain.gate import GateDecision, Verdict
from collections_app.queries.contact_history import Ask, gate_inputs
from collections_app.queries.last_look import LastLook, last_looks
from collections_app.services import gate_log
from collections_app.services.contacting import judge, local_date, rule_of
from strategies.packs import PackLibrary
from strategies.templates import TemplateError, TemplateLibrary

_READY = (AttemptStatus.PLANNED, AttemptStatus.DEFERRED)


@dataclass(frozen=True)
class Claim:
    """One attempt that this worker, and nobody else, may send now."""

    attempt_id: int
    channel: Channel
    to: str
    body: str


@dataclass
class Taken:
    """What one claiming transaction did. ``considered`` 0 = nothing due that nobody else holds."""

    considered: int = 0
    claims: list[Claim] = field(default_factory=list)
    stats: Counter[str] = field(default_factory=Counter)


def claim_due(
    uow: UnitOfWork,
    *,
    channel: Channel,
    limit: int,
    packs: PackLibrary,
    templates: TemplateLibrary,
    worker: str,
) -> Taken:
    """Claim up to ``limit`` due attempts, of different customers, that may leave at this instant.

    The others of the batch get their refusal, a later hour, or their cancellation with its reason.
    """
    due = _lock_customers(uow, _due(uow, channel, limit))
    taken = Taken(considered=len(due))
    if not due:
        return taken
    looks = last_looks(uow.session, [a.id for a in due])
    asks = [_ask(a) for a in due]
    words: list[tuple[int, GateDecision]] = []
    ready: list[dict[str, Any]] = []
    for attempt, facts in zip(due, gate_inputs(uow.session, asks, now=uow.now), strict=True):
        look = looks[attempt.id]
        if reason := _overtaken(attempt, look, uow.now, templates):
            _close(uow, attempt.id, AttemptStatus.CANCELLED, reason)
            taken.stats["cancelled"] += 1
            continue
        decision = judge(facts, packs, uow.now)
        words.append((attempt.id, decision))
        if decision.verdict is not Verdict.ALLOW:
            taken.stats[_hold(uow, attempt, decision, templates)] += 1
            continue
        try:
            body = _text(attempt, look, decision, templates, regions=facts.customer.regions)
        except TemplateError:
            _close(uow, attempt.id, AttemptStatus.DENIED, "content")
            taken.stats["denied"] += 1
            continue
        day = local_date(uow.now, facts.customer.zones)
        ready.append({"b_id": attempt.id, "b_body": body or None, "b_day": day, "to": look.to})
    mine = _claim(uow, ready, worker)
    taken.claims = [Claim(r["b_id"], channel, r["to"], r["b_body"] or "") for r in ready if r["b_id"] in mine]
    taken.stats["claimed"] += len(taken.claims)
    gate_log.store(uow.session, words, phase=gate_log.Phase.DISPATCH, now=uow.now)
    return taken


def _due(uow: UnitOfWork, channel: Channel, limit: int) -> Sequence[Any]:
    a = ContactAttempt
    statement = (
        sa.select(
            a.id, a.customer_id, a.contact_point_id, a.channel, a.mode, a.purpose, a.campaign_id,
            a.scheduled_at, a.template_id, Campaign.created_at.label("planned_at"),
        )
        .outerjoin(Campaign, Campaign.id == a.campaign_id)
        .where(
            # As literals: only so does SQLite see that the partial index of ready attempts holds them all.
            a.status.in_(sa.bindparam("ready", _READY, expanding=True, literal_execute=True)),
            a.scheduled_at <= uow.now,
            a.channel == channel,
            sa.or_(a.campaign_id.is_(None), Campaign.status == CampaignStatus.RUNNING),
        )
        .order_by(a.scheduled_at, a.id)
        .limit(limit)
        .with_for_update(of=a, skip_locked=True)
    )  # fmt: skip
    return uow.session.execute(statement).all()


def _lock_customers(uow: UnitOfWork, due: Sequence[Any]) -> list[Any]:
    """Lock the customers, so that their counters hold still; keep one attempt of each.

    Whoever is being called, sent to or planned by somebody else is left for the next round. NO KEY
    UPDATE is enough: it excludes other senders, not rows that merely refer to the customer.
    """
    if not due:
        return []
    locked = set(
        uow.session.scalars(
            sa.select(Customer.id)
            .where(Customer.id.in_({a.customer_id for a in due}))
            .order_by(Customer.id)
            .with_for_update(skip_locked=True, key_share=True)
        )
    )
    first_of_customer: dict[int, Any] = {}
    for attempt in due:
        if attempt.customer_id in locked:
            first_of_customer.setdefault(attempt.customer_id, attempt)
    return list(first_of_customer.values())


def _ask(attempt: Any) -> Ask:
    return Ask(
        attempt.customer_id,
        attempt.contact_point_id,
        attempt.channel,
        attempt.mode,
        attempt.purpose,
        is_reply=attempt.campaign_id is None,
    )


def _overtaken(attempt: Any, look: LastLook, now: datetime, templates: TemplateLibrary) -> str | None:
    """Tell why the attempt has lost its reason since it was planned, or None."""
    expires = _lifetime(attempt, templates)
    if expires is not None and now - attempt.scheduled_at > expires:
        return "too_late"
    if attempt.campaign_id is None:
        return None  # an answer to the customer's own message
    return _no_longer_due(attempt, look, now.date())


def _lifetime(attempt: Any, templates: TemplateLibrary) -> timedelta | None:
    """Return how long after its hour a message still makes sense; an unknown template fails at rendering."""
    try:
        return templates.get(attempt.template_id or "").expires_after
    except TemplateError:
        return None


def _no_longer_due(attempt: Any, look: LastLook, today: date) -> str | None:
    if not look.is_open:
        return "case_closed"
    if look.owed.minor <= 0:
        return "paid"
    if look.cool_until_on is not None and look.cool_until_on > today:
        return "paused"
    if look.held_until_on is not None and look.held_until_on >= today:
        return "on_hold"
    is_new = look.promised_at is not None and look.promised_at > attempt.planned_at
    if is_new and attempt.purpose is Purpose.COLLECTION:
        return "promised"
    return None


def _hold(uow: UnitOfWork, attempt: Any, decision: GateDecision, templates: TemplateLibrary) -> str:
    """Write the gate's refusal or its later hour; return what became of the attempt."""
    release = decision.next_eligible_at
    if decision.verdict is Verdict.DENY or release is None:
        _close(uow, attempt.id, AttemptStatus.DENIED, rule_of(decision))
        return "denied"
    expires = _lifetime(attempt, templates)
    if expires is not None and release - attempt.scheduled_at > expires:
        _close(uow, attempt.id, AttemptStatus.CANCELLED, "too_late")
        return "cancelled"
    uow.session.execute(
        _still_ready(attempt.id).values(status=AttemptStatus.DEFERRED, scheduled_at=max(release, uow.now))
    )
    return "deferred"


def _text(
    attempt: Any,
    look: LastLook,
    decision: GateDecision,
    templates: TemplateLibrary,
    *,
    regions: Sequence[str],
) -> str:
    if attempt.channel is not Channel.SMS:
        return ""
    values = look.values()
    if (licence := templates.licence(look.brand, regions)) is not None:
        values["licence"] = licence
    return templates.render(
        attempt.template_id or "", language=look.language, values=values, required=decision.required_content
    )


def _claim(uow: UnitOfWork, ready: Sequence[dict[str, Any]], worker: str) -> set[int]:
    """Take the attempts that are still free; the update's own condition decides who gets which."""
    if not ready:
        return set()
    mine = set(
        uow.session.scalars(
            sa.update(ContactAttempt)
            .where(ContactAttempt.id.in_([r["b_id"] for r in ready]), ContactAttempt.status.in_(_READY))
            .values(status=AttemptStatus.SENDING, claim=worker, dispatched_at=uow.now)
            .returning(ContactAttempt.id)
            .execution_options(synchronize_session=False)
        )
    )
    texts = [{k: v for k, v in r.items() if k.startswith("b_")} for r in ready if r["b_id"] in mine]
    if texts:
        uow.session.connection().execute(
            sa.update(ContactAttempt)
            .where(table_of(ContactAttempt).c.id == sa.bindparam("b_id"))
            .values(body=sa.bindparam("b_body"), local_date=sa.bindparam("b_day")),
            texts,
        )
    return mine


def _close(uow: UnitOfWork, attempt_id: int, status: AttemptStatus, reason: str) -> None:
    uow.session.execute(_still_ready(attempt_id).values(status=status, settled_at=uow.now, error_code=reason[:32]))


def _still_ready(attempt_id: int) -> sa.Update:
    return (
        sa.update(ContactAttempt)
        .where(ContactAttempt.id == attempt_id, ContactAttempt.status.in_(_READY))
        .execution_options(synchronize_session=False)
    )
