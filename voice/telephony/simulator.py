"""A telephone network in a box: the real dialogue engine against a simulated callee.

Without a synthesiser only words are exchanged (thousands of calls a second); with one the call also
becomes a two-channel recording. When not to use: production; its settings refuse it.
"""

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from collections_app.domain.outcomes import Disposition, Outcome
from voice.calls import CHANNEL_MAP, CallOrder, CallResult, CallStatus, Turn, last_turn, next_turn
from voice.dialogue import engine
from voice.dialogue.engine import Settled
from voice.dialogue.spoken import say_amount, say_digits
from voice.synthesis import Line, Synthesiser, Voice

ROBOT_VOICE = Voice("en-us+m7", 150, 45)
_MOST_TURNS = 30
_PAUSE_MS = 500
_WORDS_PER_SECOND = 2.6


class Answer(StrEnum):
    """What happens when the telephone rings."""

    PERSON = "person"
    MACHINE = "machine"
    NOBODY = "nobody"
    BUSY = "busy"


class HungUp(Exception):
    """The callee put the telephone down instead of answering."""


class Callee(Protocol):
    """The person at the other end."""

    def answers(self) -> Answer:
        """Say what the ringing meets."""
        ...

    def reply(self, prompt: str, state: str) -> str | None:
        """Answer a prompt; None is silence; raise HungUp to end the call."""
        ...


@dataclass
class ScriptedCallee:
    """Says the given replies one after another, then hangs up."""

    replies: Sequence[str | None]
    answer: Answer = Answer.PERSON
    _said: int = field(default=0, init=False)

    def answers(self) -> Answer:
        """Return the answer given."""
        return self.answer

    def reply(self, prompt: str, state: str) -> str | None:
        """Return the next reply."""
        if self._said >= len(self.replies):
            raise HungUp
        self._said += 1
        return self.replies[self._said - 1]


# How people answer each kind of line; drawn by the attempt, so the same order always meets the same person.
_REPLIES: dict[str, tuple[str, ...]] = {
    "greet": ("yes speaking", "yes this is {name}", "who is this", "he is not home right now",
              "you have the wrong number"),
    "bot": ("yes",),
    "disclose": (
        "yes i can", "i will pay on friday", "i lost my job", "i already paid this",
        "i can pay {half} on friday", "i dispute this debt", "not today",
        "please stop calling me", "call me back tomorrow",
    ),
    "ask_date": ("i can pay on friday", "tomorrow"),
    "ask_amount": ("i can pay {half}", "the full amount"),
    "confirm": ("yes that is correct",),
}  # fmt: skip


class Passerby:
    """Any customer: answers or not, tells the identity digits, then reacts in one of many ways."""

    def __init__(self, order: CallOrder) -> None:
        seed = hashlib.sha256(f"callee {order.attempt_id}".encode()).digest()
        self._draw = random.Random(seed)  # noqa: S311 (a simulation)
        self._order = order

    def answers(self) -> Answer:
        """Answer half of the time."""
        return self._draw.choices((Answer.PERSON, Answer.NOBODY, Answer.MACHINE, Answer.BUSY), weights=(50, 30, 15, 5))[
            0
        ]

    def reply(self, prompt: str, state: str) -> str | None:
        """Return a reply that fits the state."""
        context = self._order.context
        if state.startswith("identify"):
            return f"it is {say_digits(context.identity_digits)}"
        text = self._draw.choice(_REPLIES.get(state, ("yes",)))
        half = say_amount(max(context.amount_minor // 200, 1) * 100, context.currency)
        return text.format(name=context.name.lower(), half=half)


class SimulatedCarrier:
    """Runs each call to its end at once."""

    name = "simulator"

    def __init__(
        self,
        callee: Callable[[CallOrder], Callee] = Passerby,
        *,
        synthesiser: Callable[[CallOrder], Synthesiser] | None = None,
    ) -> None:
        self._callee = callee
        self._synthesiser = synthesiser

    def place(self, order: CallOrder) -> CallResult:
        """Ring, talk, hang up; the recording is made when there is a synthesiser."""
        callee = self._callee(order)
        answer = callee.answers()
        reference = f"sim-{order.attempt_id}"
        if answer is not Answer.PERSON:
            return CallResult(
                CallStatus.ENDED, self.name, reference, settled=Settled(_UNANSWERED[answer], Disposition.NONE)
            )
        turns, settled = converse(order, callee)
        seconds = round(sum(len((t.prompt + " " + (t.heard or "")).split()) for t in turns) / _WORDS_PER_SECOND)
        audio = None
        if self._synthesiser is not None:
            spoken = self._synthesiser(order).speak(lines := _lines(turns), CHANNEL_MAP)
            starts = [start for line, (start, _) in zip(lines, spoken.spans, strict=True) if line.speaker == "robot"]
            turns = _timed(turns, starts)
            audio, seconds = spoken.wav(), spoken.spans[-1][1] // 1000
        return CallResult(
            CallStatus.ENDED, self.name, reference, turns=turns, settled=settled, seconds=seconds, audio=audio
        )


_UNANSWERED = {Answer.MACHINE: Outcome.VOICEMAIL, Answer.NOBODY: Outcome.NO_ANSWER, Answer.BUSY: Outcome.BUSY}


def converse(order: CallOrder, callee: Callee) -> tuple[tuple[Turn, ...], Settled]:
    """Walk the script with the callee to the end."""
    step = engine.begin(order.script, order.context)
    turns: list[Turn] = []
    while step.settled is None and len(turns) < _MOST_TURNS:
        try:
            heard = callee.reply(step.say, step.progress.state)
        except HungUp:
            return (*turns, last_turn(step)), engine.hung_up(step.progress)
        answer = engine.hear(order.script, step.progress, heard, order.context)
        turns.append(next_turn(step, heard, answer))
        step = answer
    if step.settled is None:
        # A callee who talks in circles: the carrier's limit on the length of a call ends it.
        return tuple(turns), engine.hung_up(step.progress)
    return (*turns, last_turn(step)), step.settled


def telephone_pair(order: CallOrder) -> Synthesiser:
    """Return a robot's voice and one of a few callees' voices, chosen by the attempt."""
    callees = (
        Voice("en-us+f4", 150, 55),
        Voice("en-gb+m2", 150, 45),
        Voice("en-us+m5", 155, 50),
        Voice("en-gb+f1", 145, 55),
    )
    return Synthesiser(
        {"robot": ROBOT_VOICE, "customer": callees[order.attempt_id % len(callees)]}, seed=order.attempt_id
    )


def _lines(turns: Sequence[Turn]) -> list[Line]:
    lines = []
    for turn in turns:
        if turn.prompt:
            lines.append(Line("robot", turn.prompt, _PAUSE_MS))
        if turn.heard:
            lines.append(Line("customer", turn.heard, _PAUSE_MS))
    return lines


def _timed(turns: Sequence[Turn], starts: Sequence[int]) -> tuple[Turn, ...]:
    """Give each spoken prompt its start in the recording."""
    remaining = iter(starts)
    return tuple(Turn(t.state, t.prompt, t.heard, t.intent, next(remaining) if t.prompt else None) for t in turns)
