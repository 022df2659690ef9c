"""What shields a customer: recorded by whoever hears of it, decided and lifted by a supervisor, with evidence.

Everything that must stop contact sets a stop flag in the same transaction; the gate and the strategies read flags
and holds, nothing else. What was recorded stays; its end is written beside it.
"""

from collections.abc import Sequence
from datetime import date

import sqlalchemy as sa

from collections_app.db.tables import Account, Agent, Complaint, Dispute, Hardship, Hold
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.contact import CollectorRole, StopCode
from collections_app.domain.errors import Conflict, InvalidInput, NotFound
from collections_app.domain.events import EventKind
from collections_app.domain.permissions import Permission
from collections_app.domain.protections import (
    ComplaintChannel,
    ComplaintOutcome,
    DisputeGrounds,
    DisputeOutcome,
    HardshipMeasure,
    HardshipReason,
    HoldReason,
    ReceivedBy,
)
from collections_app.services.shields import customer_of, lift, raise_stop, recent, said, visible_case
from strategies import protections as numbers


def place_hold(
    uow: UnitOfWork, *, case_id: int, reason: HoldReason, until_on: date, note: str, business_date: date
) -> Hold:
    """Let a case rest until a day, both days included; the longest hold is a number of the country."""
    uow.actor.require(Permission.PROTECTION_RECORD)
    case = visible_case(uow, case_id, must_be_open=True)
    country = customer_of(uow, case.customer_id).country
    last = numbers.clock("hold", country, business_date).due_on(business_date)
    if not business_date <= until_on:
        raise InvalidInput("the last day of the hold lies in the past")
    if until_on > last:
        raise InvalidInput(f"a hold ends on {last.isoformat()} at the latest; a supervisor may extend it then")
    standing = sa.exists().where(Hold.case_id == case_id, Hold.released_on.is_(None), Hold.until_on >= business_date)
    if uow.session.scalar(sa.select(standing)):
        raise Conflict("the case is on hold already")
    hold = Hold(
        case_id=case_id,
        reason=reason.value,
        note=said(note, "the note", required=reason is HoldReason.OTHER, most=300),
        from_on=business_date,
        until_on=until_on,
        set_by=uow.actor.name,
        set_at=uow.now,
    )
    uow.session.add(hold)
    uow.record(case_id, EventKind.HOLD_PLACED, {"reason": reason.value, "until_on": until_on.isoformat()})
    return hold


def extend_hold(uow: UnitOfWork, *, hold_id: int, until_on: date, business_date: date) -> None:
    """Give a hold that stands more days, within the longest extension."""
    uow.actor.require(Permission.PROTECTION_DECIDE)
    hold = _standing_hold(uow, hold_id, business_date)
    customer_id = visible_case(uow, hold.case_id).customer_id
    clock = numbers.clock("hold", customer_of(uow, customer_id).country, business_date)
    if until_on <= hold.until_on:
        raise InvalidInput("the new last day lies before the present one")
    if until_on > (last := clock.extended_to(hold.from_on)):
        raise InvalidInput(f"this hold can be extended until {last.isoformat()} at the latest")
    hold.until_on = until_on
    uow.record(hold.case_id, EventKind.HOLD_EXTENDED, {"until_on": until_on.isoformat()})


def release_hold(uow: UnitOfWork, *, hold_id: int, business_date: date) -> None:
    """Take a case back into work before its hold ends."""
    uow.actor.require(Permission.PROTECTION_DECIDE)
    hold = _standing_hold(uow, hold_id, business_date)
    hold.released_on, hold.released_by = business_date, uow.actor.name
    uow.record(hold.case_id, EventKind.HOLD_RELEASED, {"reason": hold.reason})


def _standing_hold(uow: UnitOfWork, hold_id: int, business_date: date) -> Hold:
    hold = uow.session.get(Hold, hold_id, with_for_update=True)
    if hold is None:
        raise NotFound("there is no such hold")
    if hold.released_on is not None or hold.until_on < business_date:
        raise Conflict("this hold has ended already")
    return hold


