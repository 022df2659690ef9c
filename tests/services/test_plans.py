"""Plans on the ledger: proposed within authority, decided by somebody else, judged by cash, undone exactly."""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.contact import StopCode
from collections_app.domain.errors import Conflict, InvalidInput, NotAllowed, NotFound
from collections_app.domain.events import EventKind
from collections_app.domain.permissions import Actor, Role
from collections_app.domain.plans import Affordability, PlanKind, PlanStatus, Term, equal_terms
from collections_app.services import plan_review, plans, protections
from collections_app.services.plans import Wish
from tests.factories import (
    NOW,
    TODAY,
    make_account,
    make_agent,
    make_assignment,
    make_case,
    make_customer,
    make_episode,
)

SOFIA = Actor(id=2, name="sofia", role=Role.SUPERVISOR)
SECOND = Actor(id=3, name="paul", role=Role.SUPERVISOR)
FIRST_DUE = TODAY + timedelta(days=10)
_ref = count(1)


class Desk:
    """An agent with one case of one account: 2,000.00 owed, 250.00 overdue."""

    def __init__(self, units: UnitsOfWork, *, country: str = "US", **account: Any) -> None:
        self.units = units
        with units.begin() as uow:
            customer = make_customer(uow.session, country=country)
            case = make_case(uow.session, customer_id=customer.id, account=None)
            parts = {
                "principal_amount": 150_000,
                "interest_amount": 40_000,
                "fees_amount": 6_000,
                "penalty_amount": 4_000,
            }
            made = make_account(uow.session, customer_id=customer.id, **(parts | account))
            make_episode(uow.session, account_id=made.id, case_id=case.id)
            agent = make_agent(uow.session)
            make_assignment(uow.session, case_id=case.id, agent_id=agent.id)
            self.case_id, self.account_id, self.customer_id = case.id, made.id, customer.id
            self.mara = Actor(id=1, name="mara", role=Role.AGENT, agent_id=agent.id)

    def propose(self, kind: PlanKind = PlanKind.INSTALMENT, *, total: int = 25_000, terms: int = 5, **over: Any) -> int:
        wish = Wish(kind, "Lost a shift", terms=equal_terms(total, terms, FIRST_DUE) if terms else (), **over)
        with self.units.begin(self.mara) as uow:
            return plans.propose(
                uow, case_id=self.case_id, account_id=self.account_id, wish=wish, business_date=TODAY
            ).id

    def approve(self, plan_id: int, actor: Actor = SOFIA) -> None:
        with self.units.begin(actor) as uow:
            plans.approve(uow, plan_id=plan_id, business_date=TODAY)

    def pay(self, amount: int, on: date, *, kind: str = "payment", reverses: str | None = None) -> str:
        ref = f"P{next(_ref)}"
        with self.units.begin() as uow:
            uow.session.add(
                t.Payment(
                    source="test", payment_ref=ref, account_id=self.account_id, amount=amount, currency="USD",
                    kind=kind, status="settled", value_on=on, reverses_ref=reverses,
                )
            )  # fmt: skip
        return ref

    def review(self, on: date) -> dict[str, int]:
        with self.units.begin() as uow:
            return plan_review.review(uow, business_date=on)

    def plan(self, plan_id: int) -> t.PaymentPlan:
        with self.units.database.reading() as session:
            return session.get_one(t.PaymentPlan, plan_id)

    def account(self) -> t.Account:
        with self.units.database.reading() as session:
            return session.get_one(t.Account, self.account_id)

    def events(self) -> list[EventKind]:
        with self.units.database.reading() as session:
            kinds = sa.select(t.CaseEvent.kind).where(t.CaseEvent.case_id == self.case_id).order_by(t.CaseEvent.id)
            return [kind for kind in session.scalars(kinds) if kind.value.startswith("plan:")]

    def all(self, statement: sa.Select[Any]) -> Sequence[Any]:
        with self.units.database.reading() as session:
            return session.execute(statement).all()

    def task(self) -> date | None:
        with self.units.database.reading() as session:
            task = session.get(t.LedgerTask, self.account_id)
            return task.from_on if task else None


@pytest.fixture
def desk(units: UnitsOfWork) -> Desk:
    return Desk(units)


