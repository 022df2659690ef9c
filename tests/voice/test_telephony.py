from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from twilio.base.exceptions import TwilioRestException

from collections_app.domain.errors import NotConfigured
from collections_app.domain.outcomes import Disposition, Outcome
from tests.voice.test_dialogue import CONTEXT, SCRIPT
from voice import audio
from voice.calls import CHANNEL_MAP, CallOrder, CallStatus
from voice.telephony.simulator import Answer, Passerby, ScriptedCallee, SimulatedCarrier, telephone_pair
from voice.telephony.twilio import TwilioCarrier

ORDER = CallOrder(7, "+15125550100", SCRIPT, CONTEXT, datetime(2026, 3, 2, 17, tzinfo=UTC))
PROMISE = ("yes speaking", "it is seven three two one", "i will pay fifty dollars on friday", "yes")


def test_the_simulator_walks_the_real_script() -> None:
    result = SimulatedCarrier(lambda order: ScriptedCallee(PROMISE)).place(ORDER)
    assert result.settled is not None
    assert result.settled.disposition is Disposition.PTP
    assert [turn.state for turn in result.turns] == [
        "greet",
        "identify",
        "disclose",
        "confirm",
        "end_promised",
    ]
    assert result.audio is None
    assert result.seconds > 20


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [(Answer.NOBODY, Outcome.NO_ANSWER), (Answer.MACHINE, Outcome.VOICEMAIL), (Answer.BUSY, Outcome.BUSY)],
)
def test_a_call_that_nobody_answers_has_no_turns(answer: Answer, outcome: Outcome) -> None:
    result = SimulatedCarrier(lambda order: ScriptedCallee((), answer)).place(ORDER)
    assert result.turns == ()
    assert result.settled is not None
    assert result.settled.outcome is outcome


def test_hanging_up_is_a_disposition_and_talking_in_circles_ends() -> None:
    hung_up = SimulatedCarrier(lambda order: ScriptedCallee(PROMISE[:2])).place(ORDER).settled
    assert hung_up is not None
    assert (hung_up.outcome, hung_up.disposition) == (Outcome.RPC, Disposition.HANGUP)
    circles = ("yes", "7321", *(["no", "are you a robot"] * 40))
    assert SimulatedCarrier(lambda order: ScriptedCallee(circles)).place(ORDER).settled is not None


def test_the_same_attempt_meets_the_same_passerby() -> None:
    orders = [replace(ORDER, attempt_id=n) for n in range(60)]
    first = [SimulatedCarrier(Passerby).place(order) for order in orders]
    assert first == [SimulatedCarrier(Passerby).place(order) for order in orders]
    assert len({r.settled.disposition for r in first if r.settled}) > 4


@pytest.mark.speech
def test_a_simulated_call_is_recorded_on_two_channels_the_same_each_time() -> None:
    carrier = SimulatedCarrier(lambda order: ScriptedCallee(PROMISE), synthesiser=telephone_pair)
    result = carrier.place(ORDER)
    assert result.audio is not None
    assert result.audio == carrier.place(ORDER).audio
    sound = audio.read(result.audio, channels=len(CHANNEL_MAP))
    assert (sound.rate, sound.warnings) == (8_000, ())
    starts = [turn.prompt_at_ms for turn in result.turns]
    assert starts == sorted(s for s in starts if s is not None)


class _Calls:
    """Stands where the SDK's client stands: keeps what it was asked, answers as told."""

    def __init__(self, answer: Exception | None = None) -> None:
        self.calls = self
        self.sid = "CA1"
        self.asked: dict[str, Any] = {}
        self._answer = answer

    def create(self, **asked: Any) -> "_Calls":
        self.asked = asked
        if self._answer is not None:
            raise self._answer
        return self


def twilio(client: _Calls) -> TwilioCarrier:
    return TwilioCarrier(
        account_sid="AC1", auth_token="t", sender="+1", public_url="https://house.example/", client=client  # type: ignore[arg-type]
    )  # fmt: skip


def test_twilio_is_asked_for_two_channels_and_told_our_webhooks() -> None:
    client = _Calls()
    result = twilio(client).place(ORDER)
    assert (result.status, result.provider_ref) == (CallStatus.PLACED, "CA1")
    assert client.asked["recording_channels"] == "dual"
    assert client.asked["url"] == "https://house.example/webhooks/twilio/voice?attempt=7"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (TwilioRestException(400, "/Calls", code=21211), CallStatus.REFUSED),
        (TwilioRestException(500, "/Calls"), CallStatus.UNCERTAIN),
        (requests.ConnectTimeout(), CallStatus.REFUSED),
        (requests.ReadTimeout(), CallStatus.UNCERTAIN),
        (requests.ConnectionError(), CallStatus.UNCERTAIN),
    ],
)
def test_only_a_clear_no_counts_as_not_placed(error: Exception, status: CallStatus) -> None:
    assert twilio(_Calls(error)).place(ORDER).status is status


def test_missing_credentials_are_named_together() -> None:
    with pytest.raises(NotConfigured, match="TWILIO_ACCOUNT_SID and TWILIO_FROM"):
        TwilioCarrier(account_sid="", auth_token="t", sender="", public_url="https://x")
