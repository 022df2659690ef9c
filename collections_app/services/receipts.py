"""What comes back: the carrier's word on a message, and what customers write.

Callbacks come late, twice and out of order. A report is stored before it is acted on, and acts only
where the transition table of ``domain/contact.py`` admits the move.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from collections_app.db.tables import (
    ContactAttempt,
    ContactPoint,
    InboundMessage,
    Receipt,
)
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.contact import AttemptStatus, Channel, Mode, Purpose, may_follow
from collections_app.domain.events import EventKind
from collections_app.domain.outcomes import Outcome
from collections_app.gateways.sms import SentQuery, StatusReport
from collections_app.services import opt_outs
from strategies.inbound import Intent, IntentRules, default_intents
from strategies.templates import TemplateLibrary, default_templates

# A number that failed for good this often is retired (domain brief §5.6, POLICY).
_HARD_FAILURES_RETIRE = 2
_CHUNK = 500  # reports in one statement
_PHONES = ("mobile", "landline", "voip", "work_phone", "unknown")
_REPLIES = {Intent.OPT_OUT: "opt_out_confirmation", Intent.HELP: "help_reply"}


def apply_receipt(uow: UnitOfWork, report: StatusReport) -> bool:
    """Store one report of a carrier and let it move its attempt if it may; tell whether it did."""
    return apply_receipts(uow, [report]) == 1


def apply_receipts(uow: UnitOfWork, reports: Sequence[StatusReport]) -> int:
    """Store reports, each once, in their order; return how many moved their attempt.

    A report about a message that we do not know is kept unapplied. One that overtakes the record of
    its own send finds its attempt by our number, which the callback carries.
    """
    moved = 0
    for start in range(0, len(reports), _CHUNK):
        moved += _apply_chunk(uow, reports[start : start + _CHUNK])
    return moved


def _apply_chunk(uow: UnitOfWork, reports: Sequence[StatusReport]) -> int:
    attempts = _attempts_of(uow, reports)
    rows = [
        {
            "attempt_id": None if attempt is None else attempt.id,
            "provider": report.provider,
            "provider_ref": report.provider_ref,
            "status": report.word,
            "error_code": report.error_code,
            "applied": False,
            "received_at": uow.now,
        }
        for report, attempt in zip(reports, attempts, strict=True)
    ]
    stored = uow.session.execute(
        _insert_unless_known(uow, Receipt, rows).returning(
            Receipt.id, Receipt.provider, Receipt.provider_ref, Receipt.status
        )
    )
    fresh = {(provider, ref, word): receipt_id for receipt_id, provider, ref, word in stored}
    applied = []
    for report, attempt in zip(reports, attempts, strict=True):
        # Popped, so that the second of two equal reports in one batch is the duplicate that it is.
        receipt_id = fresh.pop((report.provider, report.provider_ref, report.word), None)
        if receipt_id is not None and attempt is not None and settle(uow, attempt, report):
            applied.append(receipt_id)
    uow.session.execute(
        sa.update(Receipt)
        .where(Receipt.id.in_(applied))
        .values(applied=True)
        .execution_options(synchronize_session=False)
    )
    return len(applied)


def settle(uow: UnitOfWork, attempt: ContactAttempt, report: StatusReport) -> bool:
    """Move an attempt by a report, if the move is lawful, with its consequences."""
    if report.provider_ref and attempt.provider_ref not in (None, report.provider_ref):
        return False  # about another message than the one that we know of
    if report.is_opt_out:
        _carrier_opt_out(uow, attempt)
    if attempt.provider_ref is None and report.provider_ref:
        # Any word of the carrier proves that it has the message: now it can be asked for by reference.
        attempt.provider, attempt.provider_ref = report.provider, report.provider_ref
    if report.status is None or not may_follow(attempt.status, report.status):
        return False
    attempt.status = report.status
    if report.status is AttemptStatus.SENT:
        return True
    failed = report.status is AttemptStatus.FAILED
    attempt.settled_at = uow.now
    attempt.error_code = report.error_code if failed else None
    if not failed:
        attempt.outcome = Outcome.DELIVERED
    else:
        attempt.outcome = Outcome.FAILED if report.is_dead_number else Outcome.UNDELIVERED
    if report.is_dead_number and failed:
        _retire_if_dead(uow, attempt)
    uow.record(
        attempt.case_id,
        EventKind.ATTEMPT_RECORDED,
        {"attempt_id": attempt.id, "channel": attempt.channel, "outcome": attempt.outcome},
    )
    return True


def receive_message(
    uow: UnitOfWork,
    *,
    provider: str,
    provider_ref: str,
    sender: str,
    body: str,
    intents: IntentRules | None = None,
    templates: TemplateLibrary | None = None,
) -> Intent | None:
    """Store what a customer wrote and act on it in the same transaction; None = seen before.

    A stop request takes effect here, for every customer who owns the number, and earns one
    confirmation, which the gate judges like any other message.
    """
    rules = intents if intents is not None else default_intents()
    points = uow.session.scalars(
        sa.select(ContactPoint)
        .where(ContactPoint.value == sender, ContactPoint.kind.in_(_PHONES))
        .order_by(ContactPoint.rank, ContactPoint.id)
    ).all()
    intent = rules.classify(body)
    first = points[0] if points else None
    message = {
        "provider": provider,
        "provider_ref": provider_ref,
        "customer_id": None if first is None else first.customer_id,
        "contact_point_id": None if first is None else first.id,
        "body": body,
        "intent": intent.value,
        "received_at": uow.now,
    }
    statement = _insert_unless_known(uow, InboundMessage, [message]).returning(InboundMessage.id)
    if uow.session.scalar(statement) is None:
        return None
    answered = False
    for point in points:
        has_news = _act_on(uow, point, intent, body=body, version=rules.version)
        # One number, one answer: not one for every customer who shares it.
        if has_news and not answered and intent in _REPLIES:
            answered = _reply(uow, point, _REPLIES[intent], templates or default_templates())
    return intent


def uncertain_sends(session: Session, provider: str, *, since: datetime, limit: int) -> list[SentQuery]:
    """List text messages whose fate the carrier has not told us, newest last."""
    rows = session.execute(
        sa.select(
            ContactAttempt.id, ContactPoint.value, ContactAttempt.body, ContactAttempt.dispatched_at,
            ContactAttempt.provider_ref,
        )
        .join(ContactPoint, ContactPoint.id == ContactAttempt.contact_point_id)
        .where(
            ContactAttempt.status == AttemptStatus.UNCERTAIN,
            ContactAttempt.channel == Channel.SMS,
            ContactAttempt.dispatched_at >= since,
            sa.or_(ContactAttempt.provider == provider, ContactAttempt.provider.is_(None)),
        )
        .order_by(ContactAttempt.dispatched_at)
        .limit(limit)
    )  # fmt: skip
    return [
        SentQuery(attempt_id, to, body or "", sent_at, ref) for attempt_id, to, body, sent_at, ref in rows if sent_at
    ]


def _act_on(uow: UnitOfWork, point: ContactPoint, intent: Intent, *, body: str, version: int) -> bool:
    """Do what the message asks for this owner of the number; tell whether it deserves an answer."""
    if intent is Intent.OPT_OUT:
        return opt_outs.record_opt_out(
            uow,
            customer_id=point.customer_id,
            contact_point_id=point.id,
            channel=Channel.SMS,
            scope="medium",
            raw_text=body,
            detected_by=f"inbound_words@{version}",
        )
    if intent is Intent.START and opt_outs.is_stopped(
        uow, customer_id=point.customer_id, contact_point_id=point.id, channel=Channel.SMS
    ):
        opt_outs.take_back(uow, contact_point_id=point.id)
    return intent is Intent.HELP


def _reply(uow: UnitOfWork, point: ContactPoint, template_id: str, library: TemplateLibrary) -> bool:
    """Plan one answer outside any campaign; dispatch gates and sends it. Needs a case to belong to."""
    case = opt_outs.latest_case(uow, point.customer_id)
    if case is None:
        return False
    template = library.get(template_id)
    uow.session.add(
        ContactAttempt(
            case_id=case.id,
            customer_id=point.customer_id,
            contact_point_id=point.id,
            account_ids=[],
            channel=Channel.SMS,
            mode=Mode.MESSAGE,
            purpose=Purpose(template.purpose),
            actor_kind="system",
            actor_ref="reply",
            collector_role="first_party",
            status=AttemptStatus.PLANNED,
            scheduled_at=uow.now,
            template_id=template.reference,
        )
    )
    return True


def _attempts_of(uow: UnitOfWork, reports: Sequence[StatusReport]) -> list[ContactAttempt | None]:
    """Find and lock each report's attempt: by the carrier's reference, else by our number in the callback."""
    statement = sa.select(ContactAttempt).order_by(ContactAttempt.id).with_for_update()
    by_ref = {
        (a.provider, a.provider_ref): a
        for a in uow.session.scalars(
            statement.where(ContactAttempt.provider_ref.in_({r.provider_ref for r in reports}))
        )
    }
    numbers = {r.attempt_id for r in reports if r.attempt_id and (r.provider, r.provider_ref) not in by_ref}
    by_number: dict[int, ContactAttempt] = {}
    if numbers:
        unnamed = statement.where(ContactAttempt.id.in_(numbers), ContactAttempt.provider_ref.is_(None))
        by_number = {a.id: a for a in uow.session.scalars(unnamed)}
    return [by_ref.get((r.provider, r.provider_ref)) or by_number.get(r.attempt_id or 0) for r in reports]


def _insert_unless_known(
    uow: UnitOfWork, table: type[Receipt] | type[InboundMessage], rows: list[dict[str, Any]]
) -> Any:
    """Insert what the carrier has not told us before; of two webhooks at once only one succeeds."""
    insert = postgresql.insert if uow.database.is_postgresql else sqlite.insert
    return insert(table).values(rows).on_conflict_do_nothing()


def _carrier_opt_out(uow: UnitOfWork, attempt: ContactAttempt) -> None:
    """The carrier blocks this number because its owner said stop to it: that is our opt-out too."""
    opt_outs.record_opt_out(
        uow,
        customer_id=attempt.customer_id,
        contact_point_id=attempt.contact_point_id,
        channel=Channel.SMS,
        scope="medium",
        raw_text=None,
        detected_by="carrier",
    )


def _retire_if_dead(uow: UnitOfWork, attempt: ContactAttempt) -> None:
    failures = uow.session.scalar(
        sa.select(sa.func.count()).where(
            ContactAttempt.contact_point_id == attempt.contact_point_id,
            ContactAttempt.channel == attempt.channel,
            ContactAttempt.outcome == Outcome.FAILED,
        )
    )
    if (failures or 0) >= _HARD_FAILURES_RETIRE:
        point = uow.session.get_one(ContactPoint, attempt.contact_point_id)
        point.quality = "disconnected"
