"""Payments are facts: the order of files does not matter, a contradiction is refused; schedules have versions."""

from datetime import date, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from collections_app.db.tables import Account, Instalment, LedgerTask, Payment, QuarantinedRow
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.intake.mapping import load_mapping
from collections_app.services.intake import ImportResult, import_file
from tests.feeds import account, customer, payment, write_feed

DAY = date(2026, 3, 2)
OWN = load_mapping("own_feed")


def load(units: UnitsOfWork, folder: Path, day: date = DAY, limit: float = 1.0, **entities: Any) -> ImportResult:
    with units.begin() as uow:
        return import_file(
            uow, path=write_feed(folder, day, **entities), mapping=OWN, business_date=day, reject_limit=limit
        )


def the(units: UnitsOfWork, entity: Any, *order: Any) -> list[Any]:
    with units.database.reading() as session:
        return list(session.scalars(sa.select(entity).order_by(*order)))


@pytest.fixture
def book(units: UnitsOfWork, tmp_path: Path) -> UnitsOfWork:
    load(units, tmp_path, customers=[customer("C1")],
         accounts=[account("A1", customer="C1", due=None, arrears=0),
                   account("A2", customer="C1", due=None, arrears=0, due_roll="following")])  # fmt: skip
    return units


STAGES = [
    payment("P1", "A1", 500, DAY, status="initiated", initiated_at="2026-03-02T08:00:00Z"),
    payment("P1", "A1", 500, DAY, status="pending", initiated_at=""),
    payment("P1", "A1", 700, DAY + timedelta(days=1), status="pending", initiated_at=""),
    payment("P1", "A1", 500, DAY, status="failed", initiated_at=""),
    payment("P1", "A1", 600, DAY + timedelta(days=2), status="settled", initiated_at=""),
]


@pytest.mark.parametrize("order", [p for i, p in enumerate(permutations(range(5))) if i % 17 == 0])
def test_the_order_of_files_does_not_change_what_stands(
    book: UnitsOfWork, tmp_path: Path, order: tuple[int, ...]
) -> None:
    for n in (*order, order[0]):
        load(book, tmp_path, payments=[{**STAGES[n], "x_n": n}])
    (held,) = the(book, Payment)
    assert (held.status, held.amount, held.value_on) == ("settled", 600, DAY + timedelta(days=2))
    assert [t.from_on for t in the(book, LedgerTask)] == [DAY + timedelta(days=2)]


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_of_two_words_on_one_stage_the_later_dated_stands(
    book: UnitsOfWork, tmp_path: Path, order: tuple[int, int]
) -> None:
    for n in order:
        load(book, tmp_path, payments=[STAGES[n]])
    assert [(p.status, p.amount) for p in the(book, Payment)] == [("pending", 700)]
    assert the(book, LedgerTask) == []  # what is not settled moves nothing


@pytest.mark.parametrize("over", [{"amount": 501}, {"value_date": "2026-03-01"}, {"account_id": "A2"}])
def test_a_row_that_contradicts_what_was_booked_is_refused(
    book: UnitsOfWork, tmp_path: Path, over: dict[str, Any]
) -> None:
    load(book, tmp_path, payments=[payment("P1", "A1", 500, DAY)])
    result = load(book, tmp_path, payments=[{**payment("P1", "A1", 500, DAY), **over}])
    assert (result.accepted, result.quarantined) == (0, 1)
    (row,) = the(book, QuarantinedRow)
    assert (row.line, row.reason) == (2, "contradicts what was booked; send a reversal")
    assert the(book, Payment)[0].amount == 500


@pytest.mark.parametrize(
    ("row", "column"),
    [
        (payment("P2", "A1", 500, DAY, ccy="EUR"), "currency"),
        (payment("R1", "A1", 500, DAY, kind="reversal", reverses_payment_id="P1", ccy="JPY"), "currency"),
        (payment("R1", "A2", 500, DAY, kind="chargeback", reverses_payment_id="P1"), "reverses_ref"),
    ],
)
def test_money_of_another_currency_or_another_account_takes_nothing_back(
    book: UnitsOfWork, tmp_path: Path, row: dict[str, Any], column: str
) -> None:
    load(book, tmp_path, payments=[payment("P1", "A1", 500, DAY)])
    result = load(book, tmp_path, payments=[row, payment("P3", "A1", 5, DAY)])
    assert (result.accepted, [r.column for r in the(book, QuarantinedRow)]) == (1, [column])


def test_the_payment_of_another_account_may_stand_in_the_same_file(book: UnitsOfWork, tmp_path: Path) -> None:
    rows = [payment("R1", "A2", 500, DAY, kind="reversal", reverses_payment_id="P1"), payment("P1", "A1", 500, DAY)]
    assert load(book, tmp_path, payments=rows).quarantined == 1


def test_the_same_payment_again_is_no_contradiction(book: UnitsOfWork, tmp_path: Path) -> None:
    load(book, tmp_path, payments=[payment("P1", "A1", 500, DAY)])
    result = load(book, tmp_path, payments=[{**payment("P1", "A1", 500, DAY), "x_again": 1}])
    assert (result.accepted, result.unchanged, result.quarantined) == (1, 1, 0)


