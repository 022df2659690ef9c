"""What we ask of whoever carries text messages, and the three ways in which a send can go wrong.

Which of the three it is decides everything: *rejected* and *unavailable* mean that nothing left the
house; *uncertain* means that it may have, and then it is never sent again (docs/decisions/0003).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from collections_app.domain.contact import AttemptStatus


@dataclass(frozen=True)
class SmsMessage:
    """One text to one number. ``attempt_id`` comes back with the carrier's receipts."""

    attempt_id: int
    to: str
    body: str


@dataclass(frozen=True)
class SendReceipt:
    """The carrier took the message under this reference."""

    provider: str
    provider_ref: str


@dataclass(frozen=True)
class StatusReport:
    """The carrier's word on a message, translated. ``status`` None = it changes nothing for us."""

    provider: str
    provider_ref: str
    word: str
    status: AttemptStatus | None
    error_code: str | None = None
    attempt_id: int | None = None
    is_opt_out: bool = False
    is_dead_number: bool = False


@dataclass(frozen=True)
class SentQuery:
    """What we know of a send whose answer we never got."""

    attempt_id: int
    to: str
    body: str
    sent_at: datetime
    provider_ref: str | None = None


class GatewayError(Exception):
    """A send that did not end with a reference. ``code`` is the carrier's own."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class GatewayRejected(GatewayError):
    """The carrier refused this message for good; nothing was sent."""

    def __init__(self, code: str, message: str, *, is_opt_out: bool = False, is_dead_number: bool = False) -> None:
        super().__init__(code, message)
        self.is_opt_out = is_opt_out
        self.is_dead_number = is_dead_number


class GatewayUnavailable(GatewayError):
    """The carrier could not be asked, or asked us to slow down; nothing was sent."""


class GatewayUncertain(GatewayError):
    """The request left and no clear answer came: the message may be on its way."""


class SmsGateway(Protocol):
    """A carrier of text messages."""

    name: str

    def send(self, message: SmsMessage) -> SendReceipt:
        """Send once, without retrying; raise a GatewayError when there is no reference."""
        ...

    def find(self, query: SentQuery) -> StatusReport | None:
        """Ask the carrier what became of an uncertain send; None = it does not know."""
        ...


def mask_number(number: str) -> str:
    """Keep the country and the last two digits, so that a log line names nobody."""
    return number[:2] + "*" * max(0, len(number) - 4) + number[-2:]


def segments(body: str) -> int:
    """Count the parts that a carrier bills: 160/153 characters in GSM-7, 70/67 in UCS-2 (brief §5.6)."""
    # ASCII stands for GSM-7: a text with an accented letter is counted too high rather than too low.
    one, many = (160, 153) if body.isascii() else (70, 67)
    return 1 if len(body) <= one else -(-len(body) // many)
