"""Recovery, liquidation, amount cured and recovery after charge-off, by hand.

Batch "2026-01" of agency North, placed on 10 January 2026, as of 15 March (64 days later):

    A   balance 1,000, arrears 400   pays 100 on 20 Jan (day 10), 200 on 20 Feb (day 41); DPD 0 on 15 March
    B   balance 3,000, arrears 600   pays 300 on 1 Feb (day 22), taken back with that value date
                                     pays  50 on 10 Jan: the day of placement, already in the placed figures
    C   balance 1,000, arrears 200   pays  60 on 25 Jan (day 15), recalled on 31 Jan, pays 90 on 5 Feb: not the agency's

Day 30 is over: 100 + 300 - 300 + 60 = 160.   Day 60 is over: 160 + 200 = 360.   Day 90 is not.
"""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from collections_app.db.session import Database
from collections_app.db.tables import FeedBatch, Payment, Placement
from collections_app.db.unit_of_work import UnitsOfWork
from tests.factories import NOW, make_account, make_standing
from tests.queries.reports.asking import rows_of

AS_OF = date(2026, 3, 15)


def _batch(session: Any, day: date = AS_OF, at: datetime = NOW) -> int:
    batch = FeedBatch(
        source="test", entity="payments", mapping="own_feed", mapping_version=1, business_date=day, file_name="p.csv",
        sha256=f"{day}{at}"[:64], rows=1, accepted=1, quarantined=0, unchanged=0, imported_at=at,
    )  # fmt: skip
    session.add(batch)
    session.flush()
    return batch.id


def _pay(session: Any, batch_id: int, account_id: int, *, ref: str, amount: int, on: date, kind: str = "payment",
         status: str = "settled") -> None:  # fmt: skip
    session.add(
        Payment(source="test", payment_ref=ref, account_id=account_id, batch_id=batch_id, amount=amount,
                currency="USD", kind=kind, status=status, value_on=on)
    )  # fmt: skip


@pytest.fixture
def placed(units: UnitsOfWork) -> Database:
    with units.begin() as uow:
        session = uow.session
        batch = _batch(session)
        accounts = {}
        for ref, balance, arrears, dpd, recalled in (
            ("A", 1000, 400, 0, None), ("B", 3000, 600, 80, None), ("C", 1000, 200, 90, date(2026, 1, 31)),
        ):  # fmt: skip
            account = accounts[ref] = make_account(session).id
            session.add(
                Placement(account_id=account, placed_with="North", batch="2026-01", placed_on=date(2026, 1, 10),
                          recalled_on=recalled, placed_balance_amount=balance, placed_arrears_amount=arrears,
                          currency="USD")
            )  # fmt: skip
            make_standing(session, account_id=account, from_on=date(2026, 3, 1), dpd=dpd)
        for ref, account, amount, on, kind in (
            ("1", "A", 100, date(2026, 1, 20), "payment"), ("2", "A", 200, date(2026, 2, 20), "payment"),
            ("3", "B", 300, date(2026, 2, 1), "payment"), ("4", "B", 300, date(2026, 2, 1), "reversal"),
            ("5", "B", 50, date(2026, 1, 10), "payment"), ("6", "C", 60, date(2026, 1, 25), "payment"),
            ("7", "C", 90, date(2026, 2, 5), "payment"), ("8", "B", 40, date(2026, 2, 2), "waiver"),
        ):  # fmt: skip
            _pay(session, batch, accounts[account], ref=ref, amount=amount, on=on, kind=kind)
        _pay(session, batch, accounts["B"], ref="9", amount=70, on=date(2026, 2, 2), status="pending")
    return units.database


