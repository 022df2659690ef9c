"""The town's end of the line: text messages arrive, telephones ring, people answer the robot.

``TownSms`` and ``TownCallee`` stand where a carrier stands, so that dispatch, the dialogue engine and
the receipts run as they are. Which customer a number belongs to is looked up here, by the number.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from collections_app.domain.contact import AttemptStatus
from collections_app.domain.outcomes import Disposition, Outcome
from collections_app.gateways.sms import (
    GatewayRejected,
    SendReceipt,
    SentQuery,
    SmsMessage,
    StatusReport,
)
from collections_app.town.behaviour import Answer as Said
from collections_app.town.behaviour import Behaviour
from collections_app.town.clock import TownClock
from collections_app.town.population import PointTruth
from voice.calls import CallOrder
from voice.dialogue.spoken import say_amount, say_digits
from voice.telephony.simulator import Answer, Callee, HungUp

PROVIDER = "town"
_LONGEST_ROBOT_PROMISE = 6  # days: a customer names a weekday, so it lies within a week

_RINGS = {
    Outcome.RPC: Answer.PERSON,
    Outcome.THIRD_PARTY: Answer.PERSON,
    Outcome.WRONG_PARTY: Answer.PERSON,
    Outcome.ANSWERED_UNVERIFIED: Answer.PERSON,
    Outcome.VOICEMAIL: Answer.MACHINE,
    Outcome.BUSY: Answer.BUSY,
    Outcome.NO_ANSWER: Answer.NOBODY,
    Outcome.FAILED: Answer.NOBODY,
}
_WORDS = {
    Disposition.ALREADY_PAID: "i already paid this",
    Disposition.REFUSED: "i refuse",
    Disposition.HARDSHIP: "i lost my job",
    Disposition.DISPUTE: "i dispute this debt",
    Disposition.CALLBACK: "call me back tomorrow",
    Disposition.OPT_OUT: "please stop calling me",
    Disposition.ATTORNEY: "talk to my attorney",
    Disposition.BANKRUPT: "i filed for bankruptcy",
    Disposition.DECEASED: "he passed away",
}


@dataclass
class TownSms:
    """A carrier of text messages whose receivers live in the town. Receipts wait until they are fetched."""

    points: dict[str, int]
    behaviour: Behaviour
    name: str = PROVIDER
    _receipts: list[StatusReport] = field(default_factory=list)

    def send(self, message: SmsMessage) -> SendReceipt:
        """Take a message; a dead number is refused as a real carrier refuses it."""
        point = self.points.get(message.to)
        if point is not None and self.behaviour.town.points.truth[point] == PointTruth.DEAD:
            raise GatewayRejected("30005", "unknown destination handset", is_dead_number=True)
        reference = f"TS{message.attempt_id:010d}"
        self._receipts.append(
            StatusReport(PROVIDER, reference, "delivered", AttemptStatus.DELIVERED, attempt_id=message.attempt_id)
        )
        return SendReceipt(PROVIDER, reference)

    def find(self, query: SentQuery) -> StatusReport | None:
        """Know nothing of a send that was never answered: in the town every send is answered."""
        return None

    def receipts(self) -> list[StatusReport]:
        """Hand over the receipts that came in since the last time."""
        waiting, self._receipts = self._receipts, []
        return waiting


@dataclass
class TownCallee:
    """Whoever picks up the number that the robot dials, in words."""

    order: CallOrder
    met: Outcome
    said: Said

    def answers(self) -> Answer:
        """Say what the ringing meets."""
        return _RINGS[self.met]

    def reply(self, prompt: str, state: str) -> str | None:
        """Answer the robot according to who this is and what the person wants to say."""
        if self.met is Outcome.WRONG_PARTY:
            return "you have the wrong number"
        if self.met is Outcome.THIRD_PARTY:
            return "he is not home right now"
        if self.met is Outcome.ANSWERED_UNVERIFIED:
            if state.startswith("greet"):
                return "who is this"
            raise HungUp
        if state in ("greet", "bot"):
            return "he passed away" if self.said.disposition is Disposition.DECEASED else "yes speaking"
        if state.startswith("identify"):
            return f"it is {say_digits(self.order.context.identity_digits)}"
        if state == "confirm":
            return "yes that is correct"
        return self._business()

    def _business(self) -> str | None:
        if self.said.disposition is Disposition.PTP:
            day = self.order.context.today + timedelta(days=self.said.promise_days)
            amount = say_amount(self.said.promise_amount, self.order.context.currency)
            return f"i can pay {amount} on {day:%A}".lower()
        if self.said.disposition is Disposition.HANGUP:
            raise HungUp
        return _WORDS.get(self.said.disposition)


def callees(points: dict[str, int], behaviour: Behaviour, clock: TownClock) -> Callable[[CallOrder], Callee]:
    """Return who answers an order: the town's person behind the number, at the town's hour."""

    def pick_up(order: CallOrder) -> Callee:
        point = points.get(order.to)
        if point is None:
            return TownCallee(order, Outcome.NO_ANSWER, Said(Outcome.NO_ANSWER))
        met = behaviour.answer(point, clock.now)
        customer = int(behaviour.town.points.owner[point])
        said = behaviour.converse(customer, order.context.amount_minor, clock.now, by_robot=True)
        days = min(said.promise_days, _LONGEST_ROBOT_PROMISE)
        amount = max(said.promise_amount // 100 * 100, 100)
        return TownCallee(order, met, Said(said.outcome, said.disposition, said.talk_seconds, amount, days))

    return pick_up
