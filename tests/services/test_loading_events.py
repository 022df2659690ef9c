"""What customers did comes in once, by their own clock, and never from the future."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from collections_app.db.tables import CustomerEvent, QuarantinedRow
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.intake.mapping import load_mapping
from collections_app.services.intake import ImportResult, import_file
from tests.feeds import account, customer, event, write_feed

DAY = date(2026, 3, 2)
OWN = load_mapping("own_feed")


def load(units: UnitsOfWork, folder: Path, day: date = DAY, **entities: Any) -> ImportResult:
    with units.begin() as uow:
        return import_file(
            uow, path=write_feed(folder, day, **entities), mapping=OWN, business_date=day, reject_limit=1.0
        )


def held(units: UnitsOfWork) -> list[CustomerEvent]:
    with units.database.reading() as session:
        return list(session.scalars(sa.select(CustomerEvent).order_by(CustomerEvent.event_ref)))


@pytest.fixture
def book(units: UnitsOfWork, tmp_path: Path) -> UnitsOfWork:
    load(units, tmp_path, customers=[customer("C1"), customer("C2", zones="Asia/Shanghai", regions="CN-31")],
         accounts=[account("A1", customer="C1", due=None, arrears=0),
                   account("A2", customer="C2", due=None, arrears=0)])  # fmt: skip
    return units


def test_an_event_is_dated_by_the_clock_of_the_customer(book: UnitsOfWork, tmp_path: Path) -> None:
    late = "2026-03-01T17:30:00.5Z"  # before noon in Chicago, past midnight in Shanghai
    rows = [event("E1", "A1", late), event("E2", "A2", late, kind="spend", amount=4_200)]
    assert load(book, tmp_path, events=rows).accepted == 2

    first, second = held(book)
    assert (first.kind, first.occurred_on, first.local_hour, first.amount) == ("login", date(2026, 3, 1), 11, None)
    assert (second.kind, second.occurred_on, second.local_hour, second.amount) == ("spend", DAY, 1, 4_200)
    assert {first.known_on, second.known_on} == {DAY}
    assert first.occurred_at.isoformat() == "2026-03-01T17:30:00.500000+00:00"


def test_what_is_told_again_changes_nothing(book: UnitsOfWork, tmp_path: Path) -> None:
    row = event("E1", "A1", "2026-03-01T12:00:00Z")
    load(book, tmp_path, events=[row])
    again = load(book, tmp_path, events=[{**row, "x_sent": 2}, event("E2", "A1", "2026-03-01T13:00:00Z")])
    assert (again.accepted, again.unchanged) == (2, 1)
    later = load(book, tmp_path, DAY + timedelta(days=1), events=[{**row, "kind": "card_unbound"}])

    assert later.unchanged == 1
    assert [(e.event_ref, e.kind, e.known_on) for e in held(book)] == [("E1", "login", DAY), ("E2", "login", DAY)]


def test_events_of_nobody_and_of_the_future_are_set_aside(book: UnitsOfWork, tmp_path: Path) -> None:
    rows = [
        event("E1", "A9", "2026-03-01T12:00:00Z"),
        event("E2", "A1", "2026-03-02T18:00:00Z"),  # an hour from now
        event("E3", "A1", "2026-03-01T12:00:00Z"),
        event("E4", "A1", "2026-03-01T12:00:00Z", kind="dance"),
    ]
    assert load(book, tmp_path, events=rows).quarantined == 3

    with book.database.reading() as session:
        reasons = {r.line: r.reason for r in session.scalars(sa.select(QuarantinedRow))}
    assert reasons[2] == "names an unknown account"
    assert reasons[3] == "lies in the future"
    assert set(reasons) == {2, 3, 5}
    assert [e.event_ref for e in held(book)] == ["E3"]


def test_a_file_of_an_earlier_day_cannot_tell_of_a_later_one(book: UnitsOfWork, tmp_path: Path) -> None:
    early = DAY - timedelta(days=10)
    result = load(book, tmp_path, early, events=[
        event("E1", "A1", f"{early}T23:00:00Z"),
        event("E2", "A1", f"{early + timedelta(days=1)}T05:00:00Z"),
        event("E3", "A1", f"{early + timedelta(days=2)}T05:00:00Z"),
    ])  # fmt: skip
    assert (result.accepted, result.quarantined) == (2, 1)
    assert {e.known_on for e in held(book)} == {early}
