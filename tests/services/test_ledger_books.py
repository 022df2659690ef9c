"""Random books through the database: night after night is the same as all at once, and what the tables say agrees."""

import random
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.session import Database
from collections_app.db.tables import (
    Account,
    AccountHistory,
    AccountStanding,
    DelinquencyPause,
    Episode,
    Instalment,
    LedgerTask,
    Payment,
    PaymentAllocation,
)
from collections_app.db.unit_of_work import UnitOfWork, UnitsOfWork
from collections_app.domain.permissions import SYSTEM, Actor
from collections_app.ledger.engine import derive
from collections_app.services import ledger
from collections_app.services.derivation import facts
from collections_app.services.ledger_tasks import touch_account
from tests.conftest import FixedClock
from tests.factories import make_account
from tests.loans import make_batch, refresh

FIRST, NIGHTS, ACCOUNTS = date(2026, 1, 5), 9, 40
_KINDS = ["payment"] * 8 + ["refund", "waiver", "writeoff_recovery"]


def midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=UTC)


class Lender:
    """Tells facts of random accounts in a random order; ``night`` books what one night brings."""

    def __init__(self, units: UnitsOfWork, seed: int) -> None:
        self.units, self.chance, self.serial = units, random.Random(seed), 0
        with units.begin() as uow:
            self.batch = make_batch(uow.session, FIRST, uow.now).id
            self.accounts = [self._account(uow.session) for _ in range(ACCOUNTS)]
        self.booked: list[tuple[str, int, int]] = []

    def _account(self, session: Any) -> int:
        pick = self.chance.choice
        account: Account = make_account(
            session, basis="schedule", schedule_version=1, dpd=0, arrears_amount=0, dpd_source=None,
            oldest_unpaid_due_on=None, opened_on=None, product_family=pick(["instalment", "card", "auto"]),
            currency=pick(["USD", "CNY", "EUR"]), bucket_table=pick(["cn", "intl"]), grace_days=pick([None, 0, 4]),
            tolerance_amount=pick([None, 0, 30]), bucket="M0", valid_from=midnight(FIRST),
        )  # fmt: skip
        day = FIRST + timedelta(days=self.chance.randint(-90, 20))
        for seq in range(1, self.chance.randint(2, 7)):
            due = {c: self.chance.choice([0, 50, 400]) for c in ("fee", "interest", "principal")}
            session.add(Instalment(account_id=account.id, schedule_version=1, seq=seq, due_on=day,
                                   **{f"{c}_due_amount": amount for c, amount in due.items()}))  # fmt: skip
            day += timedelta(days=self.chance.choice([7, 30, 31]))
        session.add(LedgerTask(account_id=account.id, from_on=facts.EVER))
        return account.id

    def night(self, today: date) -> None:
        with self.units.begin() as uow:
            for _ in range(12):
                self._payment(uow.session, today)
            refs = pl.DataFrame({"payment_ref": [ref for ref, _, _ in self.booked[-12:]]})
            ledger.touch_payments(uow.session, bulk.stage(uow.session, "staged_booked", refs), source="test")
            for account_id in self.chance.sample(self.accounts, 2):
                self._pause(uow, account_id, today)
            for account_id in self.chance.sample(self.accounts, 2):
                self._told(uow, account_id, today)

    def _payment(self, session: Any, today: date) -> None:
        self.serial += 1
        ref, amount = f"P{self.serial:04}", self.chance.choice([50, 300, 450, 900])
        account_id, kind, undone = self.chance.choice(self.accounts), self.chance.choice(_KINDS), None
        if self.booked and self.chance.random() < 0.25:
            undone, account_id, amount = self.chance.choice(self.booked)
            kind = "chargeback"
        value_on = today + timedelta(days=self.chance.choice([0, -1, -1, -3, -20, 4]))
        session.add(Payment(source="test", payment_ref=ref, account_id=account_id, batch_id=self.batch, amount=amount,
                            currency="USD", kind=kind, status=self.chance.choice(["settled"] * 5 + ["failed"]),
                            value_on=value_on, reverses_ref=undone))  # fmt: skip
        session.flush()
        self.booked.append((ref, account_id, amount))

    def _pause(self, uow: Any, account_id: int, today: date) -> None:
        first = today + timedelta(days=self.chance.randint(-10, 10))
        last = self.chance.choice([None, first + timedelta(days=self.chance.randint(0, 12))])
        uow.session.add(DelinquencyPause(account_id=account_id, from_on=first, until_on=last, reason="r", set_by="x",
                                         set_at=uow.now))  # fmt: skip
        touch_account(uow, account_id, from_on=first)

    def _told(self, uow: Any, account_id: int, today: date) -> None:
        """Another balance, and sometimes the end of the account."""
        account = uow.session.get(Account, account_id)
        before = {c.name: getattr(account, c.name) for c in table_of(AccountHistory).c if c.name in table_of(Account).c}
        uow.session.add(AccountHistory(account_id=account_id, **{n: v for n, v in before.items() if n != "id"}))
        account.valid_from, account.recorded_at = midnight(today), uow.now
        account.balance_amount += self.chance.choice([-500, 700])
        account.status = self.chance.choice(["active"] * 4 + ["closed"]) if account.status == "active" else "closed"
        touch_account(uow, account_id, from_on=today)


_LEFT_OUT = {"as_of_on", "valid_from", "recorded_at", "id", "known_from", "known_until", "batch_id", "case_id"}


