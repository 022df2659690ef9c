"""Stop flags set and lifted, and moratoria: what shields a customer by law, whoever asks for it.

A flag stops contact in the transaction that records it. Only a supervisor lifts one, with evidence; a flag that a
dispute, a complaint, a hardship or a moratorium set goes with its own end.
"""

from collections.abc import Sequence
from datetime import date, timedelta

import sqlalchemy as sa

from collections_app.db.tables import (
    Account,
    Case,
    Complaint,
    Customer,
    DelinquencyPause,
    Dispute,
    Hardship,
    Moratorium,
    StopFlag,
)
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.contact import StopCode
from collections_app.domain.errors import Conflict, InvalidInput, NotFound
from collections_app.domain.events import EventKind
from collections_app.domain.permissions import Permission
from collections_app.domain.protections import EVIDENCE_OF, MoratoriumKind, ReleaseReason, check_release
from collections_app.queries import case_file
from collections_app.services.ledger_tasks import touch_account
from collections_app.services.opt_outs import latest_case
from strategies import protections as numbers


def said(text: str, what: str, *, most: int, required: bool = True) -> str:
    """Return a text without blanks around it; InvalidInput when it is missing or too long."""
    text = text.strip()
    if required and not text:
        raise InvalidInput(f"{what} is missing" if ":" not in what else what.replace(":", " is missing:", 1))
    if len(text) > most:
        raise InvalidInput(f"{what.partition(':')[0]} holds {most} characters at most")
    return text


def recent(received_on: date, business_date: date) -> None:
    """Refuse a day of receipt that has not come."""
    if received_on > business_date:
        raise InvalidInput("the day of receipt lies in the future")


def visible_case(uow: UnitOfWork, case_id: int, *, must_be_open: bool = False) -> Case:
    """Return a case that the actor may know of."""
    case_file.require_visible(uow.session, uow.actor, case_id)
    case = uow.session.get_one(Case, case_id)
    if must_be_open and case.closed_on is not None:
        raise Conflict("the case is closed; nobody works it")
    return case


def customer_of(uow: UnitOfWork, customer_id: int) -> Customer:
    """Return a customer, locked: a contact that is being claimed waits until the protection is visible."""
    return uow.session.get_one(Customer, customer_id, with_for_update={"key_share": True})


def raise_stop(
    uow: UnitOfWork,
    customer_id: int,
    code: StopCode,
    *,
    reference: str,
    account_id: int | None = None,
    until_on: date | None = None,
) -> StopFlag:
    """Stop contact with a customer, or about one account, from this instant."""
    flag = StopFlag(
        customer_id=customer_id,
        account_id=account_id,
        code=code,
        set_at=uow.now,
        set_by=uow.actor.name,
        reference=reference[:200],
        until_on=until_on,
    )
    uow.session.add(flag)
    uow.session.flush()  # what raised it keeps its id
    _tell(uow, customer_id, EventKind.STOP_SET, {"code": code.value, "text": reference})
    return flag


def lift(uow: UnitOfWork, flag_id: int | None, *, reason: str) -> None:
    """Let contact go on, if this flag still stops it."""
    flag = uow.session.get(StopFlag, flag_id, with_for_update=True) if flag_id is not None else None
    if flag is None or flag.released_at is not None:
        return
    flag.released_at, flag.released_by, flag.release_reason = uow.now, uow.actor.name, reason[:300]
    _tell(uow, flag.customer_id, EventKind.STOP_RELEASED, {"code": flag.code.value, "text": reason})


def _tell(uow: UnitOfWork, customer_id: int, kind: EventKind, payload: dict[str, str]) -> None:
    case = latest_case(uow, customer_id)
    if case is not None:
        uow.record(case.id, kind, payload)


