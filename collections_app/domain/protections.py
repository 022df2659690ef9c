"""What shields a customer: holds, disputes, complaints, hardship, moratoria, stop flags (domain brief §8.13, §1.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from collections_app.domain.contact import StopCode
from collections_app.domain.errors import InvalidInput


class HoldReason(StrEnum):
    """Why we withdraw a case from work for some days."""

    ADVICE_SOUGHT = "advice_sought"
    PLAN_IN_PREPARATION = "plan_in_preparation"
    PAYMENT_BEING_TRACED = "payment_being_traced"
    ILLNESS = "illness"
    BEREAVEMENT = "bereavement"
    DISASTER = "disaster"
    QUERY_TO_CREDITOR = "query_to_creditor"
    OTHER = "other"


class ReceivedBy(StrEnum):
    """How somebody's word reached us."""

    PHONE = "phone"
    LETTER = "letter"
    EMAIL = "email"
    SMS = "sms"
    IN_PERSON = "in_person"

    @property
    def is_written(self) -> bool:
        """Tell whether it lies before us in writing."""
        return self in (ReceivedBy.LETTER, ReceivedBy.EMAIL, ReceivedBy.SMS)


class DisputeGrounds(StrEnum):
    """Why a debt is contested."""

    NOT_MINE = "not_mine"
    AMOUNT = "amount"
    PAID = "paid"
    FRAUD = "fraud"
    QUALITY = "quality"
    OTHER = "other"


class DisputeOutcome(StrEnum):
    """What the answer to a dispute says."""

    VERIFIED = "verified"
    CORRECTED = "corrected"
    ACCEPTED = "accepted"
    WITHDRAWN = "withdrawn"


class ComplaintChannel(StrEnum):
    """Through whom a complaint came."""

    DIRECT = "direct"
    REGULATOR = "regulator"
    OMBUDSMAN = "ombudsman"
    MEDIA = "media"

    @property
    def stops_collection(self) -> bool:
        """Tell whether collection rests while it is open (HS-COMPLAINT)."""
        return self in (ComplaintChannel.REGULATOR, ComplaintChannel.OMBUDSMAN)


class ComplaintOutcome(StrEnum):
    """How a complaint ended."""

    UPHELD = "upheld"
    PARTLY_UPHELD = "partly_upheld"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class HardshipReason(StrEnum):
    """Why somebody cannot pay as agreed."""

    UNEMPLOYMENT = "unemployment"
    ILLNESS = "illness"
    BEREAVEMENT = "bereavement"
    DIVORCE = "divorce"
    INCOME_DROP = "income_drop"
    DISASTER = "disaster"
    OTHER = "other"


class HardshipMeasure(StrEnum):
    """What is granted to somebody in hardship."""

    LOWER_PAYMENTS = "lower_payments"
    PAYMENT_BREAK = "payment_break"
    INTEREST_WAIVED = "interest_waived"
    FEES_WAIVED = "fees_waived"
    FEWER_CONTACTS = "fewer_contacts"
    ADVICE_SIGNPOSTED = "advice_signposted"
    NONE = "none"


class MoratoriumKind(StrEnum):
    """A rest that a law or a court gives."""

    BREATHING_SPACE = "bs_standard"
    MENTAL_CRISIS = "bs_mental"
    COURT = "court"
    SERVICE_MEMBER = "scra"
    LOCAL = "local"


class ReleaseReason(StrEnum):
    """Why a stop is lifted."""

    RESOLVED = "resolved"
    WITHDRAWN = "withdrawn"
    DISMISSED = "dismissed"
    RECORDED_IN_ERROR = "recorded_in_error"


# Stops that are set by hand, with what must be known of each; the others belong to a dispute, complaint or moratorium.
EVIDENCE_OF: Mapping[StopCode, str] = {
    StopCode.DECEASED: "who told us, or the number of the certificate",
    StopCode.BANKRUPTCY: "the court and the number of the case",
    StopCode.ATTORNEY: "the lawyer's name and how to reach them",
    StopCode.CEASE: "the letter or message in which contact was refused",
    StopCode.ID_THEFT: "the report or its number",
    StopCode.VULNERABLE: "what was said, in a few words, and how we deal with it",
}


@dataclass(frozen=True)
class Clock:
    """A period that a rule sets: ``days``, Monday to Friday only when ``working``, and what stands behind it."""

    days: int
    force: str
    reference: str
    extended_days: int | None = None
    working: bool = False
    # The days begin to count after an event (the end of a treatment), not with the start.
    after_event: bool = False
    # Only once within so many days.
    between_days: int | None = None
    # Days for which a letter is presumed to travel before the period begins.
    receipt_days: int = 0
    receipt_working: bool = False

    def due_on(self, received_on: date) -> date:
        """Return the last day of the period; the day of receipt is day 0."""
        return later(received_on, self.days, working=self.working)

    def extended_to(self, received_on: date) -> date:
        """Return the last day of the longest extension, counted from the receipt as well."""
        if self.extended_days is None:
            raise InvalidInput(f"this period cannot be extended ({self.reference})")
        return later(received_on, self.extended_days, working=self.working)

    def covers(self, sent_on: date, received_on: date) -> bool:
        """Tell whether something received lies in the period that a letter opened."""
        opened_on = later(sent_on, self.receipt_days, working=self.receipt_working)
        return received_on <= self.due_on(opened_on)


def later(day: date, days: int, *, working: bool = False) -> date:
    """Return the day ``days`` later, counting Monday to Friday only when ``working``."""
    if not working:
        return day + timedelta(days=days)
    while days > 0:
        day += timedelta(days=1)
        days -= day.isoweekday() <= 5
    return day


def check_release(code: StopCode, reason: ReleaseReason, evidence: str) -> None:
    """Refuse to lift a stop without evidence, or that of a deceased person unless it was an error (§1.2)."""
    if code is StopCode.DECEASED and reason is not ReleaseReason.RECORDED_IN_ERROR:
        raise InvalidInput("this stop is never released, unless it was recorded in error")
    if not evidence.strip():
        raise InvalidInput("the evidence is missing: say what shows that contact may go on")
