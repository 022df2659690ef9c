"""Robot calls: what the robot must know, the call itself, and what is recorded of it.

Two ways to one record. A simulated carrier talks the whole call inside ``run_call``; a real one returns at
once and asks ``next_turn`` for each line. Both end in ``_settle``.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.tables import Account, ContactAttempt, ContactPoint, Customer, Episode, RobotCall
from collections_app.db.unit_of_work import UnitOfWork, UnitsOfWork
from collections_app.domain.contact import AttemptStatus, CollectorRole, may_follow
from collections_app.domain.errors import Conflict, DomainError, InvalidInput, NotFound
from collections_app.domain.outcomes import Disposition, Outcome
from collections_app.domain.permissions import SYSTEM, Actor
from collections_app.gateways.blobs import BlobStore
from collections_app.services import outcomes, promises, recordings
from voice.calls import CHANNEL_MAP, CallOrder, CallResult, CallStatus, Carrier, Turn, last_turn
from voice.calls import next_turn as record_turn
from voice.dialogue import engine, spoken, twiml
from voice.dialogue.engine import Context, Progress, Settled, Step
from voice.dialogue.script import Script, load_script

# How a carrier's last word on a call that never reached the script translates.
_UNREACHED = {"no-answer": Outcome.NO_ANSWER, "busy": Outcome.BUSY, "failed": Outcome.FAILED}
_IDENTITY_DIGITS = 4


@dataclass(frozen=True)
class _Booking:
    """An attempt with the account that the robot speaks about."""

    case_id: int
    account_id: int
    to: str
    context: Context


def run_call(
    units: UnitsOfWork,
    *,
    attempt_id: int,
    carrier: Carrier,
    script: Script | None = None,
    blobs: BlobStore | None = None,
    actor: Actor = SYSTEM,
) -> CallResult:
    """Place the call of a claimed attempt and record what came of it. No transaction is open meanwhile."""
    script = script or load_script()
    with units.begin(actor) as uow:
        at = uow.now
        try:
            booking = _book(uow.session, attempt_id, at)
        except InvalidInput as error:
            # Not a fault of the number: the robot lacks what it must know, so nothing is dialled.
            return _refuse(uow, attempt_id, carrier.name, error.code)
    order = CallOrder(attempt_id=attempt_id, to=booking.to, script=script, context=booking.context, at=at)
    result = carrier.place(order)
    with units.begin(actor) as uow:
        # The sound is stored first: files and decoding come before the first statement.
        audio = result.audio if blobs is not None else None
        recording = None
        if audio is not None and blobs is not None:
            recording = recordings.store_recording(
                uow, blobs, audio=audio, channel_map=CHANNEL_MAP, started_at=at, attempt_id=attempt_id,
                case_id=booking.case_id,
            )  # fmt: skip
        attempt = _attempt(uow.session, attempt_id)
        attempt.provider, attempt.provider_ref = result.provider, result.provider_ref or attempt.provider_ref
        attempt.error_code = result.error_code
        if result.settled is not None:
            call = _call(uow, attempt_id, script, at)
            call.turns = [turn.to_json() for turn in result.turns]
            call.result = {"recording_id": recording.id if recording else None}
            _settle(uow, attempt, call, booking, settled=result.settled, seconds=result.seconds)
        else:
            _acknowledge(uow, attempt, result.status)
    return result


def next_turn(
    uow: UnitOfWork,
    *,
    attempt_id: int,
    heard: str | None,
    action_url: str,
    answered_by_machine: bool = False,
    script: Script | None = None,
) -> str:
    """Answer a carrier that waits on the line: record what was heard and return the next line as TwiML.

    ``heard`` is speech or keys of the last turn, None when nothing came; the first request opens the call.
    """
    script = script or load_script()
    attempt = _attempt(uow.session, attempt_id)
    booking = _book(uow.session, attempt_id, uow.now)
    call = _find_call(uow.session, attempt_id)
    if call is not None and call.ended_at is not None:
        raise Conflict("this call has ended")
    if call is None:
        call = _call(uow, attempt_id, script, uow.now)
        answer = engine.begin(script, booking.context)
        if answered_by_machine:
            answer = engine.leave(script, answer.progress, booking.context)
    else:
        progress = Progress.from_json(call.result["progress"])
        answer = engine.hear(script, progress, heard, booking.context)
        asked = Step(progress, call.result["say"])
        call.turns = [*call.turns, record_turn(asked, heard, answer).to_json()]
    call.state = answer.progress.state
    call.result = {"progress": answer.progress.to_json(), "say": answer.say}
    if answer.settled is not None:
        call.turns = [*call.turns, last_turn(answer).to_json()]
        seconds = round((uow.now - call.started_at).total_seconds())
        _settle(uow, attempt, call, booking, settled=answer.settled, seconds=seconds)
    return twiml.render(answer, action_url=action_url, language=script.language)


def close_call(uow: UnitOfWork, *, attempt_id: int, carrier_status: str, seconds: int = 0) -> bool:
    """Take a carrier's last word on a call; False when it changes nothing (late, twice, already settled)."""
    attempt = _attempt(uow.session, attempt_id)
    if attempt.outcome is not None:
        return False
    call = _find_call(uow.session, attempt_id)
    if call is None:
        outcome = _UNREACHED.get(carrier_status)
        if outcome is None or not may_follow(attempt.status, AttemptStatus.DELIVERED):
            return False
        outcomes.record_call(uow, attempt_id=attempt_id, outcome=outcome)
        return True
    settled = engine.hung_up(Progress.from_json(call.result["progress"]))
    _settle(uow, attempt, call, _book(uow.session, attempt_id, uow.now), settled=settled, seconds=seconds)
    return True