def open_dispute(
    uow: UnitOfWork,
    *,
    case_id: int,
    account_id: int,
    grounds: DisputeGrounds,
    received_by: ReceivedBy,
    received_on: date,
    note: str,
    business_date: date,
    disputed_minor: int | None = None,
    validation_sent_on: date | None = None,
) -> Dispute:
    """Record that a debt is contested: contact about it stops at once, until it is answered.

    Without a known validation notice, a debt that a third party collects in the US counts as inside its period.
    """
    uow.actor.require(Permission.PROTECTION_RECORD)
    case = visible_case(uow, case_id)
    account = uow.session.get(Account, account_id, with_for_update=True)
    if account is None or account.customer_id != case.customer_id:
        raise NotFound("there is no such account on this case")
    recent(received_on, business_date)
    if uow.session.scalar(
        sa.select(sa.exists().where(Dispute.account_id == account_id, Dispute.answered_on.is_(None)))
    ):
        raise Conflict("this account is disputed already; answer that dispute first")
    if disputed_minor is not None and not 0 < disputed_minor <= account.balance_amount:
        raise InvalidInput("the disputed amount must lie between zero and the balance")
    country = customer_of(uow, case.customer_id).country
    is_fraud = grounds in (DisputeGrounds.FRAUD,)
    flag = raise_stop(
        uow,
        case.customer_id,
        StopCode.ID_THEFT if is_fraud else StopCode.DISPUTE,
        reference=f"dispute of {received_on.isoformat()}",
        account_id=account_id,
    )
    period = numbers.find_clock("validation", country, received_on)
    if period is None:
        inside = False
    elif validation_sent_on is None:
        inside = account.collector_role == CollectorRole.THIRD_PARTY
    else:
        inside = period.covers(validation_sent_on, received_on)
    clock = numbers.clock("dispute", country, received_on)
    dispute = Dispute(
        account_id=account_id,
        case_id=case_id,
        received_on=received_on,
        channel=received_by.value,
        is_written=received_by.is_written,
        in_validation_period=inside,
        grounds=grounds.value,
        disputed_amount=disputed_minor,
        note=said(note, "the note: what exactly is contested", most=4000),
        answer_due_on=clock.due_on(received_on),
        stop_flag_id=flag.id,
        recorded_by=uow.actor.name,
    )
    uow.session.add(dispute)
    uow.record(
        case_id,
        EventKind.DISPUTE_OPENED,
        {
            "grounds": grounds.value,
            "account_id": account_id,
            "answer_due_on": dispute.answer_due_on.isoformat(),
            "text": note.strip(),
        },
    )
    return dispute


def answer_dispute(
    uow: UnitOfWork, *, dispute_id: int, outcome: DisputeOutcome, evidence: str, business_date: date
) -> None:
    """Close a dispute with its answer sent. An accepted one keeps its stop: that debt is not collected."""
    uow.actor.require(Permission.PROTECTION_DECIDE)
    dispute = uow.session.get(Dispute, dispute_id, with_for_update=True)
    if dispute is None:
        raise NotFound("there is no such dispute")
    if dispute.answered_on is not None:
        raise Conflict("this dispute is answered already")
    text = said(evidence, "the evidence: what was sent to the customer", most=300)
    dispute.answered_on, dispute.outcome = business_date, outcome.value
    if outcome is not DisputeOutcome.ACCEPTED:
        lift(uow, dispute.stop_flag_id, reason=f"dispute {outcome.value}: {text}")
    if dispute.case_id is not None:
        uow.record(dispute.case_id, EventKind.DISPUTE_ANSWERED, {"outcome": outcome.value, "text": text})


def open_complaint(
    uow: UnitOfWork,
    *,
    case_id: int,
    channel: ComplaintChannel,
    subject: str,
    received_on: date,
    business_date: date,
    note: str = "",
    agent_id: int | None = None,
) -> Complaint:
    """Record a complaint and start its clock; one that came through a regulator stops collection."""
    uow.actor.require(Permission.PROTECTION_RECORD)
    case = visible_case(uow, case_id)
    recent(received_on, business_date)
    if agent_id is not None and uow.session.get(Agent, agent_id) is None:
        raise NotFound("there is no such agent")
    customer = customer_of(uow, case.customer_id)
    clock = numbers.clock("complaint", customer.country, received_on)
    about = said(subject, "the subject: what the complaint is about", most=200)
    flag = None
    if channel.stops_collection:
        flag = raise_stop(uow, customer.id, StopCode.COMPLAINT, reference=f"{channel} {received_on.isoformat()}")
    complaint = Complaint(
        customer_id=customer.id,
        case_id=case_id,
        agent_id=agent_id,
        channel=channel.value,
        subject=about,
        note=said(note, "the note", required=False, most=4000),
        received_on=received_on,
        due_on=clock.due_on(received_on),
        stop_flag_id=flag.id if flag else None,
        recorded_by=uow.actor.name,
    )
    uow.session.add(complaint)
    uow.record(case_id, EventKind.COMPLAINT_OPENED, {"text": about, "due_on": complaint.due_on.isoformat()})
    return complaint


def extend_complaint(uow: UnitOfWork, *, complaint_id: int, reason: str, business_date: date) -> None:
    """Take the longer period that the rule gives a complex complaint, before the first one has run out."""
    uow.actor.require(Permission.PROTECTION_DECIDE)
    complaint = _open_complaint(uow, complaint_id)
    if complaint.extended_to_on is not None:
        raise Conflict("this complaint has been extended already")
    if complaint.due_on < business_date:
        raise Conflict("the period has run out; it can no longer be extended")
    country = customer_of(uow, complaint.customer_id).country
    clock = numbers.clock("complaint", country, complaint.received_on)
    text = said(reason, "the reason, which the customer is told", most=300)
    complaint.extended_to_on = clock.extended_to(complaint.received_on)
    if complaint.case_id is not None:
        payload = {"text": text, "due_on": complaint.extended_to_on.isoformat()}
        uow.record(complaint.case_id, EventKind.COMPLAINT_EXTENDED, payload)


