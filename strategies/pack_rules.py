"""From a row of a rule pack to a rule of the gate: every kind of row, and what it must hold."""

from collections.abc import Callable, Mapping
from datetime import date, time
from enum import StrEnum
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from collections_app.domain.calendars import EVERY_DAY, DayWindow
from collections_app.domain.contact import Channel, Mode, PointKind, Purpose, StopCode
from collections_app.domain.gate.consents import (
    Confirmation,
    ConsentNeeded,
    ConsentRevoked,
    EmailNotice,
    Reassigned,
    StopRequest,
    TextingBasis,
)
from collections_app.domain.gate.content import Content, When
from collections_app.domain.gate.counters import Count, Gap, Per, TouchFilter, Wait
from collections_app.domain.gate.facts import Force, TouchResult
from collections_app.domain.gate.hours import ClosedDays, Hours, Preferences
from collections_app.domain.gate.people import NotLost, SpokenBefore
from collections_app.domain.gate.rules import Forbidden, Rule, Scope
from collections_app.domain.gate.stops import DebtFact, DebtState, Employer, PointQuality, StopFlag

E = TypeVar("E", bound=StrEnum)


class FieldError(ValueError):
    """A field of a row is missing, unknown or of the wrong kind."""


class Fields:
    """Typed access to a row's fields. ``finish`` refuses those that nobody asked for (a misspelling)."""

    def __init__(self, values: Mapping[str, Any], name: str = "field") -> None:
        self._values = values
        self._name = name
        self._asked: set[str] = set()

    def _get(self, name: str) -> Any:
        self._asked.add(name)
        return self._values.get(name)

    def _need(self, name: str) -> Any:
        value = self._get(name)
        if value is None:
            raise FieldError(f"{self._name} {name!r} is missing")
        return value

    def number(self, name: str, default: int | None = None) -> int:
        """Return a whole number >= 0."""
        value = self._need(name) if default is None else self._get(name)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise FieldError(f"{self._name} {name!r} must be a whole number, not {value!r}")
        return value

    def flag(self, name: str) -> bool:
        """Return true or false; absent is false."""
        value = self._get(name)
        if value not in (None, True, False):
            raise FieldError(f"{self._name} {name!r} must be true or false, not {value!r}")
        return bool(value)

    def maybe_flag(self, name: str) -> bool | None:
        """Return true, false, or None where absent."""
        return self.flag(name) if self._get(name) is not None else None

    def member(self, name: str, enum: type[E], default: E | None = None) -> E:
        """Return one member of an enumeration."""
        value = self._get(name) if default is not None else self._need(name)
        return default if value is None and default is not None else _member(value, enum, name)

    def maybe_members(self, name: str, enum: type[E]) -> frozenset[E] | None:
        """Return a set of members, or None where absent."""
        value = self._get(name)
        if value is None:
            return None
        if not isinstance(value, list) or not value:
            raise FieldError(f"{self._name} {name!r} must be a list")
        return frozenset(_member(item, enum, name) for item in value)

    def members(self, name: str, enum: type[E]) -> frozenset[E]:
        """Return a set of members."""
        self._need(name)
        return self.maybe_members(name, enum) or frozenset()

    def maybe_words(self, name: str) -> frozenset[str] | None:
        """Return a set of words, or None where absent. (An unquoted yes or no is not a word in YAML.)"""
        value = self._get(name)
        if value is None:
            return None
        if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
            raise FieldError(f"{self._name} {name!r} must be a list of words")
        return frozenset(value)

    def words(self, name: str) -> frozenset[str]:
        """Return a set of words."""
        self._need(name)
        return self.maybe_words(name) or frozenset()

    def word(self, name: str) -> str:
        """Return one word or sentence."""
        value = self._need(name)
        if not isinstance(value, str):
            raise FieldError(f"{self._name} {name!r} must be text, not {value!r}")
        return value

    def dates(self, name: str) -> frozenset[date]:
        """Return a set of dates."""
        value = self._need(name)
        if not isinstance(value, list) or not all(type(item) is date for item in value):
            raise FieldError(f"{self._name} {name!r} must be a list of dates")
        return frozenset(value)

    def spans(self, name: str) -> list[tuple[time, time, list[int]]]:
        """Return spans of clock time with their weekdays (empty = every day)."""
        value = self._need(name)
        rows = value if isinstance(value, list) else [value]
        return [_span(row, name) for row in rows]

    def finish(self) -> None:
        """Refuse fields that the kind does not know."""
        unknown = sorted(set(self._values) - self._asked)
        if unknown:
            raise FieldError(f"unknown {self._name} {unknown[0]!r}")


def _member(value: Any, enum: type[E], name: str) -> E:
    try:
        return enum(value)
    except ValueError:
        raise FieldError(f"{name!r}: {value!r} is none of {', '.join(enum)}") from None


def _span(row: object, name: str) -> tuple[time, time, list[int]]:
    wrong = FieldError(f'{name!r} must be {{start: "HH:MM", end: "HH:MM"}} with optional weekdays')
    if not isinstance(row, dict) or not set(row) <= {"start", "end", "weekdays"}:
        raise wrong
    weekdays = row.get("weekdays", [])
    if not isinstance(weekdays, list) or not set(weekdays) <= EVERY_DAY:
        raise wrong
    try:
        return time.fromisoformat(row["start"]), time.fromisoformat(row["end"]), weekdays
    except (KeyError, TypeError, ValueError):
        raise wrong from None


