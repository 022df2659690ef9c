from xml.etree import ElementTree as Xml

import pytest
import sqlalchemy as sa

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.contact import AttemptStatus, Channel, Mode
from collections_app.domain.errors import Conflict
from collections_app.domain.outcomes import Disposition, Outcome
from collections_app.services import robocalls
from tests.conftest import FixedClock
from tests.factories import make_account, make_attempt, make_case, make_customer, make_episode
from voice.calls import CallOrder, CallResult, CallStatus
from voice.telephony.simulator import Answer, ScriptedCallee, SimulatedCarrier

PROMISE = ("yes speaking", "it is seven three two one", "i will pay fifty dollars on friday", "yes")
URL = "https://house.example/webhooks/twilio/voice?attempt=1"


def planned(
    units: UnitsOfWork, *, name: str | None = "Mary Brown", currency: str = "USD", arrears: int = 25_000
) -> int:
    """Make a claimed robot call on a case with one overdue account ending in 7321."""
    with units.begin() as uow:
        customer = make_customer(uow.session, full_name=name)
        case = make_case(uow.session, customer_id=customer.id, account=None)
        account = make_account(
            uow.session,
            customer_id=customer.id,
            account_ref=f"LN-{customer.id}-7321",
            currency=currency,
            arrears_amount=arrears,
        )
        make_episode(uow.session, account_id=account.id, case_id=case.id)
        attempt = make_attempt(
            uow.session, case_id=case.id, channel=Channel.VOICE, mode=Mode.AI_VOICE, actor_kind="robot",
            status=AttemptStatus.SENDING,
        )  # fmt: skip
        return attempt.id


def attempt_of(units: UnitsOfWork, attempt_id: int) -> t.ContactAttempt:
    with units.database.reading() as session:
        return session.get_one(t.ContactAttempt, attempt_id)


def call(units: UnitsOfWork, attempt_id: int, *replies: str, answer: Answer = Answer.PERSON) -> CallResult:
    carrier = SimulatedCarrier(lambda order: ScriptedCallee(replies, answer))
    return robocalls.run_call(units, attempt_id=attempt_id, carrier=carrier)


def test_a_promise_on_the_line_becomes_a_promise_in_the_house(units: UnitsOfWork) -> None:
    attempt_id = planned(units)
    call(units, attempt_id, *PROMISE)
    attempt = attempt_of(units, attempt_id)
    assert (attempt.status, attempt.outcome, attempt.disposition) == (
        AttemptStatus.DELIVERED, Outcome.RPC, Disposition.PTP,
    )  # fmt: skip
    with units.database.reading() as session:
        promise = session.scalars(sa.select(t.Promise)).one()
        robot = session.scalars(sa.select(t.RobotCall)).one()
    assert (promise.amount, promise.attempt_id, promise.made_by) == (5_000, attempt_id, "robot")
    assert [turn["state"] for turn in robot.turns][-1] == robot.state == "end_promised"
    assert robot.result["promise_id"] == promise.id


def test_stop_is_written_before_anything_else_can_be_sent(units: UnitsOfWork) -> None:
    attempt_id = planned(units)
    call(units, attempt_id, "stop calling me")
    with units.database.reading() as session:
        opt_out = session.scalars(sa.select(t.OptOut)).one()
    assert opt_out.raw_text == "stop calling me"


def test_a_promise_that_the_house_refuses_stays_on_the_call(units: UnitsOfWork, clock: FixedClock) -> None:
    attempt_id = planned(units)

    class PaidMeanwhile:
        name = "simulator"

        def place(self, order: CallOrder) -> CallResult:
            result = SimulatedCarrier(lambda _: ScriptedCallee(PROMISE)).place(order)
            with units.begin() as uow:
                uow.session.execute(sa.update(t.Account).values(arrears_amount=1_000))
            return result

    robocalls.run_call(units, attempt_id=attempt_id, carrier=PaidMeanwhile())
    with units.database.reading() as session:
        assert session.scalars(sa.select(t.Promise)).all() == []
        assert "more than what is overdue" in session.scalars(sa.select(t.RobotCall)).one().result["promise_refused"]


