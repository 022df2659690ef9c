"""Queue, treatment and assignment: every case has its place, its reason, and at most one owner."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from collections_app.db.tables import (
    Assignment,
    Case,
    CaseEvent,
    Decision,
    OptOut,
    QueueEntry,
    StopFlag,
    StrategyVersion,
)
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.contact import AttemptStatus, Channel, Mode, StopCode
from collections_app.domain.events import EventKind
from collections_app.domain.outcomes import DISPOSITIONS, Disposition, Outcome
from collections_app.domain.promises import PromiseStatus
from collections_app.queries.decisions import list_decisions
from collections_app.services import assignment, promises, queueing, treatment
from collections_app.services.outcomes import record_call
from strategies.book import DEFAULT_BOOK, load_book
from tests.factories import NOW, TODAY, make_agent, make_attempt, make_case, make_customer, make_point

BOOK = load_book(DEFAULT_BOOK)


def place(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        queueing.place(uow, business_date=TODAY, book=BOOK)


def queue_of(units: UnitsOfWork, case_id: int) -> str:
    with units.database.reading() as session:
        return session.scalars(
            sa.select(QueueEntry.queue).where(QueueEntry.case_id == case_id, QueueEntry.removed_on.is_(None))
        ).one()


def reachable(units: UnitsOfWork, **over: object) -> int:
    with units.begin() as uow:
        customer = make_customer(uow.session, **{k: v for k, v in over.items() if k in ("language", "country")})
        make_point(uow.session, customer_id=customer.id)
        case = make_case(
            uow.session, customer_id=customer.id, **{k: v for k, v in over.items() if k not in ("language", "country")}
        )
        return case.id


def test_a_case_moves_queue_when_its_facts_change_and_keeps_one_place(units: UnitsOfWork) -> None:
    case_id = reachable(units, dpd=40)
    place(units)
    assert queue_of(units, case_id) == "mid"
    with units.begin() as uow:
        case = uow.session.get_one(Case, case_id)
        attempt = make_attempt(
            uow.session, case_id=case_id, channel=Channel.VOICE, mode=Mode.LIVE_AGENT, status=AttemptStatus.SENDING
        )
        record_call(uow, attempt_id=attempt.id, outcome=Outcome.RPC, disposition=Disposition.ATTORNEY)
        assert case.customer_id
    place(units)
    assert queue_of(units, case_id) == "stopped"


def test_a_decision_can_be_explained_from_the_book_as_it_was(units: UnitsOfWork) -> None:
    case_id = reachable(units, dpd=70)
    place(units)
    place(units)
    with units.database.reading() as session:
        [decision] = list_decisions(session, case_id)
        assert (decision.rule_id, decision.facts["dpd"]) == ("Q-LATE", 70)
        assert decision.why.startswith("Two months overdue")
        assert session.scalar(sa.select(sa.func.count()).select_from(StrategyVersion)) == 1
        assert session.scalar(sa.select(sa.func.count()).select_from(Decision)) == 1


def test_assignment_respects_skill_language_and_capacity(units: UnitsOfWork) -> None:
    english = [reachable(units, dpd=40) for _ in range(3)]
    chinese = reachable(units, dpd=40, language="zh-CN", country="CN")
    with units.begin() as uow:
        make_agent(uow.session, capacity_cases=2)
        make_agent(uow.session, languages=["zh"], skills=["instalment"])
    place(units)
    with units.begin() as uow:
        result = assignment.assign(uow, business_date=TODAY)
    assert (result["assigned"], result["unassigned"]) == (2, 2)
    with units.database.reading() as session:
        held = set(session.scalars(sa.select(Assignment.case_id)))
    assert held < set(english)
    assert chinese not in held


def test_assigning_twice_changes_nothing_and_an_open_promise_is_never_moved(units: UnitsOfWork) -> None:
    case_id = reachable(units, dpd=40)
    with units.begin() as uow:
        make_agent(uow.session)
        make_agent(uow.session)
    place(units)
    for _ in range(2):
        with units.begin() as uow:
            assignment.assign(uow, business_date=TODAY)
    with units.begin() as uow:
        account_id = uow.session.scalars(sa.text(f"SELECT account_id FROM episode WHERE case_id = {case_id}")).one()
        promises.record(
            uow,
            case_id=case_id,
            account_id=account_id,
            amount_minor=100,
            due_on=TODAY + timedelta(days=6),
            business_date=TODAY,
        )
    place(units)
    assert queue_of(units, case_id) == "waiting"
    with units.begin() as uow:
        assignment.assign(uow, business_date=TODAY)
    with units.database.reading() as session:
        assert session.scalars(sa.select(Assignment)).one().to_at is None
        started = sa.select(sa.func.count()).where(CaseEvent.kind == EventKind.ASSIGNMENT_STARTED)
        assert session.scalar(started) == 1


def test_treatment_leaves_a_promising_customer_in_peace(units: UnitsOfWork) -> None:
    case_id = reachable(units, dpd=5)
    with units.begin() as uow:
        account_id = uow.session.scalars(sa.text(f"SELECT account_id FROM episode WHERE case_id = {case_id}")).one()
        made = promises.record(
            uow,
            case_id=case_id,
            account_id=account_id,
            amount_minor=100,
            due_on=TODAY + timedelta(days=6),
            business_date=TODAY,
        )
        assert made.status is PromiseStatus.OPEN
    with units.begin() as uow:
        assert treatment.plan(uow, business_date=TODAY, book=BOOK) == {"cases": 1, "none": 1}


@pytest.mark.parametrize("disposition", [d for d in Disposition if d is not Disposition.NONE])
def test_what_the_customer_says_has_its_consequence(units: UnitsOfWork, disposition: Disposition) -> None:

    rule = DISPOSITIONS[disposition]
    with units.begin() as uow:
        attempt = make_attempt(
            uow.session, channel=Channel.VOICE, mode=Mode.LIVE_AGENT, status=AttemptStatus.SENDING, dispatched_at=NOW
        )
        record_call(uow, attempt_id=attempt.id, outcome=Outcome.RPC, disposition=disposition)
        case_id = attempt.case_id
    with units.database.reading() as session:
        flags = [StopCode(c) for c in session.scalars(sa.select(StopFlag.code))]
        assert flags == ([rule.stop] if rule.stop else [])
        assert (session.scalar(sa.select(sa.func.count()).select_from(OptOut)) == 1) is rule.opts_out
        assert (session.get_one(Case, case_id).cool_until_on is not None) is bool(rule.cool_days)
