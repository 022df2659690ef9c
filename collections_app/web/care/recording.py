"""What was typed, given to the one service that it is for."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.contact import StopCode
from collections_app.domain.errors import InvalidInput
from collections_app.domain.plans import Affordability, Every, PlanKind, equal_terms
from collections_app.domain.protections import (
    ComplaintChannel,
    ComplaintOutcome,
    DisputeGrounds,
    DisputeOutcome,
    HardshipMeasure,
    HardshipReason,
    HoldReason,
    MoratoriumKind,
    ReceivedBy,
    ReleaseReason,
)
from collections_app.services import protections, shields
from collections_app.services.plans import Wish

Values = Mapping[str, Any]
Record = Callable[[UnitOfWork, int, Values, date], object]
Decide = Callable[[UnitOfWork, int, Values, date, str], object]


def wish_of(values: Values) -> Wish:
    """Return a plan as it was asked for; InvalidInput names what the kind of plan still needs."""
    kind = PlanKind(values["kind"])
    if kind is PlanKind.DEFERRAL:
        return Wish(kind, values["reason"], ends_on=values["ends_on"])
    missing = {"total": "the amount", "count": "the number of payments", "first_due_on": "the first date"}
    for name, what in missing.items():
        if values[name] is None:
            raise InvalidInput(f"{what} is missing")
    known = None
    if values["income"] is not None and values["expense"] is not None:
        known = Affordability(values["income"], values["expense"], values["evidence"])
    return Wish(
        kind,
        values["reason"],
        terms=equal_terms(values["total"], values["count"], values["first_due_on"], Every(values["every"])),
        affordability=known,
        re_ages=values["re_ages"] and kind is PlanKind.INSTALMENT,
    )


def _hold(uow: UnitOfWork, case_id: int, v: Values, today: date) -> None:
    protections.place_hold(
        uow, case_id=case_id, reason=HoldReason(v["reason"]), until_on=v["until_on"], note=v["note"],
        business_date=today,
    )  # fmt: skip


def _dispute(uow: UnitOfWork, case_id: int, v: Values, today: date) -> None:
    protections.open_dispute(
        uow, case_id=case_id, account_id=int(v["account_id"]), grounds=DisputeGrounds(v["grounds"]),
        received_by=ReceivedBy(v["received_by"]), received_on=v["received_on"], note=v["note"],
        disputed_minor=v["disputed"], validation_sent_on=v["validation_sent_on"], business_date=today,
    )  # fmt: skip


def _hardship(uow: UnitOfWork, case_id: int, v: Values, today: date) -> None:
    protections.record_hardship(
        uow, case_id=case_id, reason=HardshipReason(v["reason"]), evidence=v["evidence"],
        stops_contact=v["stops_contact"], business_date=today,
    )  # fmt: skip


def _complaint(uow: UnitOfWork, case_id: int, v: Values, today: date) -> None:
    protections.open_complaint(
        uow, case_id=case_id, channel=ComplaintChannel(v["channel"]), subject=v["subject"], note=v["note"],
        received_on=v["received_on"], business_date=today,
    )  # fmt: skip


def _moratorium(uow: UnitOfWork, case_id: int, v: Values, today: date) -> None:
    shields.start_moratorium(
        uow, case_id=case_id, kind=MoratoriumKind(v["kind"]), reference=v["reference"],
        notified_on=v["notified_on"], ends_on=v["ends_on"], adviser=v["adviser"], business_date=today,
    )  # fmt: skip


def _stop(uow: UnitOfWork, case_id: int, v: Values, today: date) -> None:
    shields.set_stop(uow, case_id=case_id, code=StopCode(v["code"]), evidence=v["evidence"])


RECORDS: Mapping[str, Record] = {
    "hold": _hold,
    "dispute": _dispute,
    "hardship": _hardship,
    "complaint": _complaint,
    "moratorium": _moratorium,
    "stop": _stop,
}


def _close_complaint(uow: UnitOfWork, item: int, v: Values, today: date, currency: str) -> None:
    protections.close_complaint(
        uow, complaint_id=item, outcome=ComplaintOutcome(v["outcome"]), root_cause=v["root_cause"],
        redress_minor=v["redress"] or 0, currency=currency if v["redress"] else None, business_date=today,
    )  # fmt: skip


def _review_hardship(uow: UnitOfWork, item: int, v: Values, today: date, currency: str) -> None:
    protections.review_hardship(
        uow, hardship_id=item, measures=[HardshipMeasure(m) for m in v["measures"]], review_on=v["review_on"],
        business_date=today,
    )  # fmt: skip


DECISIONS: Mapping[tuple[str, str], Decide] = {
    ("hold", "release"): lambda uow, item, v, today, _: protections.release_hold(
        uow, hold_id=item, business_date=today
    ),
    ("hold", "extend"): lambda uow, item, v, today, _: protections.extend_hold(
        uow, hold_id=item, until_on=v["until_on"], business_date=today
    ),
    ("dispute", "answer"): lambda uow, item, v, today, _: protections.answer_dispute(
        uow, dispute_id=item, outcome=DisputeOutcome(v["outcome"]), evidence=v["evidence"], business_date=today
    ),
    ("complaint", "close"): _close_complaint,
    ("complaint", "extend"): lambda uow, item, v, today, _: protections.extend_complaint(
        uow, complaint_id=item, reason=v["reason"], business_date=today
    ),
    ("hardship", "review"): _review_hardship,
    ("hardship", "end"): lambda uow, item, v, today, _: protections.end_hardship(
        uow, hardship_id=item, reason=v["reason"], business_date=today
    ),
    ("moratorium", "end"): lambda uow, item, v, today, _: shields.end_moratorium(
        uow, moratorium_id=item, reason=v["reason"], event_on=v["event_on"], business_date=today
    ),
    ("stop", "release"): lambda uow, item, v, today, _: shields.release_stop(
        uow, stop_id=item, reason=ReleaseReason(v["reason"]), evidence=v["evidence"]
    ),
}