def _settle(
    uow: UnitOfWork,
    attempt: ContactAttempt,
    call: RobotCall,
    booking: _Booking,
    *,
    settled: Settled,
    seconds: int,
) -> None:
    """Record outcome and promise of a finished call."""
    turns = [Turn.from_json(turn) for turn in call.turns]
    call.state = turns[-1].state if turns else settled.outcome.value
    call.ended_at = uow.now
    call.result = call.result | {
        "outcome": settled.outcome.value, "disposition": settled.disposition.value,
        "flags": list(settled.flags),
    }  # fmt: skip
    said = next((t.heard for t in reversed(turns) if t.heard), "")
    outcomes.record_call(
        uow, attempt_id=attempt.id, outcome=settled.outcome, disposition=settled.disposition,
        note=said if settled.disposition is Disposition.OPT_OUT else "", talk_seconds=seconds,
    )  # fmt: skip
    if settled.promise_minor is None or settled.promise_on is None:
        return
    try:
        promise = promises.record(
            uow, case_id=booking.case_id, account_id=booking.account_id, amount_minor=settled.promise_minor,
            due_on=settled.promise_on, business_date=booking.context.today, made_by="robot",
            attempt_id=attempt.id,
        )  # fmt: skip
    except DomainError as error:
        # The case may have been paid or closed while they talked. What was said stays on the call.
        call.result = call.result | {"promise_refused": error.message}
    else:
        call.result = call.result | {"promise_id": promise.id}


def _acknowledge(uow: UnitOfWork, attempt: ContactAttempt, status: CallStatus) -> None:
    """Store a carrier's answer that is not yet an end; a webhook may have been faster, then it stands."""
    new = {CallStatus.PLACED: AttemptStatus.SENT, CallStatus.REFUSED: AttemptStatus.FAILED,
           CallStatus.UNCERTAIN: AttemptStatus.UNCERTAIN}[status]  # fmt: skip
    if may_follow(attempt.status, new):
        attempt.status = new
        attempt.settled_at = uow.now if new is AttemptStatus.FAILED else None


def _refuse(uow: UnitOfWork, attempt_id: int, provider: str, code: str) -> CallResult:
    attempt = _attempt(uow.session, attempt_id)
    attempt.error_code = code
    _acknowledge(uow, attempt, CallStatus.REFUSED)
    return CallResult(CallStatus.REFUSED, provider, error_code=code)


def _attempt(session: Session, attempt_id: int) -> ContactAttempt:
    attempt = session.get(ContactAttempt, attempt_id, with_for_update=True)
    if attempt is None:
        raise NotFound("there is no such contact attempt")
    return attempt


def _find_call(session: Session, attempt_id: int) -> RobotCall | None:
    return session.scalar(sa.select(RobotCall).where(RobotCall.attempt_id == attempt_id))


def _call(uow: UnitOfWork, attempt_id: int, script: Script, started_at: datetime) -> RobotCall:
    call = RobotCall(
        attempt_id=attempt_id, script_id=script.id, script_version=script.version, state=script.start,
        turns=[], result={}, started_at=started_at,
    )  # fmt: skip
    uow.session.add(call)
    return call


def _book(session: Session, attempt_id: int, now: datetime) -> _Booking:
    """Read what the robot must know: whom it calls, about which account, how they prove who they are."""
    attempt = _attempt(session, attempt_id)
    customer = session.get_one(Customer, attempt.customer_id)
    point = session.get_one(ContactPoint, attempt.contact_point_id)
    accounts = session.scalars(
        sa.select(Account)
        .join(Episode, Episode.account_id == Account.id)
        .where(Episode.case_id == attempt.case_id, Episode.ended_on.is_(None))
        .order_by(Account.dpd.desc(), Account.arrears_amount.desc(), Account.id)
    ).all()
    account = _spoken_of(accounts)
    if not customer.full_name:
        raise InvalidInput("a robot must ask for the customer by name, and this one has none", code="no_name")
    if not spoken.can_say(account.currency):
        raise InvalidInput(f"the script cannot say amounts in {account.currency}", code="no_currency")
    digits = re.sub(r"\D", "", account.account_ref)[-_IDENTITY_DIGITS:]
    if len(digits) < _IDENTITY_DIGITS:
        raise InvalidInput("the account number has too few digits to confirm an identity", code="no_identity")
    today = now.astimezone(ZoneInfo(customer.zones[0]) if customer.zones else ZoneInfo("UTC")).date()
    context = Context(
        name=customer.full_name,
        brand=account.creditor,
        identity_digits=digits,
        amount_minor=account.arrears_amount,
        currency=account.currency,
        due_on=account.oldest_unpaid_due_on or today,
        today=today,
        collector_role=CollectorRole(attempt.collector_role),
    )
    return _Booking(attempt.case_id, account.id, point.value, context)


def _spoken_of(accounts: Sequence[Account]) -> Account:
    """Return the one account that a call is about: the worst that still has arrears."""
    for account in accounts:
        if account.arrears_amount > 0:
            return account
    raise InvalidInput("nothing is overdue on this case any more", code="nothing_overdue")