@pytest.mark.parametrize("reversal_first", [True, False])
def test_a_reversal_may_come_before_its_payment(book: UnitsOfWork, tmp_path: Path, reversal_first: bool) -> None:
    early = DAY - timedelta(days=20)
    rows = [payment("P1", "A1", 500, early),
            payment("R1", "A1", 500, DAY, kind="reversal", reverses_payment_id="P1")]  # fmt: skip
    for row in reversed(rows) if reversal_first else rows:
        load(book, tmp_path, payments=[row])
        if row is rows[0] and not reversal_first:
            with book.begin() as uow:
                uow.session.execute(sa.delete(LedgerTask))
    assert [t.from_on for t in the(book, LedgerTask)] == [early]


def test_a_payment_of_an_unknown_account_is_refused(book: UnitsOfWork, tmp_path: Path) -> None:
    result = load(book, tmp_path, payments=[payment("P1", "A9", 500, DAY), payment("P2", "A1", 500, DAY)])
    assert (result.accepted, result.quarantined) == (1, 1)


def instalment(ref: str, seq: int, due: date, amount: int, **over: Any) -> dict[str, Any]:
    return {"account_id": ref, "seq": seq, "due_date": due.isoformat(), "schedule_version": 1,
            "principal_due": amount, **over}  # fmt: skip


def test_instalments_make_the_account_ours_and_roll_off_the_weekend(book: UnitsOfWork, tmp_path: Path) -> None:
    saturday = date(2026, 3, 7)
    load(book, tmp_path, instalments=[instalment("A1", 1, saturday, 100), instalment("A2", 1, saturday, 100)])
    rows = the(book, Instalment, Instalment.account_id)
    assert [(r.contract_due_on, r.due_on) for r in rows] == [(saturday, saturday), (saturday, date(2026, 3, 9))]
    assert {(a.basis, a.schedule_version) for a in the(book, Account)} == {("schedule", 1)}


def test_a_corrected_instalment_is_derived_again_from_the_earlier_of_its_dates(
    book: UnitsOfWork, tmp_path: Path
) -> None:
    rows = [instalment("A1", n, DAY + timedelta(days=30 * n), 100) for n in (1, 2, 3)]
    load(book, tmp_path, instalments=rows)
    with book.begin() as uow:
        uow.session.execute(sa.delete(LedgerTask))
    rows[1] = instalment("A1", 2, DAY + timedelta(days=70), 120)
    result = load(book, tmp_path, instalments=rows)
    assert (result.unchanged, [t.from_on for t in the(book, LedgerTask)]) == (2, [DAY + timedelta(days=60)])
    assert [r.principal_due_amount for r in the(book, Instalment, Instalment.seq)] == [100, 120, 100]


def test_a_new_version_holds_and_moves_the_account_from_its_first_due_date(book: UnitsOfWork, tmp_path: Path) -> None:
    load(book, tmp_path, instalments=[instalment("A1", 1, DAY - timedelta(days=40), 100)])
    load(book, tmp_path, instalments=[instalment("A1", 1, DAY + timedelta(days=40), 100, schedule_version=2)])
    load(book, tmp_path, instalments=[instalment("A1", 2, DAY, 100, schedule_version=1)])
    assert the(book, Account, Account.account_ref)[0].schedule_version == 2
    assert the(book, LedgerTask)[0].from_on == DAY - timedelta(days=40)
    assert len(the(book, Instalment)) == 3


def test_a_version_left_out_is_the_first_one_also_where_a_row_is_repeated(book: UnitsOfWork, tmp_path: Path) -> None:
    rows = [instalment("A1", 1, DAY, 700), instalment("A1", 1, DAY, 800, schedule_version="")]
    result = load(book, tmp_path, instalments=rows)
    assert (result.accepted, result.quarantined) == (1, 1)
    assert [i.principal_due_amount for i in the(book, Instalment)] == [700]


def test_the_version_before_holds_again_when_the_newest_is_taken_back_whole(book: UnitsOfWork, tmp_path: Path) -> None:
    load(book, tmp_path, instalments=[instalment("A1", 1, DAY, 700)])
    newest = [instalment("A1", seq, DAY, 9, schedule_version=2) for seq in (1, 2)]
    load(book, tmp_path, instalments=newest)
    load(book, tmp_path, instalments=[{**newest[0], "op": "delete"}])
    assert the(book, Account, Account.account_ref)[0].schedule_version == 2
    load(book, tmp_path, instalments=[{**row, "op": "delete", "x_n": 1} for row in newest])
    assert the(book, Account, Account.account_ref)[0].schedule_version == 1


def test_an_instalment_can_be_taken_back(book: UnitsOfWork, tmp_path: Path) -> None:
    load(book, tmp_path, instalments=[instalment("A1", n, DAY, 100) for n in (1, 2)])
    load(book, tmp_path, instalments=[{**instalment("A1", 2, DAY, 100), "op": "delete"}])
    assert [r.seq for r in the(book, Instalment)] == [1]


def test_only_the_lender_sends_reversals_of_the_past(book: UnitsOfWork, tmp_path: Path) -> None:
    load(book, tmp_path, payments=[payment("P1", "A1", 500, DAY)])
    with pytest.raises(Exception, match="payments are facts; send a reversal"):
        load(book, tmp_path, limit=0.005, payments=[{**payment("P1", "A1", 500, DAY), "op": "delete"}])