def test_a_plan_within_the_agents_limits_is_active_at_once_and_leaves_the_schedule_alone(desk: Desk) -> None:
    plan_id = desk.propose()
    plan = desk.plan(plan_id)
    assert (plan.status, plan.authority, plan.decided_by) == (PlanStatus.ACTIVE, "agent", "mara")
    assert (plan.total_amount, plan.starts_on, plan.ends_on) == (25_000, TODAY, date(2026, 7, 12))
    terms = desk.all(sa.select(t.PlanTerm.seq, t.PlanTerm.amount).where(t.PlanTerm.plan_id == plan_id))
    assert sorted(tuple(row) for row in terms) == [(n, 5_000) for n in range(1, 6)]
    assert (plan.plan_version, desk.task()) == (None, None)
    assert desk.events() == [EventKind.PLAN_PROPOSED, EventKind.PLAN_APPROVED]


def test_a_larger_plan_waits_for_somebody_else_with_authority(desk: Desk) -> None:
    plan_id = desk.propose(terms=8)
    assert desk.plan(plan_id).status is PlanStatus.PROPOSED
    assert desk.plan(plan_id).authority_reasons == ["8 months; the agent's limit is 6"]
    with pytest.raises(NotAllowed, match="plan:decide"):
        desk.approve(plan_id, desk.mara)
    desk.approve(plan_id)
    assert (desk.plan(plan_id).status, desk.plan(plan_id).decided_by) == (PlanStatus.ACTIVE, "sofia")
    with pytest.raises(Conflict, match="active already"):
        desk.approve(plan_id)


def test_nobody_decides_on_their_own_proposal(desk: Desk) -> None:
    wish = Wish(PlanKind.INSTALMENT, "Asked in writing", terms=equal_terms(25_000, 8, FIRST_DUE))
    with desk.units.begin(SOFIA) as uow:
        plan_id = plans.propose(
            uow, case_id=desk.case_id, account_id=desk.account_id, wish=wish, business_date=TODAY
        ).id
    with pytest.raises(NotAllowed, match="own proposal"):
        desk.approve(plan_id)
    desk.approve(plan_id, SECOND)
    assert desk.plan(plan_id).decided_by == "paul"


def test_a_refusal_needs_a_reason_and_frees_the_account(desk: Desk) -> None:
    plan_id = desk.propose(terms=8)
    with pytest.raises(Conflict, match="open plan"):
        desk.propose()
    with desk.units.begin(SOFIA) as uow, pytest.raises(InvalidInput, match="reason is missing"):
        plans.reject(uow, plan_id=plan_id, reason=" ", business_date=TODAY)
    with desk.units.begin(SOFIA) as uow:
        plans.reject(uow, plan_id=plan_id, reason="Six months are enough.", business_date=TODAY)
    assert desk.plan(plan_id).status is PlanStatus.REJECTED
    assert desk.plan(desk.propose()).status is PlanStatus.ACTIVE


def test_the_database_itself_holds_one_open_plan_per_account(desk: Desk) -> None:
    first = desk.plan(desk.propose())
    values = {c.name: getattr(first, c.name) for c in t.PaymentPlan.__table__.columns if c.name != "id"}
    with desk.units.begin() as uow:
        uow.session.add(t.PaymentPlan(**values))
        with pytest.raises(sa.exc.IntegrityError):
            uow.session.flush()
        uow.session.rollback()


def test_where_the_law_wants_it_no_plan_is_made_without_income_and_expense(units: UnitsOfWork) -> None:
    desk = Desk(units, country="GB", currency="GBP")
    with pytest.raises(InvalidInput, match="income and expense"):
        desk.propose()
    known = Affordability(300_000, 296_000, "payslip of February")
    plan = desk.plan(desk.propose(affordability=known))
    assert plan.status is PlanStatus.PROPOSED  # 50.00 a month is more than the 40.00 that are left
    assert plan.affordability is not None
    assert plan.affordability["disposable_minor"] == 4_000


@pytest.mark.parametrize("by", ["dispute", "estate", "other customer", "closed"])
def test_a_plan_is_refused_where_nothing_may_be_arranged(desk: Desk, by: str) -> None:
    refused: type[Exception] = Conflict
    with desk.units.begin(SOFIA) as uow:
        if by == "dispute":
            protections.open_dispute(
                uow, case_id=desk.case_id, account_id=desk.account_id, note="not my card", business_date=TODAY,
                grounds=protections.DisputeGrounds.NOT_MINE, received_by=protections.ReceivedBy.PHONE,
                received_on=TODAY,
            )  # fmt: skip
        elif by == "estate":
            uow.session.add(t.StopFlag(customer_id=desk.customer_id, code=StopCode.DECEASED, set_at=NOW, set_by="x"))
        elif by == "closed":
            uow.session.get_one(t.Case, desk.case_id).closed_on = TODAY
        else:
            refused = NotFound
            desk.account_id = make_account(uow.session).id
    with pytest.raises(refused):
        desk.propose()


