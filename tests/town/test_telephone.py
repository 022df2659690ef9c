"""The town's people at the end of the line answer the real dialogue engine, the gateway behaves like one."""

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from collections_app.domain.contact import AttemptStatus
from collections_app.domain.outcomes import Disposition, Outcome
from collections_app.gateways.sms import GatewayRejected, SmsMessage
from collections_app.town.behaviour import Answer as Said
from collections_app.town.clock import TownClock
from collections_app.town.population import PointTruth
from collections_app.town.telephone import TownCallee, TownSms, callees
from collections_app.town.town import Town
from voice.calls import CallOrder, CallResult
from voice.dialogue.engine import Context
from voice.dialogue.script import load_script
from voice.telephony.simulator import Answer, SimulatedCarrier

NOW = datetime(2026, 8, 25, 22, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    folder = tmp_path_factory.mktemp("telephone")
    return Town.found(seed=7, size=60, start=date(2026, 8, 23), days=5, feed_folder=folder)


def order(to: str = "+12125550100", attempt_id: int = 1) -> CallOrder:
    context = Context(
        name="pat example",
        brand="figment savings bank",
        identity_digits="0042",
        amount_minor=12_000,
        currency="USD",
        due_on=date(2026, 8, 1),
        today=NOW.date(),
    )
    return CallOrder(attempt_id=attempt_id, to=to, script=load_script(), context=context, at=NOW)


def call(met: Outcome, said: Disposition = Disposition.NONE, *, amount: int = 12_000, days: int = 3) -> CallResult:
    answer = Said(Outcome.RPC, said, 30, amount, days)
    return SimulatedCarrier(lambda o: TownCallee(o, met, answer)).place(order())


def test_a_customer_who_promises_is_heard_with_amount_and_date() -> None:
    settled = call(Outcome.RPC, Disposition.PTP, amount=6_000, days=3).settled

    assert settled is not None
    assert (settled.outcome, settled.disposition) == (Outcome.RPC, Disposition.PTP)
    assert settled.promise_minor == 6_000
    assert settled.promise_on == date(2026, 8, 28)


@pytest.mark.parametrize(
    "said",
    [
        Disposition.ALREADY_PAID,
        Disposition.REFUSED,
        Disposition.HARDSHIP,
        Disposition.DISPUTE,
        Disposition.CALLBACK,
        Disposition.OPT_OUT,
        Disposition.ATTORNEY,
        Disposition.BANKRUPT,
        Disposition.HANGUP,
    ],
)
def test_what_a_customer_means_is_what_the_robot_records(said: Disposition) -> None:
    settled = call(Outcome.RPC, said).settled

    assert settled is not None
    assert settled.disposition is said


def test_somebody_else_at_the_telephone_learns_nothing() -> None:
    result = call(Outcome.THIRD_PARTY, Disposition.PTP)

    assert result.settled is not None
    assert result.settled.outcome is Outcome.THIRD_PARTY
    assert not any("due" in turn.prompt or "amount" in turn.prompt for turn in result.turns)


def test_a_wrong_number_says_so() -> None:
    settled = call(Outcome.WRONG_PARTY).settled

    assert settled is not None
    assert settled.outcome is Outcome.WRONG_PARTY


def test_an_unknown_number_is_answered_by_nobody(town: Town) -> None:
    pick_up = callees({}, town.behaviour, TownClock(NOW))

    assert pick_up(order("+19995550000")).answers() is Answer.NOBODY


def test_the_same_call_at_the_same_minute_is_answered_the_same(town: Town) -> None:
    points = {v: n for n, v in enumerate(town.people.points.value)}
    pick_up = callees(points, town.behaviour, TownClock(NOW))
    phones = [v for v in town.people.points.value if v.startswith("+")][:30]

    assert [pick_up(order(v)) for v in phones] == [pick_up(order(v)) for v in phones]


def test_a_text_to_a_living_number_is_delivered_once_fetched(town: Town, tmp_path: Path) -> None:
    gateway = TownSms({v: n for n, v in enumerate(town.people.points.value)}, town.behaviour)
    alive = int(np.flatnonzero(town.people.points.truth == PointTruth.OWN)[0])

    reference = gateway.send(SmsMessage(5, town.people.points.value[alive], "hello")).provider_ref
    report = gateway.receipts()[0]

    assert (report.provider_ref, report.status, report.attempt_id) == (reference, AttemptStatus.DELIVERED, 5)
    assert gateway.receipts() == []


def test_a_text_to_a_dead_number_is_refused(town: Town) -> None:
    gateway = TownSms({v: n for n, v in enumerate(town.people.points.value)}, town.behaviour)
    dead = int(np.flatnonzero(town.people.points.truth == PointTruth.DEAD)[0])

    with pytest.raises(GatewayRejected) as refused:
        gateway.send(SmsMessage(6, town.people.points.value[dead], "hello"))
    assert refused.value.is_dead_number
