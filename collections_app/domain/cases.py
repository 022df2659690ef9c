"""A case is our work item: one customer, all of the customer's accounts in an episode."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class CaseStage(StrEnum):
    """Where a case stands. Stages follow DPD upward; closing ends them."""

    EARLY = "early"
    MID = "mid"
    LATE = "late"
    RECOVERY = "recovery"
    CLOSED = "closed"


class CloseReason(StrEnum):
    """Why a case was closed."""

    CURED = "cured"
    PAID_OFF = "paid_off"
    CHARGED_OFF = "charged_off"
    RESTATED = "restated"


class EpisodeEnd(StrEnum):
    """Why an episode ended (domain brief §8.5).

    MODIFIED: another schedule took over. RESTATED: later facts show that it never was; it counts in no figure.
    """

    CURED = "cured"
    PAID_OFF = "paid_off"
    CHARGED_OFF = "charged_off"
    SOLD = "sold"
    MODIFIED = "modified"
    RESTATED = "restated"


@dataclass(frozen=True)
class CaseFacts:
    """The one input of strategies. A book of cases is a frame with these names as columns.

    Amounts are minor units of ``currency``; ``score`` is oriented higher = safer; None = not known.
    ``self_cure_p``, ``contact_p`` and ``lost_p`` are the chances that the models of these names give.
    """

    case_id: int
    customer_id: int
    as_of: date
    country: str
    language: str
    product_family: str
    collector_role: str
    currency: str
    stage: str
    dpd: int
    bucket: str
    arrears_minor: int
    balance_minor: int
    accounts: int
    score: int | None
    band: str | None
    p_event: float | None
    self_cure_p: float | None
    contact_p: float | None
    lost_p: float | None
    ml_hit_status: str
    ml_orgs_12m: int | None
    worst_list_severity: int | None
    has_mobile: bool
    has_point: bool
    has_open_promise: bool
    promise_due_in_days: int | None
    broken_promises: int
    kept_promises: int
    days_in_case: int
    days_since_attempt: int | None
    days_since_rpc: int | None
    attempts_7d: int
    blocked_7d: int
    last_disposition: str | None
    is_stopped: bool
    is_held: bool
    has_active_plan: bool
    arm: str