def set_stop(uow: UnitOfWork, *, case_id: int, code: StopCode, evidence: str) -> StopFlag:
    """Stop contact for a reason that somebody told us; it holds at once, evidence may be improved later."""
    uow.actor.require(Permission.PROTECTION_RECORD)
    case = visible_case(uow, case_id)
    if code not in EVIDENCE_OF:
        raise InvalidInput("this stop comes with a dispute, complaint or moratorium; record that")
    reference = said(evidence, f"the evidence: {EVIDENCE_OF[code]}", most=200)
    customer = customer_of(uow, case.customer_id)
    standing = sa.exists().where(
        StopFlag.customer_id == customer.id, StopFlag.code == code, StopFlag.released_at.is_(None)
    )
    if uow.session.scalar(sa.select(standing)):
        raise Conflict("this stop stands already")
    return raise_stop(uow, customer.id, code, reference=reference)


def release_stop(uow: UnitOfWork, *, stop_id: int, reason: ReleaseReason, evidence: str) -> None:
    """Lift a stop that was set by hand or in a call, with the evidence that contact may go on."""
    uow.actor.require(Permission.PROTECTION_DECIDE)
    flag = uow.session.get(StopFlag, stop_id, with_for_update=True)
    if flag is None:
        raise NotFound("there is no such stop")
    if flag.released_at is not None:
        raise Conflict("this stop is released already")
    owners = ((Dispute, Dispute.answered_on), (Complaint, Complaint.closed_on), (Hardship, Hardship.ended_on),
              (Moratorium, Moratorium.ended_on))  # fmt: skip
    for table, ended_on in owners:
        owner = sa.exists().where(table.stop_flag_id == flag.id, ended_on.is_(None))
        if uow.session.scalar(sa.select(owner)):
            raise Conflict(f"a {table.__tablename__} holds this stop; it is released with its end")
    check_release(flag.code, reason, evidence)
    lift(uow, flag.id, reason=f"{reason.value}: {said(evidence, 'the evidence', most=250)}")


def start_moratorium(
    uow: UnitOfWork,
    *,
    case_id: int,
    kind: MoratoriumKind,
    reference: str,
    notified_on: date,
    business_date: date,
    account_ids: Sequence[int] = (),
    ends_on: date | None = None,
    adviser: str = "",
) -> Moratorium:
    """Begin a rest given by law or a court: no contact, days past due stand still, interest is frozen.

    It runs from the day after the notice; without ``account_ids`` it covers every account of the customer. Contact
    stops at once, from the notice on. ``ends_on`` is asked for where no rule names the length.
    """
    uow.actor.require(Permission.PROTECTION_RECORD)
    case = visible_case(uow, case_id)
    recent(notified_on, business_date)
    customer = customer_of(uow, case.customer_id)
    number = said(reference, "the reference: the number of the notice", most=64)
    starts_on, last = notified_on + timedelta(days=1), ends_on
    clock = numbers.find_clock(f"moratorium_{kind.value}", customer.country, notified_on) if _has_rule(kind) else None
    if _has_rule(kind) and clock is None:
        raise InvalidInput(f"no rule gives this moratorium to a customer in {customer.country}")
    if clock is not None:
        last = None if clock.after_event else clock.due_on(notified_on)
        _refuse_repeat(uow, customer.id, kind, starts_on, clock.between_days)
    if last is not None and last < starts_on:
        raise InvalidInput("the last day of the moratorium lies before its start")
    covered = _covered(uow, customer.id, account_ids)
    flag = raise_stop(uow, customer.id, StopCode.MORATORIUM, reference=f"{kind.value} {number}", until_on=last)
    moratorium = Moratorium(
        customer_id=customer.id,
        kind=kind.value,
        reference=number,
        starts_on=starts_on,
        ends_on=last,
        account_ids=covered,
        interest_frozen=True,
        adviser=said(adviser, "the adviser", required=False, most=200) or None,
        stop_flag_id=flag.id,
        recorded_by=uow.actor.name,
        details={"case_id": case_id, "rule": clock.reference if clock else ""},
    )
    uow.session.add(moratorium)
    uow.session.flush()  # its pauses are known by its id
    for account_id in covered:
        uow.session.add(
            DelinquencyPause(
                account_id=account_id, from_on=starts_on, until_on=last, reason=f"moratorium {moratorium.id}",
                set_by=uow.actor.name, set_at=uow.now,
            )
        )  # fmt: skip
        touch_account(uow, account_id, from_on=starts_on)
    payload = {"kind": kind.value, "text": number, "until_on": last.isoformat() if last else None}
    uow.record(case_id, EventKind.MORATORIUM_STARTED, payload)
    return moratorium


