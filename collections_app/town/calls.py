"""Calls of the town's agents with known breaches: the truth against which speech checks are measured.

A planted call is a list of turns; ``render`` speaks it as a two-channel telephone recording. Every word is
one that the demo recogniser knows, so that what is measured is hearing and checking, not spelling.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from collections_app.domain.contact import CollectorRole
from voice.dialogue.spoken import say_number
from voice.synthesis import Line, Synthesiser, Voice

CHANNEL_MAP = ("agent", "customer")

_VOICES = (
    "en-us",
    "en-gb",
    "en-us+m2",
    "en-us+m5",
    "en-us+f1",
    "en-us+f4",
    "en-gb+m1",
    "en-gb+f2",
    "en-us+f3",
    "en-gb+m3",
)
_FIRST = (
    "james",
    "mary",
    "linda",
    "robert",
    "susan",
    "michael",
    "karen",
    "david",
    "lisa",
    "thomas",
    "nancy",
    "anna",
)
_LAST = (
    "smith",
    "johnson",
    "brown",
    "miller",
    "davis",
    "wilson",
    "taylor",
    "martin",
    "clark",
    "walker",
    "hall",
    "baker",
)
_BANKS = ("river bank", "city credit", "first national bank", "harbor loans", "blue water finance")
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")
_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True)
class Turn:
    """One speaker's line."""

    speaker: str
    text: str


@dataclass(frozen=True)
class Breach:
    """What was planted: the checklist's item and rule, and the turn in which it happens."""

    item_code: str
    rule_id: str
    turn: int


@dataclass(frozen=True)
class PlantedCall:
    """A call with its hidden truth."""

    number: int
    turns: tuple[Turn, ...]
    breaches: tuple[Breach, ...]
    collector_role: CollectorRole


@dataclass(frozen=True)
class _Plant:
    """How to break one rule: say something, or leave out or move a part of a good call."""

    item_code: str
    rule_id: str
    says: tuple[str, ...] = ()
    leaves_out: str | None = None


_SPOKEN = (
    _Plant("Q06", "threat_of_arrest", (
        "you will be arrested if you do not pay", "there is a warrant for your arrest",
        "you will go to jail for this", "we will send the sheriff to your home",
        "the police will come to your office")),
    _Plant("Q06", "threat_of_harm", (
        "pay now or else", "we know where you live", "we will ruin your life",
        "someone will come to your house tonight", "you will regret this", "you will lose everything")),
    _Plant("Q06", "threat_of_seizure", (
        "we will garnish your wages", "we will take your car", "we will freeze your bank account",
        "we will seize your property")),
    _Plant("Q07", "false_authority", (
        "i am a lawyer and i will sue you", "i am from the government", "you have committed a crime")),
    _Plant("Q08", "insult", (
        "you are a liar", "shut up and listen to me", "you are stupid", "don't be stupid you idiot",
        "you should be ashamed of yourself")),
    _Plant("Q09", "pressure_through_others", (
        "we will tell your employer about your debt", "i will call your mother about this",
        "we will tell your neighbors", "everyone will know about your debt")),
    _Plant("Q10", "unauthorised_discount", (
        "we can offer you a discount of fifty percent",
        "we can offer you a settlement of one hundred dollars")),
    _Plant("Q13", "private_payment", (
        "you can send the money to my account", "send the payment to my home address")),
)  # fmt: skip
_MOVED = (
    _Plant("Q02", "recording_notice", leaves_out="notice"),
    _Plant("Q03", "identity_before_disclosure", leaves_out="identity"),
    _Plant("Q04", "debt_collector_statement", leaves_out="statement"),
    _Plant("Q11", "stop_ignored", leaves_out="stop"),
    _Plant("Q09", "third_party_disclosure", leaves_out="third_party"),
)
# Lawful lines that sound like a breach: they keep the precision honest.
_DECOYS = (
    "no you will not be arrested for this", "we will not tell your employer", "we do not call your family",
    "we can not take your house", "i am not a lawyer", "we will never call you at work",
)  # fmt: skip