def test_another_agents_case_does_not_exist_for_an_agent(desk: Desk) -> None:
    desk.mara = Actor(id=9, name="jonas", role=Role.AGENT, agent_id=999)
    with pytest.raises(NotFound):
        desk.propose()


def test_cash_keeps_a_plan_and_a_missed_term_breaks_it_once(desk: Desk) -> None:
    plan_id = desk.propose()
    desk.pay(5_000, FIRST_DUE)
    assert desk.review(FIRST_DUE + timedelta(days=6)) == {"plans": 1}
    paid = desk.all(sa.select(t.PlanTerm.paid_amount).where(t.PlanTerm.plan_id == plan_id).order_by(t.PlanTerm.seq))
    assert [row.paid_amount for row in paid] == [5_000, 0, 0, 0, 0]
    missed = date(2026, 4, 18)
    assert desk.review(missed) == {"plans": 1, "broken": 1}
    assert desk.review(missed) == {"plans": 0}
    assert (desk.plan(plan_id).status, desk.plan(plan_id).ended_on) == (PlanStatus.BROKEN, missed)
    assert desk.events()[-1] is EventKind.PLAN_BROKEN
    assert desk.events().count(EventKind.PLAN_BROKEN) == 1


def settlement(desk: Desk) -> int:
    """Return an approved settlement: 1,400.00 pays for 2,000.00."""
    plan_id = desk.propose(PlanKind.SETTLEMENT, total=140_000, terms=1)
    plan = desk.plan(plan_id)
    assert (plan.waived_fees_amount, plan.waived_interest_amount, plan.waived_principal_amount) == (
        10_000, 40_000, 10_000,
    )  # fmt: skip
    desk.approve(plan_id)
    return plan_id


def waivers(desk: Desk) -> list[tuple[str, int]]:
    rows = desk.all(
        sa.select(t.Payment.kind, t.Payment.amount).where(t.Payment.batch_id.is_(None),
        t.Payment.payment_ref.startswith("plan:")).order_by(t.Payment.id)
    )  # fmt: skip
    return [tuple(row) for row in rows]


def test_a_completed_settlement_books_what_it_gives_up(desk: Desk) -> None:
    plan_id = settlement(desk)
    desk.pay(139_999, FIRST_DUE)
    assert desk.review(FIRST_DUE + timedelta(days=1)) == {"plans": 1}  # one cent short is not settled
    desk.pay(1, FIRST_DUE)
    assert desk.review(FIRST_DUE + timedelta(days=2)) == {"plans": 1, "completed": 1}
    assert desk.plan(plan_id).status is PlanStatus.COMPLETED
    assert waivers(desk) == [("waiver", 10_000), ("waiver", 40_000), ("waiver", 10_000)]
    assert desk.task() == FIRST_DUE + timedelta(days=2)
    assert desk.review(FIRST_DUE + timedelta(days=3)) == {"plans": 0}
    assert len(waivers(desk)) == 3


def test_a_schedule_that_holds_more_than_the_balance_is_waived_to_the_end(desk: Desk) -> None:
    with desk.units.begin() as uow:
        # 2,100.00 in the schedule: a month of interest that is not earned yet; 1,400.00 of it is paid.
        for seq, paid in ((1, 140_000), (2, 0)):
            uow.session.add(
                t.Instalment(
                    account_id=desk.account_id, schedule_version=0, seq=seq, due_on=FIRST_DUE,
                    principal_due_amount=140_000 if seq == 1 else 70_000, paid_amount=paid,
                )
            )  # fmt: skip
    settlement(desk)
    desk.pay(140_000, FIRST_DUE)
    desk.review(FIRST_DUE + timedelta(days=1))
    assert [amount for _, amount in waivers(desk)] == [10_000, 40_000, 10_000, 10_000]


