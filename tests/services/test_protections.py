"""Protections: recorded by agents, lifted by supervisors with evidence; contact rests while they hold."""

from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.contact import AttemptStatus, StopCode
from collections_app.domain.errors import Conflict, InvalidInput, NotAllowed, NotFound
from collections_app.domain.events import EventKind
from collections_app.domain.permissions import Actor, Role
from collections_app.domain.protections import (
    ComplaintChannel,
    ComplaintOutcome,
    DisputeGrounds,
    DisputeOutcome,
    HardshipMeasure,
    HardshipReason,
    HoldReason,
    MoratoriumKind,
    ReceivedBy,
    ReleaseReason,
)
from collections_app.queries import clocks, facts, worklist
from collections_app.services import contacting, protections, shields
from strategies.packs import DEFAULT_PACKS, load_packs
from tests.conftest import FixedClock
from tests.factories import NOW, TODAY, make_account, make_agent, make_assignment, make_case, make_customer, make_point

SOFIA = Actor(id=2, name="sofia", role=Role.SUPERVISOR)


class Desk:
    """An agent with one case; ``do`` runs a service as somebody and returns the id of what it made."""

    def __init__(self, units: UnitsOfWork, country: str) -> None:
        self.units = units
        with units.begin() as uow:
            customer = make_customer(uow.session, country=country)
            self.case_id = make_case(uow.session, customer_id=customer.id).id
            agent = make_agent(uow.session)
            make_assignment(uow.session, case_id=self.case_id, agent_id=agent.id)
            self.account_id = uow.session.scalars(sa.select(t.Account.id)).one()
            self.point_id = make_point(uow.session, customer_id=customer.id).id
            self.customer_id = customer.id
            self.mara = Actor(id=1, name="mara", role=Role.AGENT, agent_id=agent.id)

    def do(self, verb: Any, actor: Actor | None = None, **asked: Any) -> int:
        with self.units.begin(actor or self.mara) as uow:
            made = verb(uow, **asked)
            uow.session.flush()
            return made.id if made is not None else 0

    def row(self, table: Any, row_id: int) -> Any:
        with self.units.database.reading() as session:
            return session.get_one(table, row_id)

    def stops(self) -> list[str]:
        with self.units.database.reading() as session:
            standing = sa.select(t.StopFlag.code).where(t.StopFlag.released_at.is_(None)).order_by(t.StopFlag.id)
            return [code.value for code in session.scalars(standing)]

    def facts(self, on: date = TODAY) -> dict[str, Any]:
        with self.units.database.reading() as session:
            frame = facts.case_facts(session, as_of=on, now=NOW, salt="s", shares={"champion": 1.0})
        return frame.row(0, named=True)

    def call(self) -> t.ContactAttempt:
        with self.units.begin(self.mara) as uow:
            return contacting.start_agent_call(
                uow, case_id=self.case_id, contact_point_id=self.point_id, packs=load_packs(DEFAULT_PACKS)
            )

    def kinds(self) -> list[str]:
        with self.units.database.reading() as session:
            return [k.value for k in session.scalars(sa.select(t.CaseEvent.kind).order_by(t.CaseEvent.id))]


@pytest.fixture
def desk(units: UnitsOfWork) -> Desk:
    return Desk(units, "US")


@pytest.fixture
def british(units: UnitsOfWork) -> Desk:
    return Desk(units, "GB")


def hold(desk: Desk, days: int = 14) -> int:
    return desk.do(
        protections.place_hold, case_id=desk.case_id, reason=HoldReason.ADVICE_SOUGHT,
        until_on=TODAY + timedelta(days=days), note="", business_date=TODAY,
    )  # fmt: skip


def dispute(desk: Desk, **over: Any) -> int:
    asked = {
        "case_id": desk.case_id, "account_id": desk.account_id, "grounds": DisputeGrounds.AMOUNT,
        "received_by": ReceivedBy.LETTER, "received_on": TODAY, "note": "paid half of it", "business_date": TODAY,
    }  # fmt: skip
    return desk.do(protections.open_dispute, **(asked | over))


def complaint(desk: Desk, channel: ComplaintChannel = ComplaintChannel.DIRECT) -> int:
    return desk.do(
        protections.open_complaint, case_id=desk.case_id, channel=channel, subject="Called at work",
        received_on=TODAY, business_date=TODAY,
    )  # fmt: skip


