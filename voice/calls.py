"""A robot call as ordered and as it came back: the words that carriers, services and webhooks share.

They lie beside ``telephony`` and not in it, because a web worker answers a carrier's webhook with these
words but must never load a carrier.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from voice.dialogue.engine import Context, Settled, Step
from voice.dialogue.script import Script

CHANNEL_MAP = ("customer", "robot")


@dataclass(frozen=True)
class Turn:
    """One prompt and what answered it. ``intent`` is what the script made of the answer."""

    state: str
    prompt: str
    heard: str | None
    intent: str | None
    prompt_at_ms: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the stored form."""
        return {"state": self.state, "prompt": self.prompt, "heard": self.heard, "intent": self.intent,
                "prompt_at_ms": self.prompt_at_ms}  # fmt: skip

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Turn":
        """Read the stored form."""
        return cls(**value)


@dataclass(frozen=True)
class CallOrder:
    """A call to place. A carrier that talks itself uses script and context; others ask by webhook."""

    attempt_id: int
    to: str
    script: Script
    context: Context
    at: datetime


class CallStatus(StrEnum):
    """What the carrier knows when ``place`` returns."""

    PLACED = "placed"
    """Ringing; turns and the end come by webhook."""
    ENDED = "ended"
    REFUSED = "refused"
    """Certainly not placed."""
    UNCERTAIN = "uncertain"
    """Perhaps placed: never to be placed again, to be asked for."""


@dataclass(frozen=True)
class CallResult:
    """What came of the order. ``audio`` is a two-channel WAV by CHANNEL_MAP, when it was recorded."""

    status: CallStatus
    provider: str
    provider_ref: str | None = None
    error_code: str | None = None
    turns: tuple[Turn, ...] = ()
    settled: Settled | None = None
    seconds: int = 0
    audio: bytes | None = None


class Carrier(Protocol):
    """Places calls. May block for the length of a call: never inside a transaction."""

    name: str

    def place(self, order: CallOrder) -> CallResult:
        """Place one call, at most once; never raises for what the line or the vendor did."""
        ...


def next_turn(step: Step, heard: str | None, answer: Step, *, at_ms: int | None = None) -> Turn:
    """Record the line of ``step``, what was heard, and the intent that ``answer`` found in it."""
    return Turn(step.progress.state, step.say, heard, answer.intent, at_ms)


def last_turn(step: Step, *, at_ms: int | None = None) -> Turn:
    """Record a closing line, which nobody answers."""
    return Turn(step.progress.state, step.say, None, None, at_ms)