def the_book(database: Database) -> dict[str, list[Any]]:
    """Return everything derived that is believed now; of episodes those that count."""
    with database.reading() as session:
        told: dict[str, list[Any]] = {}
        for entity, where in (
            (Account, sa.true()),
            (Instalment, sa.true()),
            (Payment, sa.true()),
            (PaymentAllocation, sa.true()),
            (AccountStanding, AccountStanding.known_until.is_(None)),
            (Episode, sa.or_(Episode.end_reason.is_(None), sa.cast(Episode.end_reason, sa.String) != "restated")),
        ):
            table = table_of(entity)
            columns = [c for c in table.c if c.name not in _LEFT_OUT]
            told[table.name] = sorted(map(repr, session.execute(sa.select(*columns).where(where))))
        return told


@pytest.mark.parametrize("seed", range(3))
def test_night_after_night_comes_to_the_same_as_deriving_everything(
    units: UnitsOfWork, clock: FixedClock, seed: int
) -> None:
    lender = Lender(units, seed)
    today = FIRST
    for _ in range(NIGHTS):
        clock.now += timedelta(days=1)
        today += timedelta(days=lender.chance.choice([1, 1, 3, 11]))
        lender.night(today)
        refresh(units, today)
        agrees(units, today)
    incremental = the_book(units.database)
    clock.now += timedelta(days=1)
    refresh(units, today, full=True)
    at_once = the_book(units.database)
    for table, rows in incremental.items():
        assert (table, sorted(set(rows) ^ set(at_once[table]))) == (table, [])


class Killed(Exception):
    """The process is gone."""


class MortalUnits(UnitsOfWork):
    """Units of work of a process that dies when it begins its n-th."""

    def __init__(self, units: UnitsOfWork, lives: int) -> None:
        super().__init__(units.database, units.clock)
        self.lives = lives

    def begin(self, actor: Actor = SYSTEM) -> UnitOfWork:
        self.lives -= 1
        if self.lives == 0:
            raise Killed
        return super().begin(actor)


def test_a_book_whose_derivation_was_killed_is_finished_by_the_next_run(units: UnitsOfWork) -> None:
    lender = Lender(units, 11)
    lender.night(FIRST)
    for lives in (2, 4, 3, 6):
        with pytest.raises(Killed):
            ledger.refresh_book(MortalUnits(units, lives), business_date=FIRST, chunk=4)
    with units.begin() as uow:
        left = uow.session.scalar(sa.select(sa.func.count()).select_from(LedgerTask))
        assert left is not None
        assert 0 < left < ACCOUNTS
    ledger.refresh_book(units, business_date=FIRST, chunk=4)
    agrees(units, FIRST)
    resumed = the_book(units.database)
    refresh(units, FIRST, full=True)
    assert the_book(units.database) == resumed


def agrees(units: UnitsOfWork, today: date) -> None:
    """Hold the tables against their definitions: one sum and one count for each (domain brief §8.20, 1 and 2)."""
    with units.begin() as uow:
        session = uow.session
        lines = sa.select(sa.func.sum(PaymentAllocation.amount)).where(PaymentAllocation.payment_id == Payment.id)
        undone = sa.alias(table_of(Payment))
        back = sa.select(sa.func.sum(undone.c.amount)).where(
            undone.c.reverses_ref == Payment.payment_ref, undone.c.status == "settled", undone.c.value_on <= today
        )
        zero = sa.func.coalesce
        moved = sa.case(
            (sa.and_(Payment.status == "settled", Payment.value_on <= today, Payment.kind != "chargeback"),
             Payment.amount), else_=0)  # fmt: skip
        left = moved - zero(back.scalar_subquery(), 0)
        effective = sa.case((left > 0, left), else_=0)
        wrong = sa.select(
            Payment.payment_ref,
            Payment.amount,
            Payment.kind,
            Payment.status,
            Payment.value_on,
            zero(lines.scalar_subquery(), 0),
            Payment.unapplied_amount,
            effective,
        ).where(zero(lines.scalar_subquery(), 0) + zero(Payment.unapplied_amount, 0) != effective)
        assert session.execute(wrong).all() == []

        tasks = bulk.stage(
            session, "staged_task",
            pl.DataFrame({"account_id": lender_accounts(session), "from_on": facts.EVER}, schema=facts.TASKS),
        )  # fmt: skip
        expected = derive(facts.read_chunk(session, tasks, as_of=today).book, as_of=today).accounts
        held = bulk.read(
            session,
            sa.select(Account.id.label("account_id"), *(getattr(Account, c) for c in _HELD)),
            {"account_id": pl.Int64, **{c: expected.schema[c] for c in _HELD}},
        )
        assert held.sort("account_id").equals(expected.select("account_id", *_HELD).sort("account_id"))

        late = sa.exists().where(
            Instalment.account_id == Account.id, Instalment.due_on < today, Instalment.closed_on.is_(None),
        )  # fmt: skip
        strange = sa.select(Account.id).where(Account.status == "active", (Account.arrears_amount > 0) != late)
        assert session.scalars(strange).all() == []
        never_open = sa.select(sa.func.count()).where(
            Episode.ended_on.is_(None), Episode.account_id == Account.id, Account.dpd == 0
        )
        assert session.scalar(never_open) == 0


_HELD = ("dpd", "dpd_regulatory", "arrears_amount", "oldest_unpaid_due_on", "is_ageing", "reg_class")


def lender_accounts(session: Any) -> list[int]:
    return list(session.scalars(sa.select(Account.id)))
