"""Payment plans: instalment plans, deferrals, settlements; who may grant what (domain brief §8.12)."""

from enum import StrEnum


class PlanKind(StrEnum):
    """What is arranged."""

    INSTALMENT = "instalment"
    REDUCED = "reduced"
    TOKEN = "token"  # noqa: S105 - a token payment, not a password
    DEFERRAL = "deferral"
    SETTLEMENT = "settlement"


class PlanStatus(StrEnum):
    """The life of a plan; PROPOSED waits for an approval."""

    PROPOSED = "proposed"
    REJECTED = "rejected"
    ACTIVE = "active"
    COMPLETED = "completed"
    BROKEN = "broken"
    CANCELLED = "cancelled"
