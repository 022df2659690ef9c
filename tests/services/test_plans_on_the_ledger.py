"""Plans and the derived ledger together: a fresh start, its breach, a settlement that balances and is taken back."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import count

import pytest
import sqlalchemy as sa

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.permissions import Actor, Role
from collections_app.domain.plans import PlanKind, PlanStatus, equal_terms
from collections_app.domain.protections import MoratoriumKind
from collections_app.services import ledger, plan_review, plans, shields
from collections_app.services.plans import Wish
from tests.factories import TODAY, make_account, make_case, make_customer, make_episode

SOFIA = Actor(id=2, name="sofia", role=Role.SUPERVISOR)
PAUL = Actor(id=3, name="paul", role=Role.SUPERVISOR)
PAID_ON = (date(2025, 12, 20), date(2026, 1, 20), date(2026, 2, 20))
_ref = count(1)


class Book:
    """One loan of twelve instalments of 100.00 (20.00 interest), due on the 10th from December on; 60.00 came."""

    def __init__(self, units: UnitsOfWork) -> None:
        self.units = units
        with units.begin() as uow:
            session = uow.session
            customer = make_customer(session, country="GB")
            case = make_case(session, customer_id=customer.id, account=None)
            account = make_account(
                session, customer_id=customer.id, currency="USD", product_family="instalment", basis="schedule",
                schedule_version=1, balance_amount=114_000, principal_amount=94_000, interest_amount=20_000,
                fees_amount=0, penalty_amount=0, opened_on=date(2025, 1, 1), tolerance_amount=0,
                tolerance_rate=Decimal(0), grace_days=0, minimum_due_amount=2_000, arrears_amount=0, dpd=0,
                oldest_unpaid_due_on=None, reg_class=None,
            )  # fmt: skip
            make_episode(session, account_id=account.id, case_id=case.id)
            for seq in range(1, 13):
                on = date(2025, 12, 10) if seq == 1 else date(2026, seq - 1, 10)
                session.add(
                    t.Instalment(
                        account_id=account.id, schedule_version=1, seq=seq, due_on=on, contract_due_on=on,
                        interest_due_amount=2_000, principal_due_amount=8_000,
                    )
                )  # fmt: skip
            session.add(t.LedgerTask(account_id=account.id, from_on=date(2025, 1, 1)))
            self.account_id, self.case_id, self.customer_id = account.id, case.id, customer.id
        for day in PAID_ON:
            self.pay(2_000, day)

    def pay(self, amount: int, on: date, *, kind: str = "payment", reverses: str | None = None) -> str:
        ref = f"L{next(_ref)}"
        with self.units.begin() as uow:
            uow.session.add(
                t.Payment(
                    source="test", payment_ref=ref, account_id=self.account_id, amount=amount, currency="USD",
                    kind=kind, status="settled", value_on=on, reverses_ref=reverses,
                )
            )  # fmt: skip
            task = uow.session.get(t.LedgerTask, self.account_id)
            if task is None:
                uow.session.add(t.LedgerTask(account_id=self.account_id, from_on=on))
            else:
                task.from_on = min(task.from_on, on)
        return ref

    def day(self, on: date) -> tuple[int, int]:
        """Run ledger and plans of a day, and what the plans touched; return DPD and arrears."""
        for step in (ledger.refresh, plan_review.review, ledger.refresh):
            with self.units.begin() as uow:
                step(uow, business_date=on)
        account = self.account()
        return account.dpd, account.arrears_amount

    def account(self) -> t.Account:
        with self.units.database.reading() as session:
            return session.get_one(t.Account, self.account_id)

    def propose(self, wish: Wish) -> int:
        with self.units.begin(PAUL) as uow:
            plan = plans.propose(uow, case_id=self.case_id, account_id=self.account_id, wish=wish, business_date=TODAY)
            plan_id = plan.id
            waits = plan.status is PlanStatus.PROPOSED
        if waits:
            with self.units.begin(SOFIA) as uow:
                plans.approve(uow, plan_id=plan_id, business_date=TODAY)
        return plan_id

    def unpaid(self) -> int:
        due = sum(
            t.Instalment.__table__.c[f"{c}_due_amount"] for c in ("cost", "fee", "penalty", "interest", "principal")
        )
        with self.units.database.reading() as session:
            return session.scalar(
                sa.select(sa.func.sum(due - t.Instalment.paid_amount))
                .join(t.Account, sa.and_(t.Account.id == t.Instalment.account_id,
                                         t.Account.schedule_version == t.Instalment.schedule_version))
            ) or 0  # fmt: skip


@pytest.fixture
def book(units: UnitsOfWork) -> Book:
    return Book(units)


KNOWN = plans.Affordability(400_000, 100_000)


def test_a_fresh_start_counts_from_the_plan_and_its_breach_from_the_contract_again(book: Book) -> None:
    # 2 March: December (60.00 of 100.00 came), January and February are overdue: 240.00, 82 days.
    assert book.day(TODAY) == (82, 24_000)
    wish = Wish(PlanKind.INSTALMENT, "paid three months in a row", equal_terms(24_000, 3, TODAY + timedelta(days=10)),
                affordability=KNOWN, re_ages=True)  # fmt: skip
    book.propose(wish)
    assert book.day(TODAY) == (0, 0)
    assert book.unpaid() == 114_000
    # 8,000 on 12 March is the plan's first term; the contract's March instalment of the 10th stays open.
    book.pay(8_000, date(2026, 3, 12))
    assert book.day(date(2026, 3, 15)) == (5, 10_000)
    # 12 April is missed with its five days of grace: the contract holds again, and the 140.00 that came are December's
    # 100.00 and 40.00 of January's; January's 60.00, February, March and April are open.
    assert book.day(date(2026, 4, 18)) == ((date(2026, 4, 18) - date(2026, 1, 10)).days, 36_000)
    assert book.unpaid() == 106_000


def test_a_settlement_paid_in_full_leaves_nothing_unpaid_and_a_chargeback_brings_it_back(book: Book) -> None:
    book.day(TODAY)
    plan_id = book.propose(
        Wish(
            PlanKind.SETTLEMENT, "family helps", equal_terms(80_000, 1, TODAY + timedelta(days=7)), affordability=KNOWN
        )
    )
    ref = book.pay(80_000, date(2026, 3, 5))
    assert book.day(date(2026, 3, 6)) == (0, 0)
    assert book.unpaid() == 0
    book.pay(80_000, date(2026, 3, 5), kind="chargeback", reverses=ref)
    dpd, arrears = book.day(date(2026, 3, 8))
    assert (dpd, arrears) == (88, 24_000)
    assert book.unpaid() == 114_000
    with book.units.database.reading() as session:
        assert session.get_one(t.PaymentPlan, plan_id).status is PlanStatus.ACTIVE


def test_days_past_due_stand_still_in_a_breathing_space(book: Book) -> None:
    assert book.day(TODAY) == (82, 24_000)
    with book.units.begin(SOFIA) as uow:
        shields.start_moratorium(
            uow, case_id=book.case_id, kind=MoratoriumKind.BREATHING_SPACE, reference="BSS-7",
            notified_on=TODAY, business_date=TODAY,
        )  # fmt: skip
    assert book.day(date(2026, 3, 20)) == (82, 34_000)
    # The sixtieth day is 1 May; counting goes on with 2 May.
    assert book.day(date(2026, 5, 3))[0] == 84


def test_days_past_due_stand_still_in_a_deferral_and_what_is_to_come_waits(book: Book) -> None:
    book.day(TODAY)
    book.propose(Wish(PlanKind.DEFERRAL, "shift lost", ends_on=date(2026, 4, 1), affordability=None))
    assert book.day(date(2026, 3, 25)) == (82, 24_000)
    assert book.day(date(2026, 4, 11))[1] == 34_000  # March has moved to 10 April