def test_liquidation_grows_by_days_since_placement_and_masks_what_is_not_over(placed: Database) -> None:
    rows = rows_of(placed, "liquidation", as_of=AS_OF)
    assert [(r["days"], r["cash_minor"], r["liquidation"]) for r in rows] == [
        (30, 160, 0.032), (60, 360, 0.072), (90, None, None), (180, None, None)
    ]  # fmt: skip
    assert {(r["placed_with"], r["batch"], r["placed"], r["placed_balance_minor"]) for r in rows} == {
        ("North", "2026-01", 3, 5000)
    }  # fmt: skip


def test_a_window_is_over_only_for_the_last_account_of_the_batch(placed: Database, units: UnitsOfWork) -> None:
    # A fourth account of the batch is placed on 1 March: 14 days ago. Nothing is over any more.
    with units.begin() as uow:
        uow.session.add(
            Placement(account_id=make_account(uow.session).id, placed_with="North", batch="2026-01",
                      placed_on=date(2026, 3, 1), placed_balance_amount=1000, placed_arrears_amount=100,
                      currency="USD")
        )  # fmt: skip
    assert {r["cash_minor"] for r in rows_of(placed, "liquidation", as_of=AS_OF)} == {None}


def test_recovery_divides_by_what_was_overdue_at_placement(placed: Database) -> None:
    # Arrears placed 400 + 600 + 200 = 1200. To date 360/1200 = 0.3; in 30 days 160/1200.
    # Cured: A alone has DPD 0: its opening arrears of 400, not the 300 that it paid: 400/1200.
    (row,) = rows_of(placed, "recovery", as_of=AS_OF)
    assert [row[c] for c in ("placed_arrears_minor", "cash_minor", "cash_30_minor", "cured_minor")] == [
        1200, 360, 160, 400
    ]  # fmt: skip
    assert [row[c] for c in ("recovery", "recovery_30", "cured_share")] == [0.3, 160 / 1200, 400 / 1200]


def test_cash_that_reached_us_later_was_not_known_then(placed: Database, units: UnitsOfWork) -> None:
    with units.begin() as uow:
        session = uow.session
        late = _batch(session, date(2026, 3, 20), datetime(2026, 3, 20, tzinfo=UTC))
        account = session.query(Placement.account_id).filter_by(placed_arrears_amount=600).scalar()
        _pay(session, late, account, ref="late", amount=240, on=date(2026, 2, 25))
    (now,) = rows_of(placed, "recovery", as_of=AS_OF)
    (then,) = rows_of(placed, "recovery", as_of=AS_OF, known_at=datetime(2026, 3, 16, tzinfo=UTC))
    assert (now["cash_minor"], then["cash_minor"]) == (600, 360)


def test_recovery_after_charge_off_is_by_the_month_of_charge_off(units: UnitsOfWork) -> None:
    # Charged off 1,000 on 5 October and 1,000 on 20 October 2025. Cash: 50 on 5 October (that day: not after),
    # 100 on 1 December (day 57 of the first), 200 on 1 March 2026 (day 132 of the second): 300/2000 to date.
    # As of 15 March, 135 days after 31 October: 90 days are over (100/2000), 180 are not.
    with units.begin() as uow:
        session = uow.session
        batch = _batch(session)
        for day, cash in (
            (5, [(50, date(2025, 10, 5)), (100, date(2025, 12, 1))]), (20, [(200, date(2026, 3, 1))])
        ):  # fmt: skip
            account = make_account(session, status="charged_off", charged_off_on=date(2025, 10, day),
                                   charged_off_amount=1000)  # fmt: skip
            for amount, on in cash:
                _pay(session, batch, account.id, ref=f"{day}-{on}", amount=amount, on=on, kind="writeoff_recovery")
    (row,) = rows_of(units.database, "charge-off-recovery", as_of=AS_OF)
    assert [row[c] for c in ("vintage", "accounts", "charged_off_minor", "cash_minor")] == ["2025-10", 2, 2000, 300]
    assert [row[c] for c in ("recovery", "recovery_90", "recovery_180", "recovery_360")] == [0.15, 0.05, None, None]
