"""Forms as data: fields with their words, parsed once; what was typed is never lost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import Any, Protocol, Self

from collections_app.domain.errors import InvalidInput
from collections_app.domain.money import to_minor


class Kind(StrEnum):
    """How a field is typed."""

    TEXT = "text"
    LONG = "long"
    DATE = "date"
    MONEY = "money"
    NUMBER = "number"
    CHOICE = "choice"
    SEVERAL = "several"
    CHECK = "check"


class Typed(Protocol):
    """What a request's form offers."""

    def get(self, key: str, default: str) -> str:
        """Return one value."""

    def getlist(self, key: str) -> list[str]:
        """Return every value of a name."""


@dataclass(frozen=True)
class Field:
    """One field. ``words`` are those of a service's refusal that speak of it; ``only`` names when it is shown."""

    name: str
    label: str
    kind: Kind = Kind.TEXT
    choices: tuple[tuple[str, str], ...] = ()
    hint: str = ""
    is_required: bool = True
    words: tuple[str, ...] = ()
    most: int = 200
    default: str = ""
    first_on: date | None = None
    last_on: date | None = None
    only: str = ""
    is_half: bool = False

    def read(self, typed: Typed, currency: str) -> Any:
        """Return the value; InvalidInput says in plain words what is missing or wrong."""
        if self.kind is Kind.SEVERAL:
            return self._known(typed.getlist(self.name))
        text = typed.get(self.name, "").strip()
        if self.kind is Kind.CHECK:
            return text == "yes"
        if not text:
            if self.is_required:
                raise InvalidInput(_MISSING[self.kind])
            return None if self.kind in (Kind.DATE, Kind.MONEY, Kind.NUMBER) else ""
        return self._value(text, currency)

    def _value(self, text: str, currency: str) -> Any:
        try:
            if self.kind is Kind.DATE:
                return date.fromisoformat(text)
            if self.kind is Kind.NUMBER:
                return int(text)
            if self.kind is Kind.MONEY:
                return to_minor(text.replace(",", ""), currency)
        except (ValueError, InvalidInput):
            raise InvalidInput(_WRONG[self.kind].format(currency=currency)) from None
        if self.kind is Kind.CHOICE:
            return self._known([text])[0]
        return text

    def _known(self, chosen: list[str]) -> list[str]:
        known = {code for code, _ in self.choices}
        if (self.is_required and not chosen) or not set(chosen) <= known:
            raise InvalidInput(_MISSING[self.kind])
        return chosen


_MISSING = {
    Kind.TEXT: "Write it in a few words.",
    Kind.LONG: "Write what happened.",
    Kind.DATE: "Choose a day.",
    Kind.MONEY: "Write an amount.",
    Kind.NUMBER: "Write a number.",
    Kind.CHOICE: "Choose one.",
    Kind.SEVERAL: "Choose at least one.",
}
_WRONG = {
    Kind.DATE: "Choose a day.",
    Kind.NUMBER: "Write a whole number.",
    Kind.MONEY: "Write an amount in {currency}, for example 120.00.",
}


@dataclass(frozen=True)
class Form:
    """A form on a page: its fields, where it goes, what was typed and what is wrong with it."""

    code: str
    title: str
    action: str
    submit: str
    fields: tuple[Field, ...]
    lead: str = ""
    preview: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    chosen: Mapping[str, Sequence[str]] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    is_open: bool = False

    @property
    def shown(self) -> Mapping[str, str]:
        """Return what stands in the fields: what was typed, else the defaults."""
        return self.values or {f.name: f.default for f in self.fields}

    def filled(self, typed: Typed, currency: str) -> tuple[Self, dict[str, Any]]:
        """Read what was typed; return the form with its errors and the values of the fields that are right."""
        values: dict[str, Any] = {}
        errors: dict[str, str] = {}
        for one in self.fields:
            try:
                values[one.name] = one.read(typed, currency)
            except InvalidInput as error:
                errors[one.name] = error.message
        raw = {one.name: typed.get(one.name, "") for one in self.fields}
        chosen = {one.name: typed.getlist(one.name) for one in self.fields if one.kind is Kind.SEVERAL}
        return replace(self, values=raw, chosen=chosen, errors=errors, is_open=True), values

    def refused(self, sentence: str) -> Self:
        """Return the form with a service's refusal beside the field that it is about."""
        said = sentence.lower()
        name = next((f.name for f in self.fields if any(word in said for word in f.words)), "form")
        return replace(self, errors={**self.errors, name: sentence}, is_open=True)


def choices_of(codes: type[StrEnum], labels: Mapping[Any, str] | None = None) -> tuple[tuple[str, str], ...]:
    """Return the choices of an enum, in its order, in plain words."""
    known = labels or {}
    return tuple((code.value, known.get(code) or _plain(code.value)) for code in codes)


def _plain(code: str) -> str:
    text = code.replace("_", " ")
    return text[:1].upper() + text[1:]
