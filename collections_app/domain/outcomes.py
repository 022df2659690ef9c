"""The catalogue: what happened to an attempt (outcome) and what the person said (disposition).

Each entry states its consequences as data, so that no service needs an ``if`` per code.
"""

from dataclasses import dataclass
from enum import StrEnum

from collections_app.domain.contact import StopCode


class Outcome(StrEnum):
    """What happened to an attempt (domain brief §8.8)."""

    NO_ANSWER = "no_answer"
    BUSY = "busy"
    FAILED = "failed"
    VOICEMAIL = "voicemail"
    ANSWERED_UNVERIFIED = "answered_unverified"
    RPC = "rpc"
    THIRD_PARTY = "third_party"
    WRONG_PARTY = "wrong_party"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"


class Disposition(StrEnum):
    """What the person said."""

    PTP = "ptp"
    ALREADY_PAID = "already_paid"
    REFUSED = "refused"
    DISPUTE = "dispute"
    HARDSHIP = "hardship"
    CALLBACK = "callback"
    OPT_OUT = "opt_out"
    ATTORNEY = "attorney"
    DECEASED = "deceased"
    BANKRUPT = "bankrupt"
    HANGUP = "hangup"
    NONE = "none"


@dataclass(frozen=True)
class OutcomeRule:
    """Consequences of an outcome. ``connects``: a person or machine answered, media flowed."""

    label: str
    connects: bool = False
    conversation: bool = False
    retires_point: bool = False


@dataclass(frozen=True)
class DispositionRule:
    """Consequences of a disposition."""

    label: str
    key: str
    needs_rpc: bool = True
    stop: StopCode | None = None
    opts_out: bool = False
    cool_days: int = 0


OUTCOMES: dict[Outcome, OutcomeRule] = {
    Outcome.NO_ANSWER: OutcomeRule("No answer"),
    Outcome.BUSY: OutcomeRule("Busy"),
    Outcome.FAILED: OutcomeRule("Number does not work", retires_point=True),
    Outcome.VOICEMAIL: OutcomeRule("Voicemail", connects=True),
    Outcome.ANSWERED_UNVERIFIED: OutcomeRule("Answered, identity not confirmed", connects=True),
    Outcome.RPC: OutcomeRule("Spoke with the customer", connects=True, conversation=True),
    Outcome.THIRD_PARTY: OutcomeRule("Somebody else answered", connects=True),
    Outcome.WRONG_PARTY: OutcomeRule("Wrong number", connects=True, retires_point=True),
    Outcome.DELIVERED: OutcomeRule("Delivered"),
    Outcome.UNDELIVERED: OutcomeRule("Not delivered"),
}

DISPOSITIONS: dict[Disposition, DispositionRule] = {
    Disposition.PTP: DispositionRule("Promised to pay", "p"),
    Disposition.ALREADY_PAID: DispositionRule("Says it is paid", "a", cool_days=2),
    Disposition.REFUSED: DispositionRule("Will not pay", "r", cool_days=3),
    Disposition.DISPUTE: DispositionRule("Disputes the debt", "d", stop=StopCode.DISPUTE),
    Disposition.HARDSHIP: DispositionRule("Cannot pay now (hardship)", "h", cool_days=7),
    Disposition.CALLBACK: DispositionRule("Asked to be called back", "c"),
    Disposition.OPT_OUT: DispositionRule("Asked us to stop", "o", needs_rpc=False, opts_out=True),
    Disposition.ATTORNEY: DispositionRule("Has an attorney", "t", stop=StopCode.ATTORNEY),
    Disposition.DECEASED: DispositionRule("Is deceased", "x", needs_rpc=False, stop=StopCode.DECEASED),
    Disposition.BANKRUPT: DispositionRule("Filed for bankruptcy", "b", stop=StopCode.BANKRUPTCY),
    Disposition.HANGUP: DispositionRule("Hung up", "u", needs_rpc=False),
    Disposition.NONE: DispositionRule("Nothing more", "n", needs_rpc=False),
}