def test_a_case_on_hold_leaves_the_list_and_is_not_called(desk: Desk) -> None:
    hold_id = hold(desk)
    assert desk.facts()["is_held"]
    assert not desk.facts(TODAY + timedelta(days=15))["is_held"]
    with pytest.raises(Conflict, match="on hold"):
        desk.call()
    day = worklist.WorkDay(NOW, TODAY)
    with desk.units.database.reading() as session:
        assert worklist.count_to_do(session, desk.mara, day=day) == 0
    with pytest.raises(NotAllowed):
        desk.do(protections.release_hold, hold_id=hold_id, business_date=TODAY)
    desk.do(protections.release_hold, SOFIA, hold_id=hold_id, business_date=TODAY)
    assert not desk.facts()["is_held"]
    assert desk.call().status is AttemptStatus.SENDING
    assert desk.kinds()[:2] == [EventKind.HOLD_PLACED, EventKind.HOLD_RELEASED]


def test_a_hold_has_a_longest_length_and_a_longest_extension(desk: Desk) -> None:
    with pytest.raises(InvalidInput, match="2026-04-01 at the latest"):
        hold(desk, 31)
    with pytest.raises(InvalidInput, match="past"):
        hold(desk, -1)
    hold_id = hold(desk, 30)
    with pytest.raises(Conflict, match="on hold already"):
        hold(desk)
    with pytest.raises(InvalidInput, match="until 2026-05-01 at the latest"):
        desk.do(protections.extend_hold, SOFIA, hold_id=hold_id, until_on=date(2026, 5, 2), business_date=TODAY)
    desk.do(protections.extend_hold, SOFIA, hold_id=hold_id, until_on=date(2026, 5, 1), business_date=TODAY)
    assert desk.row(t.Hold, hold_id).until_on == date(2026, 5, 1)


def test_a_disputed_debt_is_not_called_about_until_it_is_answered(desk: Desk) -> None:
    dispute_id = dispute(desk)
    assert desk.stops() == ["dispute"]
    refused = desk.call()
    assert (refused.status, refused.error_code) == (AttemptStatus.DENIED, "HS-DISPUTE")
    assert desk.row(t.Dispute, dispute_id).answer_due_on == date(2026, 4, 1)
    with pytest.raises(Conflict, match="disputed already"):
        dispute(desk)
    with pytest.raises(InvalidInput, match="evidence"):
        desk.do(protections.answer_dispute, SOFIA, dispute_id=dispute_id, outcome=DisputeOutcome.VERIFIED,
                evidence="", business_date=TODAY)  # fmt: skip
    desk.do(protections.answer_dispute, SOFIA, dispute_id=dispute_id, outcome=DisputeOutcome.VERIFIED,
            evidence="statement sent", business_date=TODAY)  # fmt: skip
    assert desk.stops() == []
    assert desk.call().status is AttemptStatus.SENDING


def test_an_accepted_dispute_keeps_its_stop_and_fraud_sets_its_own(desk: Desk) -> None:
    dispute_id = dispute(desk, grounds=DisputeGrounds.FRAUD)
    desk.do(protections.answer_dispute, SOFIA, dispute_id=dispute_id, outcome=DisputeOutcome.ACCEPTED,
            evidence="police report", business_date=TODAY)  # fmt: skip
    assert desk.stops() == ["id_theft"]


@pytest.mark.parametrize(
    ("role", "sent_on", "inside"),
    [
        ("third_party", None, True),  # an unknown notice: the period is taken to run
        ("first_party", None, False),
        ("first_party", TODAY - timedelta(days=30), True),
        ("third_party", TODAY - timedelta(days=60), False),
    ],
)
def test_the_validation_period_is_told_from_the_notice(
    desk: Desk, role: str, sent_on: date | None, inside: bool
) -> None:
    with desk.units.begin() as uow:
        uow.session.get_one(t.Account, desk.account_id).collector_role = role
    dispute_id = dispute(desk, validation_sent_on=sent_on)
    assert desk.row(t.Dispute, dispute_id).in_validation_period is inside


def test_a_payment_on_a_disputed_debt_is_shown_unless_the_customer_directed_it(desk: Desk) -> None:
    dispute(desk)
    with desk.units.begin() as uow:
        make_account(uow.session, customer_id=desk.customer_id)
        for ref, directed in (("P1", None), ("P2", {"account": "this one"})):
            uow.session.add(
                t.Payment(
                    source="test", payment_ref=ref, account_id=desk.account_id, amount=700, currency="USD",
                    kind="payment", status="settled", value_on=TODAY, directed_to=directed,
                )
            )  # fmt: skip
    with desk.units.database.reading() as session:
        assert [row.payment_ref for row in clocks.list_on_disputed_debts(session)] == ["P1"]


