"""One stream of everything that happened on a case: contacts, money, promises, words, decisions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.tables import (
    Account,
    CaseEvent,
    ContactAttempt,
    GateDecision,
    InboundMessage,
    Payment,
    User,
)
from collections_app.domain.contact import AttemptStatus, Channel, Mode, StopCode
from collections_app.domain.events import LABELS, EventKind
from collections_app.domain.money import Money
from collections_app.domain.outcomes import DISPOSITIONS, OUTCOMES, Disposition
from collections_app.domain.promises import PromiseStatus


class Stream(StrEnum):
    """What an entry is about; the page filters by it."""

    CONTACT = "contact"
    MONEY = "money"
    NOTE = "note"
    SYSTEM = "system"


@dataclass(frozen=True)
class Entry:
    """One thing that happened. ``on`` without ``at`` when only the day is known."""

    stream: Stream
    icon: str
    title: str
    detail: str
    by: str
    on: date
    at: datetime | None
    amount: Money | None = None
    tone: str = "plain"


LIMIT = 200
_ICONS: Mapping[Channel, str] = {Channel.VOICE: "phone", Channel.SMS: "message"}
# An attempt is told by its own row, richer than the event.
_TOLD_ELSEWHERE = (EventKind.ATTEMPT_RECORDED,)


def list_timeline(session: Session, *, case_id: int, customer_id: int) -> tuple[Entry, ...]:
    """Return the newest entries of a case, newest first."""
    names = {u.username: u.display_name for u in session.execute(sa.select(User.username, User.display_name))}
    entries = [
        *_attempts(session, case_id, names),
        *_events(session, case_id, names),
        *_payments(session, customer_id),
        *_inbound(session, customer_id),
    ]
    entries.sort(key=lambda e: e.at or datetime.combine(e.on, time(12), UTC), reverse=True)
    return tuple(entries[:LIMIT])


def _attempts(session: Session, case_id: int, names: Mapping[str, str]) -> Iterator[Entry]:
    notes = {
        payload.get("attempt_id"): str(payload.get("note", ""))
        for payload in session.scalars(
            sa.select(CaseEvent.payload).where(
                CaseEvent.case_id == case_id, CaseEvent.kind == EventKind.ATTEMPT_RECORDED
            )
        )
    }
    reasons = _refusals(session, case_id)
    for a in session.scalars(
        sa.select(ContactAttempt)
        .where(ContactAttempt.case_id == case_id)
        .order_by(ContactAttempt.id.desc())
        .limit(LIMIT)
    ):
        at = a.dispatched_at or a.settled_at or a.scheduled_at
        yield Entry(
            stream=Stream.CONTACT, icon=_ICONS.get(a.channel, "message"), title=_attempt_title(a),
            detail=notes.get(a.id) or reasons.get(a.id, "") or (a.body or ""),
            by=names.get(a.actor_ref, a.actor_ref) if a.actor_kind == "agent" else "",
            on=at.date(), at=at, tone=_attempt_tone(a),
        )  # fmt: skip


def _attempt_title(attempt: ContactAttempt) -> str:
    who = "Robot call" if attempt.mode is Mode.AI_VOICE else {Channel.VOICE: "Call", Channel.SMS: "Text"}.get(
        attempt.channel, attempt.channel.value.capitalize())  # fmt: skip
    if attempt.outcome is None:
        return f"{who}: {_STATUS_WORDS.get(attempt.status, attempt.status.value)}"
    said = attempt.disposition
    what = OUTCOMES[attempt.outcome].label.lower()
    return f"{who}: {what}" + (f", {DISPOSITIONS[said].label.lower()}" if said and said is not Disposition.NONE else "")


_STATUS_WORDS: Mapping[AttemptStatus, str] = {
    AttemptStatus.PLANNED: "planned", AttemptStatus.DENIED: "not allowed", AttemptStatus.DEFERRED: "put off",
    AttemptStatus.SENDING: "in progress", AttemptStatus.UNCERTAIN: "not known whether it left",
}  # fmt: skip


def _attempt_tone(attempt: ContactAttempt) -> str:
    if attempt.status in (AttemptStatus.DENIED, AttemptStatus.CANCELLED):
        return "quiet"
    return "care" if attempt.status in (AttemptStatus.UNCERTAIN, AttemptStatus.FAILED) else "plain"


def _refusals(session: Session, case_id: int) -> dict[int, str]:
    """Return the sentence of the rule that holds an attempt back."""
    rows = session.execute(
        sa.select(GateDecision.attempt_id, GateDecision.hits)
        .join(ContactAttempt, ContactAttempt.id == GateDecision.attempt_id)
        .where(
            ContactAttempt.case_id == case_id,
            ContactAttempt.status.in_((AttemptStatus.DENIED, AttemptStatus.DEFERRED)),
            GateDecision.decision != "ALLOW",
        )
        .order_by(GateDecision.id)
    )
    return {attempt_id: f"{hits[0]['message']} ({hits[0]['rule_id']})" for attempt_id, hits in rows if hits}


def _events(session: Session, case_id: int, names: Mapping[str, str]) -> Iterator[Entry]:
    for event in session.scalars(
        sa.select(CaseEvent)
        .where(CaseEvent.case_id == case_id, CaseEvent.kind.not_in(_TOLD_ELSEWHERE))
        .order_by(CaseEvent.id.desc())
        .limit(LIMIT)
    ):
        stream, icon, tone = _LOOKS.get(event.kind, (Stream.SYSTEM, "dot", "quiet"))
        payload = event.payload or {}
        status = payload.get("status")
        if event.kind is EventKind.PROMISE_JUDGED and status:
            tone = {PromiseStatus.KEPT: "good", PromiseStatus.BROKEN: "bad"}.get(PromiseStatus(status), "care")
        yield Entry(
            stream=stream, icon=icon, title=_event_title(event.kind, payload),
            detail=str(payload.get("text", "")),
            by="" if event.actor == "system" else names.get(event.actor, event.actor), on=event.at.date(),
            at=event.at, amount=_event_amount(payload), tone=tone,
        )  # fmt: skip


_LOOKS: Mapping[EventKind, tuple[Stream, str, str]] = {
    EventKind.PROMISE_RECORDED: (Stream.MONEY, "handshake", "plain"),
    EventKind.PROMISE_JUDGED: (Stream.MONEY, "handshake", "plain"),
    EventKind.PROMISE_SUPERSEDED: (Stream.MONEY, "handshake", "quiet"),
    EventKind.NOTE_ADDED: (Stream.NOTE, "note", "plain"),
    EventKind.OPT_OUT_RECORDED: (Stream.CONTACT, "stop", "bad"),
    EventKind.STOP_SET: (Stream.CONTACT, "stop", "bad"),
    EventKind.STOP_RELEASED: (Stream.CONTACT, "check", "plain"),
    EventKind.HOLD_PLACED: (Stream.CONTACT, "pause", "care"),
    EventKind.HOLD_EXTENDED: (Stream.CONTACT, "pause", "quiet"),
    EventKind.HOLD_RELEASED: (Stream.CONTACT, "play", "plain"),
    EventKind.DISPUTE_OPENED: (Stream.CONTACT, "care", "care"),
    EventKind.DISPUTE_ANSWERED: (Stream.CONTACT, "check", "plain"),
    EventKind.COMPLAINT_OPENED: (Stream.CONTACT, "care", "care"),
    EventKind.COMPLAINT_EXTENDED: (Stream.CONTACT, "clock", "quiet"),
    EventKind.COMPLAINT_CLOSED: (Stream.CONTACT, "check", "plain"),
    EventKind.HARDSHIP_RECORDED: (Stream.CONTACT, "care", "care"),
    EventKind.HARDSHIP_REVIEWED: (Stream.CONTACT, "check", "plain"),
    EventKind.HARDSHIP_ENDED: (Stream.CONTACT, "check", "quiet"),
    EventKind.MORATORIUM_STARTED: (Stream.CONTACT, "pause", "care"),
    EventKind.MORATORIUM_ENDED: (Stream.CONTACT, "play", "plain"),
    EventKind.PLAN_PROPOSED: (Stream.MONEY, "handshake", "plain"),
    EventKind.PLAN_APPROVED: (Stream.MONEY, "check", "good"),
    EventKind.PLAN_REJECTED: (Stream.MONEY, "bad", "care"),
    EventKind.PLAN_CANCELLED: (Stream.MONEY, "bad", "quiet"),
    EventKind.PLAN_BROKEN: (Stream.MONEY, "bad", "bad"),
    EventKind.PLAN_COMPLETED: (Stream.MONEY, "check", "good"),
    EventKind.PLAN_REOPENED: (Stream.MONEY, "care", "care"),
}
# Events of plans name the kind of plan: "Settlement approved", not "Plan approved".
_PLANS = {"instalment": "Payment plan", "reduced": "Smaller payments", "token": "Token payments",
          "deferral": "Deferral", "settlement": "Settlement"}  # fmt: skip


def _event_title(kind: EventKind, payload: Mapping[str, Any]) -> str:
    if kind is EventKind.PROMISE_RECORDED and payload.get("due_on"):
        due = date.fromisoformat(str(payload["due_on"]))
        return f"Promised to pay by {due:%a} {due.day} {due:%b}"
    if kind is EventKind.PROMISE_JUDGED and payload.get("status"):
        return f"Promise {payload['status']}"
    if kind is EventKind.CASE_STAGE_MOVED and payload.get("to"):
        return f"Moved to stage {payload['to']}"
    if kind is EventKind.STOP_SET and payload.get("code"):
        return f"Contact stopped: {StopCode(payload['code']).value.replace('_', ' ')}"
    if payload.get("plan") in _PLANS:
        return LABELS[kind].replace("Plan", _PLANS[payload["plan"]], 1)
    return LABELS[kind]


def _event_amount(payload: Mapping[str, Any]) -> Money | None:
    minor, currency = payload.get("amount_minor"), payload.get("currency")
    return Money(int(minor), str(currency)) if minor is not None and currency else None


def _payments(session: Session, customer_id: int) -> Iterator[Entry]:
    rows = session.execute(
        sa.select(Payment, Account.account_ref)
        .join(Account, Account.id == Payment.account_id)
        .where(Account.customer_id == customer_id)
        .order_by(Payment.value_on.desc(), Payment.id.desc())
        .limit(LIMIT)
    )
    for payment, ref in rows:
        is_cash = payment.kind in ("payment", "writeoff_recovery")
        title = "Payment" if is_cash else payment.kind.replace("_", " ").capitalize()
        yield Entry(
            stream=Stream.MONEY, icon="money", title=title,
            detail=f"on {ref}" + ("" if payment.status == "settled" else f", {payment.status}"), by="",
            on=payment.value_on, at=None, amount=Money(payment.amount, payment.currency),
            tone="good" if is_cash and payment.status == "settled" else "care",
        )  # fmt: skip


def _inbound(session: Session, customer_id: int) -> Iterator[Entry]:
    for message in session.scalars(
        sa.select(InboundMessage)
        .where(InboundMessage.customer_id == customer_id)
        .order_by(InboundMessage.id.desc())
        .limit(LIMIT)
    ):
        yield Entry(
            stream=Stream.CONTACT, icon="reply", title="Customer wrote to us", detail=message.body,
            by="customer", on=message.received_at.date(), at=message.received_at,
        )  # fmt: skip
