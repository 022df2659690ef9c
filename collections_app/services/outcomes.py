"""What happened and what was said: settles the attempt and carries out the catalogue's consequences."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from collections_app.db.tables import Case, ContactAttempt, ContactPoint, Customer, StopFlag
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.contact import AttemptStatus, may_follow
from collections_app.domain.errors import Conflict, InvalidInput, NotFound
from collections_app.domain.events import EventKind
from collections_app.domain.outcomes import DISPOSITIONS, OUTCOMES, Disposition, Outcome
from collections_app.domain.permissions import Permission
from collections_app.services.opt_outs import record_opt_out


def record_call(
    uow: UnitOfWork,
    *,
    attempt_id: int,
    outcome: Outcome,
    disposition: Disposition = Disposition.NONE,
    note: str = "",
    talk_seconds: int | None = None,
) -> ContactAttempt:
    """Settle a call that was placed: outcome, disposition and what follows from them, in one transaction."""
    uow.actor.require(Permission.CASE_WORK)
    attempt = uow.session.get(ContactAttempt, attempt_id, with_for_update=True)
    if attempt is None:
        raise NotFound("there is no such contact attempt")
    if attempt.outcome is not None:
        raise Conflict("the outcome of this attempt is recorded already")
    said = DISPOSITIONS[disposition]
    if disposition is not Disposition.NONE and said.needs_rpc and outcome is not Outcome.RPC:
        raise InvalidInput(f"“{said.label}” needs a conversation with the customer as outcome")
    reached = AttemptStatus.FAILED if outcome is Outcome.FAILED else AttemptStatus.DELIVERED
    if not may_follow(attempt.status, reached):
        raise Conflict(f"an attempt that is {attempt.status} cannot be settled")
    attempt.status, attempt.outcome, attempt.disposition = reached, outcome, disposition
    attempt.settled_at, attempt.talk_seconds = uow.now, talk_seconds
    customer = uow.session.get_one(Customer, attempt.customer_id)
    if attempt.local_date is None:
        zone = ZoneInfo(customer.zones[0]) if customer.zones else ZoneInfo("UTC")
        attempt.local_date = (attempt.dispatched_at or uow.now).astimezone(zone).date()
    _carry_out(uow, attempt, outcome, disposition, note)
    uow.record(
        attempt.case_id,
        EventKind.ATTEMPT_RECORDED,
        {
            "attempt_id": attempt.id,
            "channel": attempt.channel.value,
            "mode": attempt.mode.value,
            "outcome": outcome.value,
            "disposition": disposition.value,
            **({"note": note} if note else {}),
        },
    )
    return attempt


def _carry_out(uow: UnitOfWork, attempt: ContactAttempt, outcome: Outcome, disposition: Disposition, note: str) -> None:
    said = DISPOSITIONS[disposition]
    if OUTCOMES[outcome].retires_point:
        point = uow.session.get_one(ContactPoint, attempt.contact_point_id)
        point.quality = "wrong_party" if outcome is Outcome.WRONG_PARTY else "disconnected"
    if said.stop is not None:
        uow.session.add(
            StopFlag(
                customer_id=attempt.customer_id,
                code=said.stop,
                set_at=uow.now,
                set_by=uow.actor.name,
                reference=f"attempt {attempt.id}",
            )
        )
        uow.record(attempt.case_id, EventKind.STOP_SET, {"code": said.stop.value})
    if said.opts_out:
        record_opt_out(
            uow,
            customer_id=attempt.customer_id,
            contact_point_id=attempt.contact_point_id,
            channel=attempt.channel,
            scope="point",
            raw_text=note or None,
            detected_by=attempt.actor_kind,
        )
    if said.cool_days:
        case = uow.session.get_one(Case, attempt.case_id)
        assert attempt.local_date is not None
        case.cool_until_on = attempt.local_date + timedelta(days=said.cool_days)


def add_note(uow: UnitOfWork, *, case_id: int, text: str) -> None:
    """Append a note to a case."""
    uow.actor.require(Permission.CASE_WORK)
    text = text.strip()
    if not text:
        raise InvalidInput("an empty note says nothing")
    if len(text) > 4000:
        raise InvalidInput("a note holds 4,000 characters at most")
    if not uow.session.scalar(sa.select(sa.exists().where(Case.id == case_id))):
        raise NotFound("there is no such case")
    uow.record(case_id, EventKind.NOTE_ADDED, {"text": text})
