"""The night of the ledger through real tables: derived, restated, aged; and what was believed before stays readable."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from collections_app.db.tables import (
    Account,
    AccountHistory,
    Instalment,
    LedgerDay,
    LedgerTask,
    Payment,
    PaymentAllocation,
)
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.intake.mapping import load_mapping
from collections_app.queries import invariants
from collections_app.queries.as_of import standings_as_of
from collections_app.services import ledger
from collections_app.services.intake import import_file
from tests import feeds
from tests.conftest import FixedClock
from tests.factories import make_account, make_episode, make_standing
from tests.loans import add_schedule, episode_rows, make_loan, pay, refresh, reverse, standing_rows

MAR, APR, MAY = date(2026, 3, 1), date(2026, 4, 1), date(2026, 5, 1)
DUES = {MAR: 1000, APR: 1000, MAY: 1000}


@pytest.fixture
def loan(units: UnitsOfWork) -> Account:
    with units.begin() as uow:
        return make_loan(uow.session, DUES)


def again(units: UnitsOfWork, account: Account) -> Account:
    with units.database.reading() as session:
        return session.get_one(Account, account.id)


def dpd_on(units: UnitsOfWork, account: Account, on: date, known_at: object = None) -> int | None:
    with units.database.reading() as session:
        stood = standings_as_of(on, known_at)  # type: ignore[arg-type]
        return session.scalar(sa.select(stood.c.dpd).where(stood.c.account_id == account.id))


def test_the_worked_example_stands_at_39(units: UnitsOfWork, loan: Account) -> None:
    pay(units, loan, "P1", 1500, date(2026, 5, 5))
    refresh(units, date(2026, 5, 10))
    now = again(units, loan)
    assert (now.dpd, now.bucket, now.arrears_amount, now.oldest_unpaid_due_on) == (39, "M2", 1500, APR)
    with units.database.reading() as session:
        instalments = session.scalars(sa.select(Instalment).order_by(Instalment.seq)).all()
        assert [(i.paid_amount, i.closed_on) for i in instalments] == [(1000, date(2026, 5, 5)), (500, None), (0, None)]
        lines = session.scalars(sa.select(PaymentAllocation).order_by(PaymentAllocation.line)).all()
        assert [(line.instalment_seq, line.component, line.amount) for line in lines] == [
            (1, "principal", 1000),
            (2, "principal", 500),
        ]
        assert session.scalars(sa.select(Payment.unapplied_amount)).one() is None
        assert episode_rows(session, loan) == [(date(2026, 3, 2), 64, None, None)]
        assert session.scalar(sa.select(sa.func.count()).select_from(LedgerTask)) == 0


def test_a_day_that_only_passes_writes_no_standing(units: UnitsOfWork, loan: Account) -> None:
    refresh(units, date(2026, 3, 20))
    with units.database.reading() as session:
        before = standing_rows(session, loan)
    done = refresh(units, date(2026, 3, 25))
    assert (done["aged"], done.get("derived", 0)) == (1, 0)
    now = again(units, loan)
    assert (now.dpd, now.as_of_on) == (24, date(2026, 3, 25))
    with units.database.reading() as session:
        assert standing_rows(session, loan) == before
        assert episode_rows(session, loan)[0][1] == 24
    assert dpd_on(units, loan, date(2026, 3, 25)) == 24


def test_an_instalment_that_falls_due_is_derived_without_being_asked_for(units: UnitsOfWork, loan: Account) -> None:
    refresh(units, date(2026, 2, 20))
    assert (again(units, loan).dpd, again(units, loan).next_due_on) == (0, MAR)
    assert refresh(units, MAR).get("derived", 0) == 0  # the due day itself is not past due
    assert refresh(units, date(2026, 3, 2))["episodes_opened"] == 1
    assert (again(units, loan).dpd, again(units, loan).arrears_amount) == (1, 1000)


def test_a_reversal_rewrites_the_past_from_its_value_date_and_keeps_what_was_known(
    units: UnitsOfWork, clock: FixedClock, loan: Account
) -> None:
    pay(units, loan, "P1", 1000, date(2026, 3, 10))
    refresh(units, date(2026, 3, 11))
    assert dpd_on(units, loan, date(2026, 3, 11)) == 0
    known = clock.now
    clock.now += timedelta(days=5)
    reverse(units, loan, "R1", "P1", 1000, date(2026, 3, 16))
    done = refresh(units, date(2026, 3, 16))
    assert done["episodes_reopened"] == 1
    assert again(units, loan).dpd == 15
    assert dpd_on(units, loan, date(2026, 3, 11)) == 10
    assert dpd_on(units, loan, date(2026, 3, 11), known) == 0
    with units.database.reading() as session:
        assert episode_rows(session, loan) == [(date(2026, 3, 2), 15, None, None)]
        assert standing_rows(session, loan)[-1] == (date(2026, 3, 2), 1, True, 1000)


def test_a_payment_that_comes_late_shows_that_an_episode_never_was(units: UnitsOfWork, loan: Account) -> None:
    refresh(units, date(2026, 3, 12))
    pay(units, loan, "P1", 1000, MAR)
    assert refresh(units, date(2026, 3, 13))["episodes_restated"] == 1
    assert again(units, loan).dpd == 0
    with units.database.reading() as session:
        assert episode_rows(session, loan) == [(date(2026, 3, 2), 11, date(2026, 3, 13), "restated")]
    reverse(units, loan, "R1", "P1", 1000, date(2026, 3, 20))
    refresh(units, date(2026, 3, 20))
    with units.database.reading() as session:  # and that it was, after all: the same row
        assert episode_rows(session, loan) == [(date(2026, 3, 2), 19, None, None)]


def test_two_episodes_become_one_when_what_parted_them_is_taken_back(units: UnitsOfWork, loan: Account) -> None:
    pay(units, loan, "P1", 1000, date(2026, 3, 10))
    refresh(units, date(2026, 4, 5))
    with units.database.reading() as session:
        assert [row[2:] for row in episode_rows(session, loan)] == [(date(2026, 3, 10), "cured"), (None, None)]
    reverse(units, loan, "R1", "P1", 1000, date(2026, 4, 6))
    refresh(units, date(2026, 4, 6))
    with units.database.reading() as session:
        assert episode_rows(session, loan) == [
            (date(2026, 3, 2), 36, None, None),
            (date(2026, 4, 2), 4, date(2026, 4, 6), "restated"),
        ]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_neither_order_nor_repetition_of_files_changes_the_end(
    units: UnitsOfWork, loan: Account, order: tuple[int, ...]
) -> None:
    files = [
        lambda: pay(units, loan, "P1", 700, date(2026, 3, 5)),
        lambda: pay(units, loan, "P2", 900, date(2026, 3, 20)),
        lambda: reverse(units, loan, "R2", "P2", 900, date(2026, 4, 2)),
        lambda: pay(units, loan, "P3", 400, date(2026, 4, 10)),
    ]
    for night, number in enumerate(order):
        files[number]()
        files[number]()
        refresh(units, date(2026, 4, 20) + timedelta(days=night))
    with units.database.reading() as session:
        assert standing_rows(session, loan) == [
            (date(2026, 3, 1), 0, False, 0),
            (date(2026, 3, 2), 1, True, 1000),
            (date(2026, 3, 5), 4, True, 300),
            (date(2026, 4, 2), 32, True, 1300),
            (date(2026, 4, 10), 9, True, 900),
        ]
        assert [row[2] for row in episode_rows(session, loan) if row[3] != "restated"] == [None]


def test_deriving_again_changes_nothing(units: UnitsOfWork, clock: FixedClock, loan: Account) -> None:
    pay(units, loan, "P1", 700, date(2026, 3, 5))
    refresh(units, date(2026, 4, 20))
    clock.now += timedelta(hours=1)
    done = refresh(units, date(2026, 4, 20), full=True)
    assert {k: v for k, v in done.items() if v} == {"derived": 1}


def test_another_schedule_takes_over_and_leaves_the_past(units: UnitsOfWork, clock: FixedClock, loan: Account) -> None:
    refresh(units, date(2026, 3, 20))
    clock.now += timedelta(days=1)
    with units.begin() as uow:
        account = uow.session.get_one(Account, loan.id)
        account.schedule_version, account.schedule_since_on = 2, date(2026, 3, 21)
        add_schedule(uow.session, account, {date(2026, 6, 1): 3000})
        uow.session.add(LedgerTask(account_id=loan.id, from_on=date(2026, 3, 21)))
    refresh(units, date(2026, 3, 22))
    assert (again(units, loan).dpd, again(units, loan).next_due_on) == (0, date(2026, 6, 1))
    assert [dpd_on(units, loan, date(2026, 3, d)) for d in (20, 21)] == [19, 0]
    with units.database.reading() as session:
        assert episode_rows(session, loan) == [(date(2026, 3, 2), 19, date(2026, 3, 21), "modified")]


def test_a_schedule_that_tells_of_older_arrears_opens_an_episode_when_it_takes_over(
    units: UnitsOfWork, clock: FixedClock, loan: Account
) -> None:
    # Overdue since 2 March; version 2 of 10 March makes it current; version 3 of 20 March knows of a due date on
    # 1 February. What was believed stays: 2-10 March, then nothing until the 20th, then 47 days past due.
    refresh(units, date(2026, 3, 9))
    for version, since, dues in (
        (2, date(2026, 3, 10), {date(2026, 6, 1): 3000}),
        (3, date(2026, 3, 20), {date(2026, 2, 1): 500, date(2026, 6, 1): 2500}),
    ):
        clock.now += timedelta(days=5)
        with units.begin() as uow:
            account = uow.session.get_one(Account, loan.id)
            account.schedule_version, account.schedule_since_on = version, since
            add_schedule(uow.session, account, dues)
            uow.session.add(LedgerTask(account_id=loan.id, from_on=since))
        refresh(units, since + timedelta(days=1))
    refresh(units, date(2026, 3, 25), full=True)
    assert [dpd_on(units, loan, date(2026, 3, d)) for d in (9, 10, 19, 20)] == [8, 0, 0, 47]
    with units.database.reading() as session:
        assert episode_rows(session, loan) == [
            (date(2026, 3, 2), 8, date(2026, 3, 10), "modified"),
            (date(2026, 3, 20), 52, None, None),
        ]
        assert not [f for f in invariants.check(session) if f.count and f.name != "case"]


def test_what_is_told_of_an_account_is_part_of_how_it_stood(units: UnitsOfWork, clock: FixedClock) -> None:
    with units.begin() as uow:
        loan = make_loan(uow.session, DUES, balance_amount=3000)
        then = {
            c.key: getattr(loan, c.key) for c in sa.inspect(AccountHistory).columns if c.key in loan.__mapper__.columns
        }
        uow.session.add(AccountHistory(account_id=loan.id, **{k: v for k, v in then.items() if k != "id"}))
        loan.balance_amount, loan.valid_from = 2500, clock.now + timedelta(days=10)
    refresh(units, date(2026, 3, 20))
    with units.database.reading() as session:
        for on, balance in ((date(2026, 3, 5), 3000), (date(2026, 3, 12), 2500)):
            stood = standings_as_of(on)
            row = session.execute(sa.select(stood).where(stood.c.account_id == loan.id)).one()
            assert (row.dpd, row.balance_amount) == ((on - MAR).days, balance)


def test_an_account_that_its_source_keeps_ages_while_the_feed_is_silent(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        told = make_account(uow.session, dpd=12, as_of_on=date(2026, 3, 2), oldest_unpaid_due_on=date(2026, 2, 18))
        make_standing(uow.session, account_id=told.id, from_on=date(2026, 3, 2), dpd=12, is_ageing=True)
        make_episode(uow.session, account_id=told.id)
        idle = make_account(uow.session, dpd=0, as_of_on=date(2026, 3, 2), oldest_unpaid_due_on=None)
    assert refresh(units, date(2026, 3, 22)) == {"aged": 1}
    assert (again(units, told).dpd, again(units, told).bucket, again(units, told).as_of_on) == (
        32,
        "M2",
        date(2026, 3, 2),
    )
    assert again(units, idle).dpd == 0
    with units.database.reading() as session:
        assert episode_rows(session, told)[0][1] == 32
        assert standing_rows(session, told) == [(date(2026, 3, 2), 12, True, 25_000)]


def test_the_ledger_never_goes_back(units: UnitsOfWork, loan: Account) -> None:
    refresh(units, date(2026, 4, 20))
    pay(units, loan, "P1", 1000, date(2026, 3, 3))
    refresh(units, date(2026, 3, 10))
    assert (again(units, loan).as_of_on, again(units, loan).dpd) == (date(2026, 4, 20), 19)


def test_a_payment_of_a_day_to_come_counts_when_that_day_comes(units: UnitsOfWork, loan: Account) -> None:
    pay(units, loan, "P1", 1000, date(2026, 3, 10))
    refresh(units, date(2026, 3, 5))
    assert (again(units, loan).dpd, again(units, loan).next_change_on) == (4, date(2026, 3, 10))
    refresh(units, date(2026, 3, 11))
    assert again(units, loan).dpd == 0


def test_how_an_account_stood_as_its_source_counted_is_left_when_its_schedule_is_told(
    units: UnitsOfWork, clock: FixedClock, tmp_path: Path
) -> None:
    first, later = date(2026, 3, 2), date(2026, 3, 20)
    told = feeds.account("A1", customer="C1", due=date(2026, 2, 20), arrears=900)
    night_of(units, feeds.write_feed(tmp_path, first, customers=[feeds.customer("C1")], accounts=[told]), first)
    refresh(units, later - timedelta(days=1))
    clock.now += timedelta(days=18)
    rows = [
        {"account_id": "A1", "seq": seq, "schedule_version": 1, "due_date": due.isoformat(), "principal_due": 900}
        for seq, due in enumerate((date(2026, 3, 10), date(2026, 4, 10)), start=1)
    ]
    night_of(units, feeds.write_feed(tmp_path, later, instalments=rows), later)
    with units.database.reading() as session:
        account = session.scalars(sa.select(Account)).one()
        assert (account.basis, account.dpd, account.schedule_since_on) == ("schedule", 10, later)
        # One spell: it began as its source said, and goes on by the schedule.
        assert episode_rows(session, account) == [(first, 27, None, None)]
    assert [dpd_on(units, account, on) for on in (first, later - timedelta(days=1), later)] == [10, 27, 10]


def night_of(units: UnitsOfWork, manifest: Path, day: date) -> None:
    with units.begin() as uow:
        import_file(uow, path=manifest, mapping=load_mapping("own_feed"), business_date=day)
        ledger.refresh(uow, business_date=day)


def test_two_refreshes_at_once_let_one_day_pass_once(units: UnitsOfWork, loan: Account) -> None:
    on = date(2026, 5, 10)

    def run(_: int) -> dict[str, int]:
        with units.begin() as uow:
            return ledger.refresh(uow, business_date=on)

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(run, range(2)))
    assert sorted(result.get("derived", 0) for result in done) == [0, 1]
    with units.database.reading() as session:
        assert session.scalars(sa.select(LedgerDay.business_date)).all() == [on]
