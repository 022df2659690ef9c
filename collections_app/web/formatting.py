"""How dates, money and codes are said to people. Jinja filters: pure, no request, no database."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask

from collections_app.domain.contact import AttemptStatus, CampaignStatus, Channel, Mode, StopCode
from collections_app.domain.events import LABELS
from collections_app.domain.gate import Verdict
from collections_app.domain.model_stages import Stage
from collections_app.domain.money import Money, exponent
from collections_app.domain.outcomes import DISPOSITIONS, OUTCOMES
from collections_app.domain.permissions import Role
from collections_app.domain.plans import PlanStatus
from collections_app.domain.promises import PromiseStatus
from collections_app.domain.protections import MoratoriumKind

# State is never said by colour alone: each code has a tone for the eye and a word for everybody.
_Key = tuple[type[StrEnum], str]


def _by_kind(*tables: Mapping[Any, str]) -> dict[_Key, str]:
    """Key by enum and value: members of two enums with one value are equal to Python, not to people."""
    return {(type(code), code.value): text for table in tables for code, text in table.items()}


TONES: dict[_Key, str] = _by_kind(
    {PromiseStatus.KEPT: "good", PromiseStatus.PARTIAL: "care", PromiseStatus.BROKEN: "bad",
     PromiseStatus.CANCELLED: "quiet", PromiseStatus.SUPERSEDED: "quiet"},
    {CampaignStatus.DRAFT: "quiet", CampaignStatus.RUNNING: "good", CampaignStatus.PAUSED: "care",
     CampaignStatus.STOPPED: "bad", CampaignStatus.DONE: "quiet"},
    {AttemptStatus.DENIED: "bad", AttemptStatus.DEFERRED: "care", AttemptStatus.FAILED: "bad",
     AttemptStatus.UNCERTAIN: "care", AttemptStatus.DELIVERED: "good"},
    {Verdict.ALLOW: "good", Verdict.DEFER: "care", Verdict.DENY: "bad"},
    {PlanStatus.PROPOSED: "care", PlanStatus.ACTIVE: "good", PlanStatus.COMPLETED: "good", PlanStatus.BROKEN: "bad",
     PlanStatus.REJECTED: "quiet", PlanStatus.CANCELLED: "quiet"},
    {Stage.CHAMPION: "good", Stage.DEV: "quiet", Stage.RETIRED: "quiet"},
)  # fmt: skip
_RUN_TONES = {"done": "good", "failed": "bad", "running": "care", "critical": "bad", "confirmed": "bad",
              "dismissed": "good", "unclear": "care"}  # fmt: skip

_WORDS: dict[_Key, str] = _by_kind(
    {code: rule.label for code, rule in OUTCOMES.items()},
    {code: rule.label for code, rule in DISPOSITIONS.items()},
    LABELS,
    {Channel.VOICE: "Call", Channel.SMS: "Text message", Channel.EMAIL: "E-mail"},
    {Mode.LIVE_AGENT: "by an agent", Mode.PRERECORDED: "recorded message", Mode.AI_VOICE: "by the robot"},
    {StopCode.ID_THEFT: "Identity theft reported", StopCode.CEASE: "Told us in writing to stop",
     StopCode.ATTORNEY: "Represented by an attorney", StopCode.VULNERABLE: "Vulnerable: handling plan"},
    {AttemptStatus.SENDING: "On its way", AttemptStatus.UNCERTAIN: "Not known whether it left",
     AttemptStatus.DENIED: "Not allowed"},
    {Verdict.ALLOW: "Allowed", Verdict.DEFER: "Later", Verdict.DENY: "Not allowed"},
    {Role.ADMIN: "Administrator"},
    {MoratoriumKind.BREATHING_SPACE: "Breathing space", MoratoriumKind.MENTAL_CRISIS: "Mental health crisis",
     MoratoriumKind.COURT: "Stay by a court", MoratoriumKind.SERVICE_MEMBER: "Service member",
     MoratoriumKind.LOCAL: "Local scheme"},
    {PlanStatus.PROPOSED: "Waits for approval"},
    {Stage.DEV: "In development"},
)  # fmt: skip


def words(code: object) -> str:
    """Say a code in words."""
    if code is None:
        return ""
    if isinstance(code, StrEnum) and (said := _WORDS.get((type(code), code.value))):
        return said
    text = str(code).replace("_", " ").replace("-", " ")
    return text[:1].upper() + text[1:]


def tone(code: object) -> str:
    """Return the tone that goes with a code."""
    if isinstance(code, StrEnum):
        return TONES.get((type(code), code.value), "plain")
    return _RUN_TONES.get(str(code), "plain")


def amount(money: Money) -> str:
    """Write an amount without its currency: thousands by comma, the currency's own decimals."""
    return f"{money.decimal():,.{exponent(money.currency)}f}"


def day(value: date | None, today: date) -> str:
    """Write a date: ``Thu 19 Nov``, with the year when it is another one."""
    if value is None:
        return ""
    text = f"{value:%a} {value.day} {value:%b}"
    return text if value.year == today.year else f"{text} {value.year}"


def distance(value: date, today: date) -> str:
    """Say how far away a day is."""
    days = (value - today).days
    if days == 0:
        return "today"
    if abs(days) == 1:
        return "tomorrow" if days > 0 else "yesterday"
    return f"in {days} days" if days > 0 else f"{-days} days ago"


def day_words(value: date | None, today: date) -> str:
    """Say a day with its distance: ``3 days ago, Thu 19 Nov``."""
    return "" if value is None else f"{distance(value, today)}, {day(value, today)}"


def clock(value: datetime | None, zone: ZoneInfo) -> str:
    """Write the time of day."""
    return "" if value is None else f"{value.astimezone(zone):%H:%M}"


def moment(value: datetime | None, zone: ZoneInfo, today: date) -> str:
    """Write an instant: day and time of day."""
    if value is None:
        return ""
    local = value.astimezone(zone)
    on = "today" if local.date() == today else day(local.date(), today)
    return f"{on} {local:%H:%M}"


def sound_length(milliseconds: int) -> str:
    """Write a length of sound: ``3:05``."""
    seconds = round(milliseconds / 1000)
    return f"{seconds // 60}:{seconds % 60:02d}"


def spent(seconds: float | None) -> str:
    """Say how long something took."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


def percent(share: float | None, digits: int = 0) -> str:
    """Write a share as a percentage."""
    return "–" if share is None else f"{share:.{digits}%}"


def whole(number: int | None) -> str:
    """Write a count with thousands by comma."""
    return "–" if number is None else f"{number:,}"


FILTERS = (words, tone, amount, day, distance, day_words, clock, moment, sound_length, spent, percent, whole)


def install(app: Flask) -> None:
    """Make the filters known to the templates."""
    for function in FILTERS:
        app.add_template_filter(function)
