"""A carrier that writes a line and sends nothing: for development, tests and the demonstration town.

It is a simulator, and says so in every line. It behaves as a carrier does where it matters: it gives
references, refuses the same test numbers as Twilio's test credentials, and reports back through
``on_receipt`` the way a webhook would. It keeps no text and no number.
"""

import hashlib
import json
import sys
from collections import OrderedDict
from collections.abc import Callable
from typing import TextIO

from collections_app.domain.contact import AttemptStatus
from collections_app.gateways.sms import (
    GatewayRejected,
    SendReceipt,
    SentQuery,
    SmsMessage,
    StatusReport,
    mask_number,
    segments,
)

PROVIDER = "console"
_REMEMBERED = 10_000

# Twilio's published test numbers, so that one contract test speaks to both gateways.
INVALID_NUMBER = "+15005550001"
OPTED_OUT_NUMBER = "+15005550004"
_REFUSED = {
    INVALID_NUMBER: GatewayRejected("21211", "not a phone number", is_dead_number=True),
    OPTED_OUT_NUMBER: GatewayRejected("21610", "the number has opted out", is_opt_out=True),
}


class ConsoleSmsGateway:
    """Write each message as one JSON line to ``stream``; report delivery through ``on_receipt`` if given."""

    name = PROVIDER

    def __init__(
        self, stream: TextIO | None = None, *, on_receipt: Callable[[StatusReport], None] | None = None
    ) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._on_receipt = on_receipt
        self._sent: OrderedDict[int, str] = OrderedDict()

    def send(self, message: SmsMessage) -> SendReceipt:
        """Write the line, remember the reference, report delivery."""
        if message.to in _REFUSED:
            refusal = _REFUSED[message.to]
            raise GatewayRejected(
                refusal.code,
                str(refusal),
                is_opt_out=refusal.is_opt_out,
                is_dead_number=refusal.is_dead_number,
            )
        ref = _reference(message.attempt_id)
        line = {
            "gateway": PROVIDER,
            "simulated": True,
            "attempt": message.attempt_id,
            "ref": ref,
            "to": mask_number(message.to),
            "characters": len(message.body),
            "segments": segments(message.body),
        }
        self._stream.write(json.dumps(line) + "\n")
        self._sent[message.attempt_id] = ref
        while len(self._sent) > _REMEMBERED:
            self._sent.popitem(last=False)
        if self._on_receipt is not None:
            self._on_receipt(_delivered(message.attempt_id, ref))
        return SendReceipt(PROVIDER, ref)

    def find(self, query: SentQuery) -> StatusReport | None:
        """Return what became of an attempt that this process wrote."""
        ref = self._sent.get(query.attempt_id)
        return None if ref is None else _delivered(query.attempt_id, ref)


def _delivered(attempt_id: int, ref: str) -> StatusReport:
    return StatusReport(
        provider=PROVIDER,
        provider_ref=ref,
        word="delivered",
        status=AttemptStatus.DELIVERED,
        attempt_id=attempt_id,
    )


def _reference(attempt_id: int) -> str:
    return "CO" + hashlib.sha256(f"console:{attempt_id}".encode()).hexdigest()[:32]
