"""What the gate may look at, and what it answers (domain brief §1.1).

Identifiers of debts and points are strings, so that the same facts come from rows or from a test vector.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum

from collections_app.domain.contact import Channel, CollectorRole, Mode, PointKind, Purpose, StopCode


class Verdict(StrEnum):
    """ALLOW now; DEFER = allowed later without a new fact; DENY = needs a new fact."""

    ALLOW = "ALLOW"
    DEFER = "DEFER"
    DENY = "DENY"


class Force(StrEnum):
    """What stands behind a rule. POLICY and CARRIER rules are ours or a vendor's, not the law's."""

    LAW = "LAW"
    GUIDE = "GUIDE"
    CARRIER = "CARRIER"
    POLICY = "POLICY"

    @property
    def binds(self) -> bool:
        """Tell whether the rule stays when only the law is asked."""
        return self in (Force.LAW, Force.GUIDE)


class TouchResult(StrEnum):
    """How an earlier touch ended, as far as the law's counters care."""

    NO_ANSWER = "no_answer"
    BUSY = "busy"
    FAILED = "failed"
    VOICEMAIL = "voicemail"
    ANSWERED = "answered"
    CONVERSATION = "conversation"
    RPC = "rpc"
    DELIVERED = "delivered"
    SENT = "sent"
    UNDELIVERED = "undelivered"
    IN_FLIGHT = "in_flight"
    ABANDONED = "abandoned"
    REFUSED = "refused"
    THIRD_PARTY_REFUSED = "third_party_refused"


@dataclass(frozen=True)
class StopFact:
    """A hard stop with its time of validity; ``debt`` limits it to one debt."""

    code: StopCode
    from_at: datetime
    until: datetime | None = None
    reference: str | None = None
    debt: str | None = None


@dataclass(frozen=True)
class Preference:
    """A time that the customer called convenient (``allow``) or inconvenient; empty = all."""

    zone: str
    allow: bool
    weekdays: tuple[int, ...] = ()
    start: time | None = None
    end: time | None = None


@dataclass(frozen=True)
class CustomerFacts:
    """What the law asks about the person. ``zones`` empty = unknown."""

    country: str
    regions: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    stop_flags: tuple[StopFact, ...] = ()
    preferences: tuple[Preference, ...] = ()
    is_lost: bool = False
    employer_forbids: bool = False
    agreed_start: time | None = None
    agreed_end: time | None = None


@dataclass(frozen=True)
class DebtFacts:
    """One debt that the touch is about."""

    id: str
    product: str
    currency: str
    arrears_minor: int
    role: str | None = None
    moratorium_until: datetime | None = None
    is_disputed: bool = False
    validation_ends: date | None = None
    is_time_barred: bool = False
    has_pending_payment: bool = False


@dataclass(frozen=True)
class ConsentFact:
    """A consent on a point: ``prior_express``, ``sms_direct`` or ``email_notice``."""

    kind: str
    at: datetime
    given_to: str
    revoked_at: datetime | None = None


@dataclass(frozen=True)
class OptOutFact:
    """A stop request: of the point, of the medium, or of everything.

    ``channel`` names the medium where it is known; else every channel that the point can carry is meant.
    """

    at: datetime
    scope: str
    raw: str | None = None
    channel: Channel | None = None


@dataclass(frozen=True)
class PointFacts:
    """One contact point and everything known of it."""

    id: str
    kind: PointKind = PointKind.UNKNOWN
    owner: str = "unknown"
    consents: tuple[ConsentFact, ...] = ()
    opt_outs: tuple[OptOutFact, ...] = ()
    last_inbound_at: datetime | None = None
    rnd_answer: str | None = None
    rnd_at: datetime | None = None
    quality: str = "ok"


@dataclass(frozen=True)
class ContactProposal:
    """What somebody wants to do now."""

    channel: Channel
    mode: Mode
    purpose: Purpose
    point: str
    debts: tuple[str, ...]
    leaves_voicemail: bool = False
    is_reply: bool = False


@dataclass(frozen=True)
class Touch:
    """One earlier touch, by us, an agency or a robot, or inbound by the customer."""

    at: datetime
    channel: Channel
    mode: Mode
    direction: str
    point: str
    debts: tuple[str, ...]
    actor: str
    result: TouchResult


@dataclass(frozen=True)
class GateInput:
    """Everything that ``evaluate`` may look at."""

    actor_role: CollectorRole
    actor_id: str
    customer: CustomerFacts
    debts: tuple[DebtFacts, ...]
    points: tuple[PointFacts, ...]
    proposal: ContactProposal
    history: tuple[Touch, ...] = ()


@dataclass(frozen=True)
class RuleHit:
    """A rule that spoke against the touch: counter read, limit, clock, and when it releases."""

    rule_id: str
    force: str
    message: str
    verdict: Verdict
    counter: int | None = None
    limit: int | None = None
    clock: str | None = None
    release_at: datetime | None = None


@dataclass(frozen=True)
class GateDecision:
    """The gate's word and its evidence (LOG0).

    ``counters`` holds every counter that was read, also below its limit; ``<rule>:law`` is the law's own
    count where our policy counts more (a busy tone, another collector's call).
    """

    verdict: Verdict
    hits: tuple[RuleHit, ...] = ()
    next_eligible_at: datetime | None = None
    required_content: tuple[str, ...] = ()
    local_times: dict[str, str] = field(default_factory=dict)
    pack_version: str = ""
    counters: dict[str, int] = field(default_factory=dict)