def test_a_complaint_runs_by_the_clock_of_the_country(british: Desk) -> None:
    complaint_id = complaint(british)
    assert british.row(t.Complaint, complaint_id).due_on == date(2026, 4, 27)
    assert british.stops() == []
    with pytest.raises(InvalidInput, match="cannot be extended"):
        british.do(protections.extend_complaint, SOFIA, complaint_id=complaint_id, reason="x", business_date=TODAY)


def test_a_complaint_in_china_is_extended_once_and_in_time(units: UnitsOfWork) -> None:
    desk = Desk(units, "CN")
    complaint_id = complaint(desk)
    with pytest.raises(Conflict, match="run out"):
        desk.do(protections.extend_complaint, SOFIA, complaint_id=complaint_id, reason="x",
                business_date=date(2026, 3, 18))  # fmt: skip
    desk.do(protections.extend_complaint, SOFIA, complaint_id=complaint_id, reason="waits for the recording",
            business_date=date(2026, 3, 17))  # fmt: skip
    assert desk.row(t.Complaint, complaint_id).extended_to_on == date(2026, 5, 1)
    with pytest.raises(Conflict, match="extended already"):
        desk.do(protections.extend_complaint, SOFIA, complaint_id=complaint_id, reason="x", business_date=TODAY)


def test_a_complaint_at_the_regulator_stops_collection_until_it_is_closed(desk: Desk) -> None:
    complaint_id = complaint(desk, ComplaintChannel.REGULATOR)
    assert desk.call().error_code == "HS-COMPLAINT"
    with pytest.raises(NotAllowed):
        desk.do(protections.close_complaint, complaint_id=complaint_id, outcome=ComplaintOutcome.REJECTED,
                root_cause="none", business_date=TODAY)  # fmt: skip
    desk.do(protections.close_complaint, SOFIA, complaint_id=complaint_id, outcome=ComplaintOutcome.UPHELD,
            root_cause="wrong number on file", redress_minor=5_000, currency="USD", business_date=TODAY)  # fmt: skip
    assert desk.stops() == []
    assert desk.row(t.Complaint, complaint_id).redress_amount == 5_000


def test_a_hardship_is_answered_in_time_and_looked_at_again(units: UnitsOfWork) -> None:
    desk = Desk(units, "CN")
    hardship_id = desk.do(
        protections.record_hardship, case_id=desk.case_id, reason=HardshipReason.ILLNESS, business_date=TODAY,
        stops_contact=True,
    )  # fmt: skip
    assert desk.row(t.Hardship, hardship_id).review_on == date(2026, 3, 11)
    assert desk.stops() == ["vulnerable"]
    with pytest.raises(InvalidInput, match="or “none” alone"):
        desk.do(protections.review_hardship, SOFIA, hardship_id=hardship_id, business_date=TODAY,
                measures=[HardshipMeasure.NONE, HardshipMeasure.FEES_WAIVED])  # fmt: skip
    desk.do(protections.review_hardship, SOFIA, hardship_id=hardship_id, business_date=TODAY,
            measures=[HardshipMeasure.LOWER_PAYMENTS])  # fmt: skip
    row = desk.row(t.Hardship, hardship_id)
    assert (row.measures, row.decided_by, row.review_on) == (["lower_payments"], "sofia", date(2026, 5, 31))
    desk.do(protections.end_hardship, SOFIA, hardship_id=hardship_id, reason="works again", business_date=TODAY)
    assert desk.stops() == []


def moratorium(desk: Desk, kind: MoratoriumKind = MoratoriumKind.BREATHING_SPACE, **over: Any) -> int:
    asked = {"case_id": desk.case_id, "kind": kind, "reference": "BSS-1", "notified_on": TODAY, "business_date": TODAY}
    return desk.do(shields.start_moratorium, **(asked | over))


def test_breathing_space_stops_contact_at_once_and_the_clock_from_the_next_day(british: Desk) -> None:
    row = british.row(t.Moratorium, moratorium(british))
    assert (row.starts_on, row.ends_on, row.interest_frozen) == (date(2026, 3, 3), date(2026, 5, 1), True)
    assert british.call().error_code == "HS-MORATORIUM"
    with british.units.database.reading() as session:
        pause = session.scalars(sa.select(t.DelinquencyPause)).one()
        task = session.get_one(t.LedgerTask, british.account_id)
    assert (pause.from_on, pause.until_on, task.from_on) == (date(2026, 3, 3), date(2026, 5, 1), date(2026, 3, 3))


