"""What was true on a day, as far as it was known at an instant: late corrections change the one, not the other."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from collections_app.db.tables import Account, AccountHistory, ContactPoint
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.intake.mapping import load_mapping
from collections_app.queries.as_of import accounts_as_of, contact_points_as_of
from collections_app.services.intake import import_file
from tests.conftest import FixedClock
from tests.feeds import account, customer, point, write_feed

OWN = load_mapping("own_feed")
D1, D2, D3, D4 = (date(2026, 3, d) for d in (2, 3, 4, 5))


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def tell(units: UnitsOfWork, clock: FixedClock, folder: Path, on: date, known: date, **entities: Any) -> None:
    clock.now = noon(known) + timedelta(hours=1)
    with units.begin() as uow:
        import_file(uow, path=write_feed(folder, on, **entities), mapping=OWN, business_date=on)


def arrears(units: UnitsOfWork, at: date, known: date | None = None) -> int | None:
    with units.database.reading() as session:
        asked = accounts_as_of(noon(at), None if known is None else noon(known) + timedelta(hours=2))
        amount: int | None = session.scalar(sa.select(asked.c.arrears_source_amount))
        return amount


@pytest.fixture
def told(units: UnitsOfWork, clock: FixedClock, tmp_path: Path) -> UnitsOfWork:
    """Told on the 2nd: 100. On the 4th: 300 of the 4th. On the 5th, late: it had been 200 since the 3rd."""
    tell(units, clock, tmp_path, D1, D1, customers=[customer("C1")],
         accounts=[account("A1", customer="C1", due=None, arrears=100)])  # fmt: skip
    tell(units, clock, tmp_path, D3, D3, accounts=[account("A1", customer="C1", due=None, arrears=300)])
    tell(units, clock, tmp_path, D2, D4, accounts=[account("A1", customer="C1", due=None, arrears=200)])
    return units


@pytest.mark.parametrize(
    ("at", "known", "amount"),
    [
        (D1, None, 100), (D2, None, 200), (D3, None, 300), (D4, None, 300),  # what was true, as we know now
        (D2, D3, 100), (D3, D3, 300), (D3, D2, 100), (D2, D4, 200),  # what we believed then
        (date(2026, 3, 1), None, None), (D1, date(2026, 3, 1), None),
    ],
)  # fmt: skip
def test_a_late_correction_changes_the_past_but_not_what_was_believed(
    told: UnitsOfWork, at: date, known: date | None, amount: int | None
) -> None:
    assert arrears(told, at, known) == amount


def test_of_two_words_on_the_same_time_the_later_told_counts(
    units: UnitsOfWork, clock: FixedClock, tmp_path: Path
) -> None:
    tell(units, clock, tmp_path, D1, D1, customers=[customer("C1")],
         accounts=[account("A1", customer="C1", due=None, arrears=100)])  # fmt: skip
    tell(units, clock, tmp_path, D1, D2, accounts=[account("A1", customer="C1", due=None, arrears=150)])
    assert (arrears(units, D1), arrears(units, D1, D1)) == (150, 100)


def test_only_the_accounts_asked_for_are_read(told: UnitsOfWork) -> None:
    with told.database.reading() as session:
        nobody = sa.select(Account.id.label("account_id")).where(Account.id < 0).subquery()
        assert session.execute(sa.select(accounts_as_of(noon(D4), among=nobody).c.account_id)).all() == []
        everybody = sa.select(Account.id.label("account_id")).subquery()
        asked = accounts_as_of(noon(D4), among=everybody)
        joined = sa.select(Account.account_ref, asked.c.status).join(asked, asked.c.account_id == Account.id)
        assert session.execute(joined).all() == [("A1", "active")]


def test_a_point_is_as_it_was_said_then(units: UnitsOfWork, clock: FixedClock, tmp_path: Path) -> None:
    number = "+15125550001"
    tell(units, clock, tmp_path, D1, D1, customers=[customer("C1")], contact_points=[point("C1", number)])
    tell(units, clock, tmp_path, D3, D3, contact_points=[point("C1", number, owner="third_party")])
    tell(units, clock, tmp_path, D4, D4, contact_points=[point("C1", number, op="delete")])

    def said(at: date, known: date | None = None) -> tuple[str, bool] | None:
        asked = contact_points_as_of(noon(at), None if known is None else noon(known) + timedelta(hours=2))
        with units.database.reading() as session:
            row = session.execute(sa.select(asked.c.owner, asked.c.withdrawn_at, asked.c.value)).one_or_none()
        return None if row is None else (row.owner, row.withdrawn_at is not None)

    assert said(D2) == ("debtor", False)
    assert said(D3) == ("third_party", False)
    assert said(D4) == ("debtor", True)
    assert said(D4, D3) == ("third_party", False)
    assert said(date(2026, 3, 1)) is None


def test_a_point_whose_beginning_nobody_told_has_always_been_so(units: UnitsOfWork) -> None:
    from tests.factories import make_point

    with units.begin() as uow:
        made = make_point(uow.session, valid_from=None, recorded_at=None)
    with units.database.reading() as session:
        asked = contact_points_as_of(noon(date(2020, 1, 1)), noon(date(2020, 1, 1)))
        assert session.scalars(sa.select(asked.c.contact_point_id)).all() == [made.id]
        assert session.scalar(sa.select(ContactPoint.valid_from)) is None


_WORD = st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 9))


@settings(max_examples=60)
@given(st.lists(_WORD, min_size=1, max_size=6), st.integers(0, 3), st.integers(0, 3))
def test_the_door_gives_the_answer_of_its_definition(words: list[tuple[int, int, int]], at: int, known: int) -> None:
    """Random words (valid day, known day, value) against the definition, written down plainly."""
    engine = sa.create_engine("sqlite://")
    Account.metadata.create_all(engine, tables=[Account.__table__, AccountHistory.__table__])  # type: ignore[list-item]
    days = (D1, D2, D3, D4)
    version: dict[str, Any] = {"creditor": "B", "collector_role": "first_party", "product_family": "card",
                               "currency": "USD", "balance_amount": 0, "status": "active", "row_hash": 0}  # fmt: skip
    rows = [{**version, "valid_from": noon(days[v]), "recorded_at": noon(days[k]), "arrears_source_amount": amount}
            for v, k, amount in words]  # fmt: skip
    told = [(days[v], days[k], n, amount) for n, (v, k, amount) in enumerate(words)]
    # The word of the latest time is the present one, whatever was told after it.
    present = max(range(len(words)), key=lambda n: told[n][:3])
    with engine.begin() as connection:
        for n, row in enumerate(rows):
            if n == present:
                base = {"id": 1, "source": "s", "account_ref": "a", "customer_id": 1, "bucket_table": "cn",
                        "arrears_amount": 0, "dpd": 0, "bucket": "M0", "as_of_on": D1}  # fmt: skip
                connection.execute(sa.insert(Account), [row | base])
            else:
                connection.execute(sa.insert(AccountHistory), [row | {"account_id": 1}])
        asked = accounts_as_of(noon(days[at]), noon(days[known]))
        found = connection.execute(sa.select(asked.c.arrears_source_amount)).scalar_one_or_none()
    eligible = [t for n, t in enumerate(told) if t[0] <= days[at] and t[1] <= days[known]]
    expected = max(eligible, key=lambda t: (t[0], t[1], t[2]))[3] if eligible else None
    assert found == expected