def planted_calls(seed: int, count: int) -> list[PlantedCall]:
    """Return ``count`` calls, every second one with a breach; the same seed gives the same calls."""
    rng = random.Random(f"planted calls {seed}")  # noqa: S311 (a town, not a secret)
    plants = [*_SPOKEN, *_MOVED]
    rng.shuffle(plants)
    calls = []
    for number in range(count):
        plant = plants[number // 2 % len(plants)] if number % 2 else None
        calls.append(_call(number, plant, rng))
    return calls


def render(call: PlantedCall, *, seed: int = 0) -> bytes:
    """Speak a call: two-channel 8 kHz WAV by CHANNEL_MAP, the same bytes for the same seed."""
    rng = random.Random(f"voices {seed} {call.number}")  # noqa: S311
    agent, customer = rng.sample(_VOICES, 2)
    speaker = Synthesiser(
        {
            "agent": Voice(agent, rng.randint(150, 175), rng.randint(40, 60)),
            "customer": Voice(customer, rng.randint(150, 175), rng.randint(40, 60)),
        },
        snr_db=rng.choice((20.0, 25.0, 30.0)),
        seed=rng.randrange(2**32),
    )
    lines = [Line(turn.speaker, turn.text, rng.randint(250, 600)) for turn in call.turns]
    return speaker.speak(lines, CHANNEL_MAP).wav()


def _call(number: int, plant: _Plant | None, rng: random.Random) -> PlantedCall:
    left_out = plant.leaves_out if plant else None
    third_party = left_out == "statement" or rng.random() < 0.3
    names = _Names(rng)
    if left_out == "third_party":
        turns = names.at_home(third_party)
        breach_at = len(turns) - 1
        turns.append(Turn("customer", "okay goodbye"))
    else:
        turns, breach_at = _ordinary(names, plant, third_party, rng)
    breaches: tuple[Breach, ...] = () if plant is None else (Breach(plant.item_code, plant.rule_id, breach_at),)
    if left_out == "third_party":
        # Whoever tells a stranger also tells it before any identity was confirmed.
        breaches += (Breach("Q03", "identity_before_disclosure", breach_at),)
    role = CollectorRole.THIRD_PARTY if third_party else CollectorRole.FIRST_PARTY
    return PlantedCall(number, tuple(turns), breaches, role)


def _ordinary(names: "_Names", plant: _Plant | None, third_party: bool, rng: random.Random) -> tuple[list[Turn], int]:
    """Build a call with the customer; what the plant leaves out is missing, what it says is said."""
    left_out = plant.leaves_out if plant else None
    turns = [
        Turn("agent", names.greeting),
        Turn("customer", rng.choice(("yes this is {name}", "yes speaking")).format(name=names.customer)),
    ]
    notice = "" if left_out == "notice" else f"{rng.choice(_NOTICES)} "
    disclosure = names.disclosure(third_party and left_out != "statement")
    if left_out == "identity":
        turns.append(Turn("agent", f"{notice}{disclosure}"))
        breach_at = len(turns) - 1
    else:
        turns.append(Turn("agent", f"{notice}{rng.choice(_QUESTIONS)}"))
        turns.append(Turn("customer", f"it is {names.digits}"))
        turns.append(Turn("agent", f"thank you for confirming that {disclosure}"))
        breach_at = len(turns) - 1
    if plant is not None and plant.says:
        turns.append(Turn("customer", rng.choice(_EXCUSES)))
        turns.append(Turn("agent", rng.choice(plant.says)))
        breach_at = len(turns) - 1
        turns.append(Turn("customer", rng.choice(("this is harassment", "i will report you", "you people are rude"))))
    elif plant is None and rng.random() < 0.5:
        turns.append(Turn("customer", rng.choice(("will i go to jail", "will you call my employer", "i lost my job"))))
        turns.append(Turn("agent", rng.choice(_DECOYS)))
    if left_out == "stop" or (plant is None and rng.random() < 0.3):
        turns.append(Turn("customer", "please stop calling me"))
        if left_out == "stop":
            breach_at = len(turns) - 1
            turns.append(Turn("agent", "when can you make a payment"))
        else:
            turns.append(Turn("agent", "i understand we will stop calling this number"))
    else:
        turns.append(Turn("customer", names.promise))
    turns.append(Turn("agent", rng.choice(("thank you have a good day", "thank you for your time goodbye"))))
    return turns, breach_at


_NOTICES = ("this call is being recorded", "this call may be recorded for quality and training purposes",
            "please note that this call is recorded")  # fmt: skip
_QUESTIONS = ("please confirm the last four digits of your account number",
              "can you confirm the last four digits of your social security number")  # fmt: skip
_EXCUSES = (
    "i can't pay right now",
    "i don't have any money right now",
    "i lost my job",
    "i need more time to pay",
)


_TOLD = (
    "your account is past due you owe {amount}",
    "your current balance is {amount}",
    "your payment of {amount} was due on {day}",
)


class _Names:
    """The names and numbers of one call."""

    def __init__(self, rng: random.Random) -> None:
        self.customer = f"{rng.choice(_FIRST)} {rng.choice(_LAST)}"
        self.bank = rng.choice(_BANKS)
        self.digits = " ".join(rng.choice(_DIGITS) for _ in range(4))
        self.amount = f"{say_number(rng.randrange(12, 90) * 10)} dollars"
        self.promise = f"i will pay {self.amount} on {rng.choice(_DAYS)}"
        agent = f"{rng.choice(_FIRST)} {rng.choice(_LAST)}"
        self.greeting = f"good morning this is {agent} calling from {self.bank} may i speak with {self.customer} please"
        self._past_due = rng.choice(_TOLD)
        self._day = rng.choice(_DAYS)

    def disclosure(self, with_statement: bool) -> str:
        """Tell the debt; a third-party collector says first what the call is."""
        told = self._past_due.format(amount=self.amount, day=self._day)
        return f"this is an attempt to collect a debt {told}" if with_statement else told

    def at_home(self, third_party: bool) -> list[Turn]:
        """Build a call that somebody else answers and that tells them of the debt."""
        statement = "this is an attempt to collect a debt " if third_party else ""
        return [
            Turn("agent", f"{self.greeting} this call is being recorded"),
            Turn("customer", "he is not home right now this is his wife"),
            Turn("agent", f"{statement}your husband is past due tell him to call us about his debt"),
        ]


def texts(calls: Sequence[PlantedCall]) -> set[str]:
    """Return every word that the calls say: for comparing with a recogniser's vocabulary."""
    return {word for call in calls for turn in call.turns for word in turn.text.split()}