@pytest.mark.parametrize(
    ("over", "code"),
    [({"name": None}, "no_name"), ({"currency": "CNY"}, "no_currency"), ({"arrears": 0}, "nothing_overdue")],
)
def test_a_robot_that_cannot_speak_properly_does_not_dial(
    units: UnitsOfWork, over: dict[str, object], code: str
) -> None:
    attempt_id = planned(units, **over)  # type: ignore[arg-type]
    assert call(units, attempt_id, *PROMISE).status is CallStatus.REFUSED
    attempt = attempt_of(units, attempt_id)
    assert (attempt.status, attempt.error_code, attempt.outcome) == (AttemptStatus.FAILED, code, None)


@pytest.mark.parametrize(
    ("status", "expected"),
    [(CallStatus.PLACED, AttemptStatus.SENT), (CallStatus.REFUSED, AttemptStatus.FAILED),
     (CallStatus.UNCERTAIN, AttemptStatus.UNCERTAIN)],
)  # fmt: skip
def test_a_real_carriers_answer_is_kept(units: UnitsOfWork, status: CallStatus, expected: AttemptStatus) -> None:
    class Carrier:
        name = "twilio"

        def place(self, order: CallOrder) -> CallResult:
            return CallResult(status, self.name, provider_ref="CA1")

    attempt_id = planned(units)
    robocalls.run_call(units, attempt_id=attempt_id, carrier=Carrier())
    attempt = attempt_of(units, attempt_id)
    assert (attempt.status, attempt.provider, attempt.provider_ref) == (expected, "twilio", "CA1")


def say(units: UnitsOfWork, attempt_id: int, heard: str | None, *, machine: bool = False) -> Xml.Element:
    with units.begin() as uow:
        text = robocalls.next_turn(uow, attempt_id=attempt_id, heard=heard, action_url=URL, answered_by_machine=machine)
    return Xml.fromstring(text)


def test_the_webhook_walks_the_same_script_turn_by_turn(units: UnitsOfWork) -> None:
    attempt_id = planned(units)
    answers = [say(units, attempt_id, heard) for heard in (None, *PROMISE)]
    assert [answer[0].tag for answer in answers] == ["Gather"] * 4 + ["Say"]
    assert attempt_of(units, attempt_id).disposition is Disposition.PTP
    with units.database.reading() as session:
        robot = session.scalars(sa.select(t.RobotCall)).one()
        assert session.scalars(sa.select(t.Promise)).one().amount == 5_000
    assert [turn["heard"] for turn in robot.turns] == [*PROMISE, None]
    with pytest.raises(Conflict):
        say(units, attempt_id, "hello")


def test_nothing_is_said_to_a_machine(units: UnitsOfWork) -> None:
    attempt_id = planned(units)
    assert [e.tag for e in say(units, attempt_id, None, machine=True)] == ["Hangup"]
    assert attempt_of(units, attempt_id).outcome is Outcome.VOICEMAIL


def test_the_carriers_last_word_settles_a_call_once(units: UnitsOfWork) -> None:
    unanswered, hung_up = planned(units), planned(units)
    say(units, hung_up, None)
    with units.begin() as uow:
        assert robocalls.close_call(uow, attempt_id=unanswered, carrier_status="no-answer")
        assert robocalls.close_call(uow, attempt_id=hung_up, carrier_status="completed", seconds=9)
    with units.begin() as uow:
        assert not robocalls.close_call(uow, attempt_id=hung_up, carrier_status="completed")
    assert attempt_of(units, unanswered).outcome is Outcome.NO_ANSWER
    assert attempt_of(units, hung_up).disposition is Disposition.HANGUP