def test_breathing_space_is_given_once_in_a_year_and_only_where_the_rule_holds(british: Desk) -> None:
    first = moratorium(british)
    with pytest.raises(Conflict, match="running already"):
        moratorium(british)
    british.do(shields.end_moratorium, SOFIA, moratorium_id=first, reason="adviser ended it", business_date=TODAY)
    assert british.stops() == []
    with pytest.raises(Conflict, match="once in that time"):
        moratorium(british)
    with pytest.raises(InvalidInput, match="no rule gives"):
        moratorium(british, MoratoriumKind.SERVICE_MEMBER)


def test_a_mental_crisis_runs_thirty_days_beyond_the_treatment_and_then_ends_by_itself(british: Desk) -> None:
    row_id = moratorium(british, MoratoriumKind.MENTAL_CRISIS)
    assert british.row(t.Moratorium, row_id).ends_on is None
    british.do(shields.end_moratorium, SOFIA, moratorium_id=row_id, reason="treatment ended", business_date=TODAY,
               event_on=date(2026, 2, 25))  # fmt: skip
    assert british.row(t.Moratorium, row_id).ends_on == date(2026, 3, 27)
    assert british.stops() == ["moratorium"]
    with british.units.begin() as uow:
        assert shields.expire(uow, business_date=date(2026, 3, 27)) == {"moratoria_ended": 0}
        assert shields.expire(uow, business_date=date(2026, 3, 28)) == {"moratoria_ended": 1}
        assert shields.expire(uow, business_date=date(2026, 3, 28)) == {"moratoria_ended": 0}
    assert british.stops() == []


def test_a_stop_needs_what_must_be_known_of_it_and_only_a_supervisor_lifts_it(desk: Desk) -> None:
    with pytest.raises(InvalidInput, match="the lawyer's name and how to reach them"):
        desk.do(shields.set_stop, case_id=desk.case_id, code=StopCode.ATTORNEY, evidence=" ")
    stop_id = desk.do(shields.set_stop, case_id=desk.case_id, code=StopCode.ATTORNEY, evidence="L. Frey, 555 0100")
    assert desk.facts()["is_stopped"]
    with pytest.raises(Conflict, match="stands already"):
        desk.do(shields.set_stop, case_id=desk.case_id, code=StopCode.ATTORNEY, evidence="again")
    asked = {"stop_id": stop_id, "reason": ReleaseReason.RESOLVED, "evidence": "the lawyer's letter of 1 March"}
    with pytest.raises(NotAllowed):
        desk.do(shields.release_stop, **asked)
    desk.do(shields.release_stop, SOFIA, **asked)
    flag = desk.row(t.StopFlag, stop_id)
    assert (flag.released_by, flag.release_reason) == ("sofia", "resolved: the lawyer's letter of 1 March")
    assert not desk.facts()["is_stopped"]


def test_a_stop_that_belongs_to_a_dispute_goes_with_its_answer_only(desk: Desk) -> None:
    stop_id = desk.row(t.Dispute, dispute(desk)).stop_flag_id
    with pytest.raises(Conflict, match="a dispute holds this stop"):
        desk.do(shields.release_stop, SOFIA, stop_id=stop_id, reason=ReleaseReason.RESOLVED, evidence="x")
    with pytest.raises(InvalidInput, match="comes with a dispute"):
        desk.do(shields.set_stop, case_id=desk.case_id, code=StopCode.MORATORIUM, evidence="x")


def test_another_agents_case_does_not_exist(desk: Desk) -> None:
    desk.mara = Actor(id=9, name="jonas", role=Role.AGENT, agent_id=999)
    with pytest.raises(NotFound):
        hold(desk)
    with pytest.raises(NotFound):
        dispute(desk)


def test_the_clocks_are_sorted_by_the_day_on_which_they_run_out(british: Desk, clock: FixedClock) -> None:
    complaint(british)
    dispute(british, received_on=TODAY - timedelta(days=40))
    british.do(protections.record_hardship, case_id=british.case_id, reason=HardshipReason.DIVORCE, business_date=TODAY)
    moratorium(british)
    with british.units.database.reading() as session:
        due = clocks.list_due(session, as_of=TODAY)
    assert [(row.kind, row.due_on, row.is_overdue) for row in due] == [
        (clocks.ClockKind.DISPUTE, date(2026, 2, 20), True),
        (clocks.ClockKind.HARDSHIP, date(2026, 3, 16), False),
        (clocks.ClockKind.COMPLAINT, date(2026, 4, 27), False),
        (clocks.ClockKind.MORATORIUM, date(2026, 5, 1), False),
    ]