def _has_rule(kind: MoratoriumKind) -> bool:
    return f"moratorium_{kind.value}" in numbers.topics()


def _refuse_repeat(
    uow: UnitOfWork, customer_id: int, kind: MoratoriumKind, starts_on: date, between_days: int | None
) -> None:
    before = uow.session.scalars(
        sa.select(Moratorium).where(Moratorium.customer_id == customer_id, Moratorium.kind == kind.value)
    ).all()
    if any(m.ended_on is None and (m.ends_on is None or m.ends_on >= starts_on) for m in before):
        raise Conflict("this moratorium is running already")
    if between_days is not None and any((starts_on - m.starts_on).days < between_days for m in before):
        raise Conflict(f"the customer had this moratorium within {between_days} days; it is given once in that time")


def _covered(uow: UnitOfWork, customer_id: int, account_ids: Sequence[int]) -> list[int]:
    own = list(
        uow.session.scalars(sa.select(Account.id).where(Account.customer_id == customer_id).order_by(Account.id))
    )
    if not set(account_ids) <= set(own):
        raise NotFound("there is no such account of this customer")
    return sorted(account_ids) if account_ids else own


def end_moratorium(
    uow: UnitOfWork, *, moratorium_id: int, reason: str, business_date: date, event_on: date | None = None
) -> None:
    """End a moratorium; where the rule adds days after an event (a treatment's end), ``event_on`` is that day.

    Then it runs on for those days and ends by itself. Any other ends today: tomorrow contact is possible again.
    """
    uow.actor.require(Permission.PROTECTION_DECIDE)
    moratorium = uow.session.get(Moratorium, moratorium_id, with_for_update=True)
    if moratorium is None:
        raise NotFound("there is no such moratorium")
    if moratorium.ended_on is not None:
        raise Conflict("this moratorium has ended already")
    text = said(reason, "the reason, with what shows it", most=250)
    kind = MoratoriumKind(moratorium.kind)
    country = customer_of(uow, moratorium.customer_id).country
    clock = numbers.find_clock(f"moratorium_{kind.value}", country, business_date) if _has_rule(kind) else None
    last = business_date
    if event_on is not None and clock is not None and clock.after_event:
        last = max(business_date, clock.due_on(event_on))
    moratorium.ends_on = last
    if last == business_date:
        moratorium.ended_on = business_date
        lift(uow, moratorium.stop_flag_id, reason=f"moratorium ended: {text}")
    else:
        flag = uow.session.get_one(StopFlag, moratorium.stop_flag_id)
        flag.until_on = last
    pauses = uow.session.scalars(
        sa.select(DelinquencyPause).where(DelinquencyPause.reason == f"moratorium {moratorium.id}")
    )
    for pause in pauses:
        pause.until_on, pause.ended_by = max(last, pause.from_on), uow.actor.name
        touch_account(uow, pause.account_id, from_on=min(last, business_date))
    payload = {"kind": kind.value, "text": text, "until_on": last.isoformat()}
    uow.record(moratorium.details["case_id"], EventKind.MORATORIUM_ENDED, payload)


def expire(uow: UnitOfWork, *, business_date: date) -> dict[str, int]:
    """Close moratoria whose last day has passed; their flags and pauses end by their own dates. Repeatable."""
    over = sa.and_(Moratorium.ended_on.is_(None), Moratorium.ends_on < business_date)
    flags = sa.select(Moratorium.stop_flag_id).where(over)
    uow.session.execute(
        sa.update(StopFlag)
        .where(StopFlag.id.in_(flags), StopFlag.released_at.is_(None))
        .values(released_at=uow.now, released_by=uow.actor.name, release_reason="the moratorium has run out")
        .execution_options(synchronize_session=False)
    )
    ended = uow.session.execute(
        sa.update(Moratorium).where(over).values(ended_on=business_date).execution_options(synchronize_session=False)
    )
    return {"moratoria_ended": int(getattr(ended, "rowcount", 0))}
