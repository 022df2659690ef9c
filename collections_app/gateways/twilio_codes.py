"""Twilio's words and numbers, mapped to ours. No SDK here, so that webhooks may read it too."""

from collections.abc import Mapping
from enum import StrEnum

from collections_app.domain.contact import AttemptStatus
from collections_app.gateways.sms import StatusReport

PROVIDER = "twilio"


class Meaning(StrEnum):
    """What an error code of a send request says about the message."""

    REJECTED = "rejected"
    OPTED_OUT = "opted_out"
    DEAD_NUMBER = "dead_number"
    UNAVAILABLE = "unavailable"


# https://www.twilio.com/docs/api/errors - codes that the Messages resource answers with. A code that is
# not here is treated as uncertain: we do not guess whether the message left.
SEND_ERRORS: Mapping[str, Meaning] = {
    "20003": Meaning.UNAVAILABLE,  # authentication: every message would fail, none is lost
    "20404": Meaning.UNAVAILABLE,
    "20429": Meaning.UNAVAILABLE,  # too many requests
    "14107": Meaning.UNAVAILABLE,  # sender's rate limit
    "21611": Meaning.UNAVAILABLE,  # sender's queue is full
    "21606": Meaning.UNAVAILABLE,  # our sender is wrong: a setting to repair
    "21603": Meaning.UNAVAILABLE,
    "21703": Meaning.UNAVAILABLE,
    "21609": Meaning.REJECTED,  # status callback refused
    "21211": Meaning.DEAD_NUMBER,
    "21217": Meaning.DEAD_NUMBER,
    "21614": Meaning.DEAD_NUMBER,  # not a mobile number
    "21265": Meaning.REJECTED,
    "21408": Meaning.REJECTED,  # no permission for the region
    "21602": Meaning.REJECTED,
    "21604": Meaning.REJECTED,
    "21605": Meaning.REJECTED,
    "21610": Meaning.OPTED_OUT,
    "21612": Meaning.REJECTED,
    "21617": Meaning.REJECTED,  # body too long
    "21619": Meaning.REJECTED,
    "30460": Meaning.REJECTED,  # third-party debt collection is not carried
}

# Error codes in a status callback that say the number cannot be reached by text, ever.
DEAD_NUMBER_RECEIPTS = frozenset({"30005", "30006", "21211", "21614"})
OPT_OUT_RECEIPTS = frozenset({"21610"})

STATUSES: Mapping[str, AttemptStatus | None] = {
    "accepted": None,
    "scheduled": None,
    "queued": None,
    "sending": None,
    "sent": AttemptStatus.SENT,
    "delivered": AttemptStatus.DELIVERED,
    "read": AttemptStatus.DELIVERED,
    "partially_delivered": AttemptStatus.DELIVERED,
    "undelivered": AttemptStatus.FAILED,
    "failed": AttemptStatus.FAILED,
    "canceled": AttemptStatus.FAILED,
}


def status_report(
    *, provider_ref: str, word: str, error_code: str | None, attempt_id: int | None = None
) -> StatusReport:
    """Translate one status of a message; a word we do not know changes nothing but is kept."""
    return StatusReport(
        provider=PROVIDER,
        provider_ref=provider_ref,
        word=word,
        status=STATUSES.get(word),
        error_code=error_code,
        attempt_id=attempt_id,
        is_opt_out=error_code in OPT_OUT_RECEIPTS,
        is_dead_number=error_code in DEAD_NUMBER_RECEIPTS,
    )
