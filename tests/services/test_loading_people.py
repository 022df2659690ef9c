"""Contact points with their history, consents, placements and what agencies did."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from collections_app.db.tables import (
    Case,
    Consent,
    ContactAttempt,
    ContactPoint,
    ContactPointHistory,
    Customer,
    Placement,
    QuarantinedRow,
    StopFlag,
)
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.contact import Channel
from collections_app.domain.outcomes import Outcome
from collections_app.intake.mapping import load_mapping
from collections_app.queries.contact_history import best_points
from collections_app.services import casework
from collections_app.services.intake import ImportResult, import_file
from tests.feeds import account, customer, point, write_feed

DAY = date(2026, 3, 2)
NEXT = DAY + timedelta(days=1)
OWN = load_mapping("own_feed")
NUMBER = "+15125550001"


def load(units: UnitsOfWork, folder: Path, day: date = DAY, **entities: Any) -> ImportResult:
    with units.begin() as uow:
        return import_file(
            uow, path=write_feed(folder, day, **entities), mapping=OWN, business_date=day, reject_limit=1.0
        )


def the(units: UnitsOfWork, entity: Any, *order: Any) -> list[Any]:
    with units.database.reading() as session:
        return list(session.scalars(sa.select(entity).order_by(*order)))


def usable(units: UnitsOfWork) -> int:
    with units.database.reading() as session:
        return len(best_points(session, session.scalars(sa.select(Customer.id)).all(), Channel.VOICE))


@pytest.fixture
def book(units: UnitsOfWork, tmp_path: Path) -> UnitsOfWork:
    load(units, tmp_path, customers=[customer("C1")], contact_points=[point("C1", NUMBER)],
         accounts=[account("A1", customer="C1", due=DAY - timedelta(days=40), arrears=9_000)])  # fmt: skip
    with units.begin() as uow:
        casework.refresh(uow, business_date=DAY)
    return units


def test_a_customer_told_again_is_corrected_in_place(book: UnitsOfWork, tmp_path: Path) -> None:
    result = load(book, tmp_path, NEXT, customers=[customer("C1", zones="America/Denver|America/Chicago")])
    assert (result.unchanged, the(book, Customer)[0].zones) == (0, ["America/Denver", "America/Chicago"])
    again = load(book, tmp_path, NEXT, customers=[customer("C1", zones="America/Denver|America/Chicago", x_n=1)])
    assert again.unchanged == 1


def test_what_was_said_of_a_point_stays_readable(book: UnitsOfWork, tmp_path: Path) -> None:
    load(book, tmp_path, NEXT, contact_points=[point("C1", NUMBER, owner="third_party", rank=3)])
    load(book, tmp_path, DAY - timedelta(days=9), contact_points=[point("C1", NUMBER, owner="unknown")])
    (now,) = the(book, ContactPoint)
    assert (now.owner, now.rank, now.valid_from) == ("third_party", 3, datetime(2026, 3, 3, tzinfo=UTC))
    before = the(book, ContactPointHistory, ContactPointHistory.valid_from)
    assert [(p.owner, p.rank) for p in before] == [("unknown", 1), ("debtor", 1)]


def test_a_point_that_was_taken_back_is_never_used_until_it_is_told_again(book: UnitsOfWork, tmp_path: Path) -> None:
    assert usable(book) == 1
    load(book, tmp_path, NEXT, contact_points=[point("C1", NUMBER, op="delete")])
    assert (usable(book), the(book, ContactPoint)[0].withdrawn_at is None) == (0, False)
    load(book, tmp_path, NEXT + timedelta(days=1), contact_points=[point("C1", NUMBER, op="upsert")])
    assert (usable(book), len(the(book, ContactPointHistory))) == (1, 2)


def test_a_consent_is_revoked_by_its_day(book: UnitsOfWork, tmp_path: Path) -> None:
    load(book, tmp_path, NEXT, contact_points=[point("C1", NUMBER, consent_revoked_at="2026-03-02T20:00:00Z")])
    (consent,) = the(book, Consent)
    assert consent.revoked_at == datetime(2026, 3, 2, 20, tzinfo=UTC)


def placed(**over: Any) -> dict[str, Any]:
    return {"account_id": "A1", "placed_with": "Agency One", "batch": "2026-03", "placed_on": DAY.isoformat(),
            "placed_balance": 200_000, "placed_arrears": 9_000, "recalled_on": "", **over}  # fmt: skip


def test_what_was_placed_is_fixed_and_an_account_has_one_place(book: UnitsOfWork, tmp_path: Path) -> None:
    with book.begin() as uow:
        before = uow.session.scalars(sa.select(Placement).where(Placement.recalled_on.is_(None))).all()
        assert {p.placed_with for p in before} <= {"house"}
    load(book, tmp_path, placements=[placed()])
    load(book, tmp_path, placements=[placed(placed_balance=1), placed(placed_with="Agency Two", x_n=1)][:1])
    load(book, tmp_path, placements=[placed(placed_with="Agency Two")])
    reasons = [(r.column, r.reason) for r in the(book, QuarantinedRow, QuarantinedRow.id)]
    assert reasons == [("placed_balance_amount", "differs from what was placed, which is fixed"),
                       ("placed_with", "is placed with another agency; send its recalled_on first")]  # fmt: skip
    load(book, tmp_path, placements=[placed(recalled_on=NEXT.isoformat())])
    load(book, tmp_path, NEXT, placements=[placed(placed_with="Agency Two", placed_on=NEXT.isoformat())])
    agencies = [p for p in the(book, Placement, Placement.id) if p.placed_with != "house"]
    assert [(p.placed_with, p.recalled_on) for p in agencies] == [("Agency One", NEXT), ("Agency Two", None)]
    assert all(p.recalled_on for p in the(book, Placement) if p.placed_with == "house")


def call(ref: str, **over: Any) -> dict[str, Any]:
    return {"attempt_id": ref, "account_id": "A1", "agency": "Agency One", "channel": "voice", "point_kind": "mobile",
            "point_value": NUMBER, "started_at": "2026-03-02T15:30:00Z", "outcome": "no_answer", "disposition": "",
            **over}  # fmt: skip


def test_what_an_agency_did_counts_with_ours_and_binds_us(book: UnitsOfWork, tmp_path: Path) -> None:
    load(book, tmp_path, placements=[placed()])
    calls = [call("T1"), call("T2", outcome="rpc", disposition="attorney"),
             call("T3", point_value="+15125559999")]  # fmt: skip
    load(book, tmp_path, agency_activity=calls)
    load(book, tmp_path, agency_activity=[{**calls[0], "x_n": 1}])
    attempts = the(book, ContactAttempt, ContactAttempt.id)
    assert sorted(str(a.outcome) for a in attempts) == ["no_answer", "no_answer", "rpc"]
    assert {(a.actor_kind, a.actor_ref, str(a.collector_role)) for a in attempts} == {
        ("agency", "Agency One", "third_party")
    }
    assert {a.local_date for a in attempts} == {DAY}
    assert {a.case_id for a in attempts} == {the(book, Case)[0].id}
    assert [f.code.value for f in the(book, StopFlag)] == ["attorney"]
    theirs = [p for p in the(book, ContactPoint) if p.value == "+15125559999"]
    assert [(p.owner, p.source) for p in theirs] == [("unknown", "agency")]


@pytest.mark.parametrize(
    ("over", "reason"),
    [
        ({"agency": "Agency Two"}, "the account was not placed with this agency on that day"),
        ({"started_at": "2026-03-01T15:30:00Z"}, "the account was not placed with this agency on that day"),
        ({"started_at": "2026-03-02T17:30:00Z"}, "lies in the future"),
        ({"disposition": "ptp"}, "needs a conversation with the customer as outcome"),
    ],
)
def test_an_attempt_that_cannot_have_been_is_refused(
    book: UnitsOfWork, tmp_path: Path, over: dict[str, Any], reason: str
) -> None:
    load(book, tmp_path, placements=[placed()])
    load(book, tmp_path, agency_activity=[call("T1", **over)])
    assert [r.reason for r in the(book, QuarantinedRow)] == [reason]
    assert the(book, ContactAttempt) == []


def test_every_outcome_of_the_catalogue_can_be_told(book: UnitsOfWork, tmp_path: Path) -> None:
    load(book, tmp_path, placements=[placed()])
    load(book, tmp_path, agency_activity=[call(f"T{n}", outcome=o.value) for n, o in enumerate(Outcome)])
    assert {a.outcome for a in the(book, ContactAttempt)} == set(Outcome)
    assert the(book, ContactPoint)[0].quality in ("disconnected", "wrong_party")