def test_a_chargeback_takes_the_settlement_and_its_waiver_back(desk: Desk) -> None:
    plan_id = settlement(desk)
    ref = desk.pay(140_000, FIRST_DUE)
    done = FIRST_DUE + timedelta(days=1)
    desk.review(done)
    desk.pay(140_000, FIRST_DUE, kind="chargeback", reverses=ref)
    assert desk.review(done + timedelta(days=1)) == {"plans": 1, "active": 1}
    assert desk.plan(plan_id).ended_on is None
    assert waivers(desk)[3:] == [("reversal", 10_000), ("reversal", 40_000), ("reversal", 10_000)]
    assert desk.task() == done
    assert desk.review(FIRST_DUE + timedelta(days=6)) == {"plans": 1, "broken": 1}
    assert len(waivers(desk)) == 6
    assert desk.events()[-2:] == [EventKind.PLAN_REOPENED, EventKind.PLAN_BROKEN]


def test_a_plan_does_not_open_again_beside_another(desk: Desk) -> None:
    first = settlement(desk)
    ref = desk.pay(140_000, FIRST_DUE)
    desk.review(FIRST_DUE + timedelta(days=1))
    second = desk.propose()
    desk.pay(140_000, FIRST_DUE, kind="reversal", reverses=ref)
    assert desk.review(FIRST_DUE + timedelta(days=2))["broken"] == 1
    assert [desk.plan(p).status for p in (first, second)] == [PlanStatus.BROKEN, PlanStatus.ACTIVE]


def test_a_balance_that_moved_makes_the_settlement_stale(desk: Desk) -> None:
    plan_id = desk.propose(PlanKind.SETTLEMENT, total=140_000, terms=1)
    with desk.units.begin() as uow:
        account = uow.session.get_one(t.Account, desk.account_id)
        account.balance_amount, account.interest_amount = 201_000, 41_000
    with pytest.raises(Conflict, match="balance has changed"):
        desk.approve(plan_id)


def schedule(desk: Desk, *, payments: bool = True) -> None:
    """Give the account its own schedule: January half paid, February open, April to come; three monthly payments."""
    rows = ((1, date(2026, 1, 10)), (2, date(2026, 2, 10)), (3, date(2026, 4, 10)))
    paid_on = (date(2025, 12, 20), date(2026, 1, 20), date(2026, 2, 20)) if payments else ()
    refs = [desk.pay(2_000, day) for day in paid_on]
    with desk.units.begin() as uow:
        account = uow.session.get_one(t.Account, desk.account_id)
        account.basis, account.schedule_version, account.minimum_due_amount = "schedule", 3, 2_000
        for seq, on in rows:
            uow.session.add(
                t.Instalment(
                    account_id=account.id, schedule_version=3, seq=seq, due_on=on, contract_due_on=on,
                    interest_due_amount=2_000, principal_due_amount=8_000,
                    paid_amount=6_000 if payments and seq == 1 else 0,
                )
            )  # fmt: skip
        uow.session.flush()
        for ref, component in zip(refs, ("interest", "principal", "principal"), strict=False):
            payment = uow.session.scalars(sa.select(t.Payment.id).where(t.Payment.payment_ref == ref)).one()
            uow.session.add(
                t.PaymentAllocation(
                    payment_id=payment, line=1, schedule_version=3, instalment_seq=1, component=component,
                    amount=2_000, rule="default@1",
                )
            )  # fmt: skip


def in_force(desk: Desk) -> list[tuple[Any, ...]]:
    i = t.Instalment
    rows = desk.all(
        sa.select(i.seq, i.kind, i.due_on, i.interest_due_amount, i.principal_due_amount)
        .where(i.account_id == desk.account_id, i.schedule_version == desk.account().schedule_version)
        .order_by(i.seq)
    )
    return [tuple(row) for row in rows]


def test_a_fresh_start_moves_what_is_overdue_into_a_version_of_its_own(desk: Desk) -> None:
    schedule(desk)
    plan_id = desk.propose(total=14_000, terms=2, re_ages=True)
    assert desk.plan(plan_id).contract_version == 3
    assert in_force(desk) == [
        (1, "scheduled", date(2026, 1, 10), 2_000, 4_000),  # what was paid
        (2, "scheduled", date(2026, 2, 10), 0, 0),
        (3, "scheduled", date(2026, 4, 10), 2_000, 8_000),
        (4, "plan", FIRST_DUE, 2_000, 5_000),
        (5, "plan", date(2026, 4, 12), 0, 7_000),
    ]
    assert desk.task() == TODAY
    assert desk.review(date(2026, 3, 18)) == {"plans": 1, "broken": 1}
    assert desk.account().schedule_version == 3
    assert [row[3:] for row in in_force(desk)] == [(2_000, 8_000)] * 3