def scope_of(fields: Fields) -> Scope:
    """Read the ``for`` part of a row; the packs' selection has already used regions and roles."""
    purposes = fields.maybe_members("purposes", Purpose)
    without = fields.maybe_members("except_purposes", Purpose)
    if without:
        purposes = (purposes or frozenset(Purpose)) - without
    return Scope(
        channels=fields.maybe_members("channels", Channel),
        modes=fields.maybe_members("modes", Mode),
        purposes=purposes,
        kinds=fields.maybe_members("kinds", PointKind),
        owners=fields.maybe_words("owners"),
        voicemail=fields.maybe_flag("voicemail"),
    )


def clock_of(name: str) -> tuple[ZoneInfo, ...]:
    """Return the zones of a named clock: ``customer`` (decided per person), ``UTC`` or an IANA zone."""
    if name == "customer":
        return ()
    try:
        return (ZoneInfo(name),)
    except (KeyError, ValueError, OSError):
        raise FieldError(f"clock {name!r} is neither 'customer' nor an IANA zone") from None


def _touches(f: Fields) -> TouchFilter:
    return TouchFilter(
        per=f.member("per", Per),
        results=f.members("results", TouchResult),
        also=f.maybe_members("also", TouchResult) or frozenset(),
        channels=f.maybe_members("channels", Channel),
        modes=f.maybe_members("modes", Mode),
        kinds=f.maybe_members("kinds", PointKind),
        own_actor=f.flag("own_actor"),
        pools_actors=f.flag("pools_actors"),
    )


def _hours(f: Fields, base: dict[str, Any]) -> Rule:
    spans = f.spans("hours")
    guard = f.number("guard_minutes", 0)
    return Hours(
        **base,
        windows=tuple(DayWindow.between(start, end, days) for start, end, days in spans),
        guarded=tuple(DayWindow.between(start, end, days, guard_minutes=guard) for start, end, days in spans),
        guard_minutes=guard,
        yields_to_agreement=f.flag("yields_to_agreement"),
    )


def _stop_request(f: Fields, base: dict[str, Any]) -> Rule:
    minutes = f.number("confirmation_minutes", 0)
    return StopRequest(**base, confirmation_minutes=minutes, allows_reply=f.flag("allows_reply"))


def _count(f: Fields, base: dict[str, Any]) -> Rule:
    return Count(
        **base, limit=f.number("limit"), days=f.number("days"), touches=_touches(f),
        direct_consent_days=f.number("direct_consent_days", 0), free_with=f.maybe_words("free_with"),
    )  # fmt: skip


def _wait(f: Fields, base: dict[str, Any]) -> Rule:
    consent_days = f.number("direct_consent_days", 0)
    return Wait(**base, days=f.number("days"), touches=_touches(f), direct_consent_days=consent_days)


KINDS: dict[str, Callable[[Fields, dict[str, Any]], Rule]] = {
    "stop_flag": lambda f, base: StopFlag(**base, code=f.member("code", StopCode)),
    "debt_state": lambda f, base: DebtState(**base, fact=f.member("fact", DebtFact)),
    "point_quality": lambda f, base: PointQuality(**base, qualities=f.words("qualities")),
    "employer": lambda _, base: Employer(**base),
    "stop_request": _stop_request,
    "confirmation": lambda f, base: Confirmation(**base, minutes=f.number("minutes")),
    "consent": lambda f, base: ConsentNeeded(**base, accepts=f.words("accepts")),
    "consent_revoked": lambda f, base: ConsentRevoked(**base, accepts=f.words("accepts")),
    "texting_basis": lambda f, base: TextingBasis(**base, days=f.number("days")),
    "email_notice": lambda f, base: EmailNotice(**base, days=f.number("days")),
    "reassigned": lambda f, base: Reassigned(**base, answers=f.words("answers")),
    "not_lost": lambda _, base: NotLost(**base),
    "spoken_before": lambda f, base: SpokenBefore(
        **base, results=f.members("results", TouchResult), limit=f.number("limit")
    ),
    "forbidden": lambda _, base: Forbidden(**base),
    "hours": _hours,
    "preferences": lambda _, base: Preferences(**base),
    "closed_days": lambda f, base: ClosedDays(**base, dates=f.dates("dates")),
    "count": _count,
    "wait": _wait,
    "gap": lambda f, base: Gap(**base, minutes=f.number("minutes"), touches=_touches(f)),
    "content": lambda f, base: Content(**base, content=f.word("content"), when=f.member("when", When, When.ALWAYS)),
}


def build_rule(kind: str, base: dict[str, Any], settings: Mapping[str, Any], values: Mapping[str, Any]) -> Rule:
    """Build one rule from a row's settings (its form) and its parameters' values on a date (its numbers)."""
    both = set(settings) & set(values)
    if both:
        raise FieldError(f"{both.pop()!r} is both a setting and a parameter")
    fields = Fields({**settings, **values}, "setting or parameter")
    rule = KINDS[kind](fields, base)
    fields.finish()
    return rule


def force_of(fields: Fields, default: Force | None = None) -> Force:
    """Read who stands behind a row or a parameter."""
    return fields.member("force", Force, default)