def close_complaint(
    uow: UnitOfWork,
    *,
    complaint_id: int,
    outcome: ComplaintOutcome,
    root_cause: str,
    business_date: date,
    redress_minor: int = 0,
    currency: str | None = None,
) -> None:
    """Close a complaint with what was found, what it came from and what was paid as redress."""
    uow.actor.require(Permission.PROTECTION_DECIDE)
    complaint = _open_complaint(uow, complaint_id)
    if redress_minor < 0 or (redress_minor > 0) != (currency is not None):
        raise InvalidInput("redress is an amount above zero with its currency, or nothing at all")
    complaint.root_cause = said(root_cause, "the root cause: what it came from", most=200)
    complaint.closed_on, complaint.outcome = business_date, outcome.value
    complaint.redress_amount, complaint.currency = (redress_minor or None), currency
    lift(uow, complaint.stop_flag_id, reason=f"complaint {outcome.value}")
    if complaint.case_id is not None:
        payload: dict[str, object] = {"outcome": outcome.value, "text": complaint.root_cause}
        if currency is not None:
            payload |= {"amount_minor": redress_minor, "currency": currency}
        uow.record(complaint.case_id, EventKind.COMPLAINT_CLOSED, payload)


def _open_complaint(uow: UnitOfWork, complaint_id: int) -> Complaint:
    complaint = uow.session.get(Complaint, complaint_id, with_for_update=True)
    if complaint is None:
        raise NotFound("there is no such complaint")
    if complaint.closed_on is not None:
        raise Conflict("this complaint is closed already")
    return complaint


def record_hardship(
    uow: UnitOfWork,
    *,
    case_id: int,
    reason: HardshipReason,
    business_date: date,
    evidence: str = "",
    stops_contact: bool = False,
) -> Hardship:
    """Record that a customer cannot pay as agreed; it waits for an answer. On request nobody dials meanwhile."""
    uow.actor.require(Permission.PROTECTION_RECORD)
    case = visible_case(uow, case_id)
    customer = customer_of(uow, case.customer_id)
    if uow.session.scalar(
        sa.select(sa.exists().where(Hardship.customer_id == customer.id, Hardship.ended_on.is_(None)))
    ):
        raise Conflict("a hardship is recorded already; review that one")
    flag = raise_stop(uow, customer.id, StopCode.VULNERABLE, reference=reason.value) if stops_contact else None
    hardship = Hardship(
        customer_id=customer.id,
        case_id=case_id,
        reason=reason.value,
        starts_on=business_date,
        review_on=numbers.clock("hardship_reply", customer.country, business_date).due_on(business_date),
        measures=[],
        evidence_ref=said(evidence, "the evidence", required=False, most=200) or None,
        stop_flag_id=flag.id if flag else None,
        recorded_by=uow.actor.name,
    )
    uow.session.add(hardship)
    payload = {"reason": reason.value, "review_on": hardship.review_on.isoformat()}
    uow.record(case_id, EventKind.HARDSHIP_RECORDED, payload)
    return hardship


def review_hardship(
    uow: UnitOfWork,
    *,
    hardship_id: int,
    measures: Sequence[HardshipMeasure],
    business_date: date,
    review_on: date | None = None,
) -> None:
    """Answer a hardship, or look at it again: what is granted, and the day of the next review."""
    uow.actor.require(Permission.PROTECTION_DECIDE)
    hardship = _open_hardship(uow, hardship_id)
    if not measures or (HardshipMeasure.NONE in measures and len(measures) > 1):
        raise InvalidInput("the measures are missing: choose what is granted, or “none” alone")
    country = customer_of(uow, hardship.customer_id).country
    last = numbers.clock("hardship_review", country, business_date).due_on(business_date)
    hardship.review_on = review_on or last
    if not business_date < hardship.review_on <= last:
        raise InvalidInput(f"the next review lies between tomorrow and {last.isoformat()}")
    hardship.measures, hardship.decided_by = [m.value for m in measures], uow.actor.name
    if hardship.case_id is not None:
        payload = {"measures": hardship.measures, "review_on": hardship.review_on.isoformat()}
        uow.record(hardship.case_id, EventKind.HARDSHIP_REVIEWED, payload)


def end_hardship(uow: UnitOfWork, *, hardship_id: int, reason: str, business_date: date) -> None:
    """End a hardship, and the rest of contact that came with it."""
    uow.actor.require(Permission.PROTECTION_DECIDE)
    hardship = _open_hardship(uow, hardship_id)
    text = said(reason, "the reason", most=300)
    hardship.ended_on = business_date
    lift(uow, hardship.stop_flag_id, reason=f"hardship ended: {text}")
    if hardship.case_id is not None:
        uow.record(hardship.case_id, EventKind.HARDSHIP_ENDED, {"text": text})


def _open_hardship(uow: UnitOfWork, hardship_id: int) -> Hardship:
    hardship = uow.session.get(Hardship, hardship_id, with_for_update=True)
    if hardship is None:
        raise NotFound("there is no such hardship")
    if hardship.ended_on is not None:
        raise Conflict("this hardship has ended already")
    return hardship
