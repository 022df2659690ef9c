"""Strict reading of JSON from outside: every value is asked for by name and type, or the input is wrong."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
Read = Callable[[Any], T]


class Wrong(Exception):
    """A value is wrong; carries the path of keys that leads to it."""


class Record:
    """Strict access to one JSON object; remembers which keys were asked for."""

    def __init__(self, raw: object, where: str) -> None:
        if not isinstance(raw, dict):
            raise Wrong(f"{where or 'the line'} must be an object")
        self._raw = raw
        self._where = where
        self._asked: set[str] = set()

    def need(self, key: str, read: Read[T]) -> T:
        """Return a key that must be there."""
        if key not in self._raw:
            raise Wrong(f"{self._path(key)} is missing")
        return self._read(key, read)

    def get(self, key: str, read: Read[T], default: T) -> T:
        """Return a key that may be missing."""
        self._asked.add(key)
        return self._read(key, read) if key in self._raw else default

    def maybe(self, key: str, read: Read[T]) -> T | None:
        """Return a key that may be missing or null."""
        self._asked.add(key)
        return self._read(key, read) if self._raw.get(key) is not None else None

    def each(self, key: str, build: Callable[["Record"], T], *, optional: bool = False) -> tuple[T, ...]:
        """Return a list of objects."""
        if key not in self._raw and optional:
            self._asked.add(key)
            return ()
        items = self.need(key, listed)
        path = self._path(key)
        return tuple(self._close(Record(raw, f"{path}[{i}]"), build) for i, raw in enumerate(items))

    def one(self, key: str, build: Callable[["Record"], T]) -> T:
        """Return a nested object."""
        return self._close(Record(self.need(key, lambda value: value), self._path(key)), build)

    def maybe_one(self, key: str, build: Callable[["Record"], T]) -> T | None:
        """Return a nested object that may be missing or null."""
        self._asked.add(key)
        return self.one(key, build) if self._raw.get(key) is not None else None

    @staticmethod
    def _close(nested: "Record", build: Callable[["Record"], T]) -> T:
        built = build(nested)
        nested.finish()
        return built

    def has(self, key: str) -> bool:
        """Tell whether the key is written at all."""
        return key in self._raw

    def finish(self) -> None:
        """Refuse keys that nobody asked for."""
        unknown = sorted(set(self._raw) - self._asked)
        if unknown:
            raise Wrong(f"{self._path(unknown[0])} is not a key of the format")

    def _path(self, key: str) -> str:
        return f"{self._where}.{key}" if self._where else key

    def _read(self, key: str, read: Read[T]) -> T:
        self._asked.add(key)
        try:
            return read(self._raw[key])
        except (TypeError, ValueError, KeyError, OverflowError) as error:
            raise Wrong(f"{self._path(key)}: {error}") from error


def read_record(line: str) -> Record:
    """Read one JSON object; a repeated key, NaN or endless nesting is wrong too."""
    try:
        raw = json.loads(line, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise Wrong(f"not JSON at column {error.colno}: {error.msg}") from error
    except RecursionError as error:
        raise Wrong("nested too deeply") from error
    except ValueError as error:
        raise Wrong(f"not readable as JSON: {error}") from error
    return Record(raw, "")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise Wrong(f"key {next(k for k in keys if keys.count(k) > 1)!r} is written twice")
    return found


def _no_constant(name: str) -> None:
    raise Wrong(f"{name} is not a number of JSON")


def listed(value: Any) -> list[Any]:
    """Read a list."""
    if not isinstance(value, list):
        raise TypeError("must be a list")
    return value


def text(value: Any) -> str:
    """Read a text that is not empty."""
    if not isinstance(value, str) or not value:
        raise TypeError("must be a text that is not empty")
    return value


def texts(value: Any) -> tuple[str, ...]:
    """Read a list of texts."""
    return tuple(text(item) for item in listed(value))


def boolean(value: Any) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        raise TypeError("must be true or false")
    return value


def whole(value: Any) -> int:
    """Read a whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("must be a whole number")
    return value


def instant(value: Any) -> datetime:
    """Read an instant with its offset."""
    try:
        at = datetime.fromisoformat(text(value))
    except ValueError:
        raise ValueError(f"{value!r} is not an instant such as 2026-03-04T16:00:00Z") from None
    if at.tzinfo is None:
        raise ValueError(f"{value!r} names no time zone; write UTC with a Z")
    return at.astimezone(UTC)


def utc(value: Any) -> datetime:
    """Read an instant that is written in UTC."""
    at = instant(value)
    if not str(value).endswith(("Z", "+00:00")):
        raise ValueError(f"{value!r} must be UTC with a Z")
    return at


def day(value: Any) -> date:
    """Read a calendar date; of an instant, its UTC date."""
    written = text(value)
    try:
        return instant(written).date() if "T" in written else date.fromisoformat(written)
    except ValueError:
        raise ValueError(f"{value!r} is not a date such as 2026-03-04") from None


def clock_time(value: Any) -> time:
    """Read a time of day; 24:00 is the midnight that ends it."""
    written = text(value)
    try:
        return time(0) if written == "24:00" else time.fromisoformat(written)
    except ValueError:
        raise ValueError(f"{value!r} is not a time such as 08:00") from None


def weekdays(value: Any) -> tuple[int, ...]:
    """Read ISO weekdays."""
    days = tuple(whole(item) for item in listed(value))
    if not set(days) <= set(range(1, 8)):
        raise ValueError("weekdays are 1 (Monday) to 7")
    return days


def zone(value: Any) -> str:
    """Read the name of a time zone that exists."""
    try:
        return ZoneInfo(text(value)).key
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{value!r} is not an IANA time zone") from None


def zones(value: Any) -> tuple[str, ...]:
    """Read a list of time zones."""
    return tuple(zone(item) for item in listed(value))


def member_of(enum: type[E]) -> Read[E]:
    """Return a reader of one member of an enumeration."""

    def read(value: Any) -> E:
        try:
            return enum(value)
        except ValueError:
            raise ValueError(f"{value!r} is none of {', '.join(enum)}") from None

    return read


def one_of(*words: str) -> Read[str]:
    """Return a reader of one of some words."""

    def read(value: Any) -> str:
        if value not in words:
            raise ValueError(f"{value!r} is none of {', '.join(words)}")
        return str(value)

    return read