def test_a_fresh_start_is_refused_to_who_has_not_paid_or_started_afresh_lately(desk: Desk) -> None:
    with pytest.raises(InvalidInput, match="lender keeps"):
        desk.propose(total=14_000, terms=2, re_ages=True)
    schedule(desk, payments=False)
    months = (date(2025, 12, 20), date(2026, 1, 20), date(2026, 2, 20))
    for amount in (100, 1_900):  # 100 is no minimum payment; with 1,900 more each month has one
        with pytest.raises(InvalidInput, match="the last 3 months need a minimum payment each"):
            desk.propose(total=20_000, terms=2, re_ages=True)
        refs = [desk.pay(amount, day) for day in months]
    desk.pay(1_900, date(2026, 2, 25), kind="chargeback", reverses=refs[2])  # taken back: February has none
    with pytest.raises(InvalidInput, match="a minimum payment each"):
        desk.propose(total=20_000, terms=2, re_ages=True)
    desk.pay(1_900, date(2026, 2, 26))
    plan_id = desk.propose(total=26_000, terms=2, re_ages=True)
    with desk.units.begin(SOFIA) as uow:
        plans.cancel(uow, plan_id=plan_id, reason="asked for another day", business_date=TODAY)
    assert desk.account().schedule_version == 3
    with pytest.raises(InvalidInput, match="only once in twelve months"):
        desk.propose(total=26_000, terms=2, re_ages=True)


def test_a_deferral_stops_the_clock_and_moves_what_is_to_come(desk: Desk) -> None:
    schedule(desk)
    plan_id = desk.propose(PlanKind.DEFERRAL, terms=0, ends_on=date(2026, 4, 2))
    assert desk.plan(plan_id).status is PlanStatus.ACTIVE
    assert [row[2] for row in in_force(desk)] == [date(2026, 1, 10), date(2026, 2, 10), date(2026, 5, 10)]
    pause = desk.all(sa.select(t.DelinquencyPause.from_on, t.DelinquencyPause.until_on))
    assert [tuple(row) for row in pause] == [(TODAY + timedelta(days=1), date(2026, 4, 2))]
    assert desk.review(date(2026, 4, 2)) == {"plans": 0}
    assert desk.review(date(2026, 4, 3)) == {"plans": 1, "completed": 1}


def test_a_deferral_taken_back_ends_its_pause_the_day_before(desk: Desk) -> None:
    schedule(desk)
    plan_id = desk.propose(PlanKind.DEFERRAL, terms=0, ends_on=date(2026, 4, 2))
    with pytest.raises(NotAllowed), desk.units.begin(desk.mara) as uow:
        plans.cancel(uow, plan_id=plan_id, reason="pays again", business_date=TODAY)
    with desk.units.begin(SOFIA) as uow:
        plans.cancel(uow, plan_id=plan_id, reason="pays again", business_date=date(2026, 3, 20))
    pause = desk.all(sa.select(t.DelinquencyPause.until_on, t.DelinquencyPause.ended_by))
    assert [tuple(row) for row in pause] == [(date(2026, 3, 19), "sofia")]
    assert desk.account().schedule_version == 3


def test_the_proposer_may_take_back_a_proposal(desk: Desk) -> None:
    plan_id = desk.propose(terms=8)
    with desk.units.begin(desk.mara) as uow:
        plans.cancel(uow, plan_id=plan_id, reason="pays at once", business_date=TODAY)
    assert desk.plan(plan_id).status is PlanStatus.CANCELLED


def test_a_plan_whose_first_day_has_passed_is_not_approved(desk: Desk) -> None:
    wish = Wish(PlanKind.INSTALMENT, "x", terms=(Term(TODAY, 1_000), *equal_terms(24_000, 7, FIRST_DUE)))
    with desk.units.begin(desk.mara) as uow:
        plan = plans.propose(uow, case_id=desk.case_id, account_id=desk.account_id, wish=wish, business_date=TODAY)
    with desk.units.begin(SOFIA) as uow, pytest.raises(Conflict, match="has passed"):
        plans.approve(uow, plan_id=plan.id, business_date=TODAY + timedelta(days=1))
