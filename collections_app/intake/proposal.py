"""A proposal as a mapping file: YAML that a person completes, with the reason beside each line."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from collections_app.domain.errors import InvalidInput
from collections_app.domain.money import exponent
from collections_app.intake.entities import ENTITIES, Column
from collections_app.intake.mapping import OPEN, open_choices
from collections_app.intake.naming import our_word, plain
from collections_app.intake.profiling import Profile
from collections_app.intake.suggest import LIKELY, SURE, Findings, Match, find, meaning_of
from collections_app.intake.typed import SPREADSHEET

# What a required field is when no column says it, and the file cannot say otherwise.
_USUAL = {("payments", "kind"): "payment", ("payments", "status"): "settled"}
_SIGNS = {"€": "EUR", "£": "GBP", "元": "CNY", "￥": "CNY"}
_KEEP = ("name", "source", "currency", "bucket_table", "zone", "profile", "absent")


class _Alias(str):
    """A name that stands for a value written elsewhere in the file."""


@dataclass(frozen=True)
class Line:
    """One field of the proposal: what makes it, and the remark beside it. ``match``: the column, if one does."""

    name: str
    spec: Any
    remark: str
    match: Match | None = None


@dataclass
class Proposal:
    """A proposed mapping: its text, what is still open in it, and every field with its column and reason."""

    findings: Findings
    text: str
    version: int
    open: list[str]
    lines: dict[str, list[Line]] = field(default_factory=dict)


def propose(path: Path, *, entity: str | None = None, before: str | None = None) -> Proposal:
    """Propose a mapping of a file. ``before``: an earlier proposal, whose decided choices are kept."""
    findings = find(path, entity=entity)
    return _Writer(findings, _earlier(before)).write()


def _earlier(text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidInput(f"the file to write to is not readable as YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict) or not isinstance(data.get("version"), int):
        raise InvalidInput("the file to write to is no mapping; name another")
    return data


class _Writer:
    """Decides each line of one proposal."""

    def __init__(self, findings: Findings, before: dict[str, Any]) -> None:
        self.found = findings
        self.before = before
        self.version = int(before.get("version", 0)) + 1
        read = [m.profile for ms in findings.matches.values() for m in ms.values()]
        self.read = list({p.name: p for p in read}.values())
        self.currency, self.currency_why = self._currency()
        self.decimal, self.thousands = self._numbers()
        self.zone = False

    def write(self) -> Proposal:
        """Put the proposal together."""
        lines = {entity: list(self._fields(entity)) for entity in self._entities()}
        if self.found.phones or self.found.emails:
            lines["contact_points"] = self._points()
        body: list[str] = []
        for entity, fields in lines.items():
            body += [f"  {entity}:", "    fields:", *(self._field_text(line) for line in fields)]
            if entity == "contact_points" and (self.found.phones or self.found.emails):
                body += self._repeat()
        text = "\n".join([*self._head(), "entities:", *body]) + "\n"
        self._refuse_to_replace(lines)
        undecided = open_choices(yaml.safe_load(text))
        return Proposal(self.found, text, self.version, undecided, lines)

    def _refuse_to_replace(self, lines: dict[str, list[Line]]) -> None:
        """Refuse when what was decided before is of other entities: writing over it would lose it."""
        held = set(self.before.get("entities") or {})
        lost = sorted(held - set(lines) - {"contact_points"})
        if held and (lost or self.found.entity not in held):
            raise InvalidInput(
                f"the file to write to maps {', '.join(sorted(held))}, and this file holds {', '.join(lines)}: "
                "name another file to write to",
                code="other_entity",
            )

    def _entities(self) -> list[str]:
        return sorted(self.found.matches, key=list(ENTITIES).index)

    def _head(self) -> list[str]:
        sample = self.found.sample
        rows = f"{'all' if sample.is_whole else 'the first'} {sample.rows:,} rows"
        slug = re.sub(r"[^a-z0-9]+", "_", plain(sample.path.name.split(".")[0])).strip("_") or "lender"
        notes = [f"# Note: {note}." for note in sample.notes]
        head = [
            f"# Proposed by `collections intake suggest {sample.path.name}` from {rows}.",
            '# A person decides where "?" stands and looks at each CHECK; until then the mapping is refused.',
            *notes,
            f"name: {self._kept('name', slug)}",
            f"version: {self.version}",
            f"source: {self._kept('source', OPEN)}   # the name of the lender's system: accounts are known by it",
            f"currency: &currency {self._kept('currency', self.currency)}   # {self.currency_why}",
            f"bucket_table: {self._kept('bucket_table', OPEN)}   # cn (M1 = 1-30 days) or intl (1-29)",
            f"delimiter: {_scalar(sample.delimiter)}",
        ]
        if sample.encoding != "utf-8":
            head.append(f"encoding: {sample.encoding}")
        if self.decimal != ".":
            head.append(f"decimal: {_scalar(self.decimal)}")
        if self.thousands:
            head.append(f"thousands: {_scalar(self.thousands)}")
        if nulls := sorted({null for p in self.read for null in p.nulls}):
            head.append(f"null_values: [{', '.join(map(_scalar, nulls))}]")
        if self.zone:
            head.append(f"zone: {self._kept('zone', OPEN)}   # the clock of times that are written without a zone")
        head += [f"{key}: {_scalar(self.before[key])}" for key in ("profile", "absent") if key in self.before]
        if unread := self.found.unread:
            protected = f" (protected: {', '.join(self.found.protected)})" if self.found.protected else ""
            head.append(f"# CHECK: nothing reads these{protected}")
            head.append(f"ignored_columns: [{', '.join(map(_scalar, unread))}]")
        return head

    def _kept(self, key: str, proposed: str) -> str:
        value = self.before.get(key, OPEN) if key in _KEEP else OPEN
        return _scalar(proposed if value == OPEN else value)

    def _fields(self, entity: str) -> Iterator[Line]:
        matches = self.found.matches[entity]
        for name, column in ENTITIES[entity].columns.items():
            kept = self._decided(entity, name)
            if kept is not None:
                yield Line(name, kept, f"kept from version {self.version - 1}")
            elif name == "customer_ref" and self.found.entity == "accounts":
                yield self._owner()
            elif name in matches and (matches[name].confidence >= LIKELY or not matches[name].column):
                yield self._matched(name, column, matches[name])
            elif column.required:
                yield self._without_column(entity, name, column, matches.get(name))

    def _owner(self) -> Line:
        """Say by what the customers of an accounts file are known: by one column, wherever it is read."""
        named = self.found.matches["accounts"].get("customer_ref")
        if named is not None and named.confidence >= LIKELY:
            return self._matched("customer_ref", ENTITIES["accounts"].columns["customer_ref"], named)
        account = self.found.matches["accounts"].get("account_ref")
        if account is None:
            return Line("customer_ref", {"column": OPEN}, "DECIDE: no column looks like it")
        remark = "CHECK: no column names the customer; each account is taken for a customer of its own"
        return Line("customer_ref", {"column": account.column}, remark, account)

    def _decided(self, entity: str, name: str) -> Any:
        fields = ((self.before.get("entities") or {}).get(entity) or {}).get("fields") or {}
        spec = fields.get(name)
        if spec is None or open_choices({"x": spec}):
            return None
        columns = spec.get("column", []) if isinstance(spec, dict) else []
        columns = columns if isinstance(columns, list) else [columns]
        return spec if all(c in self.found.profiles for c in columns) else None

    def _matched(self, name: str, column: Column, match: Match) -> Line:
        spec: dict[str, Any] = {"column": match.column}
        remarks = [f"{match.confidence:.0%}: {match.why}"]
        for key, value, remark in self._details(name, column, match):
            spec[key] = value
            if remark:
                remarks.append(remark)
        if match.confidence < SURE:
            remarks.insert(0, "CHECK")
        return Line(name, spec, "; ".join(remarks), match)

    def _details(self, name: str, column: Column, match: Match) -> Iterator[tuple[str, Any, str]]:
        profile, number = match.profile, match.profile.number
        if column.kind == "money" and number:
            yield from self._money(profile)
        elif column.kind == "rate" and number:
            percent = number.sign == "%" or number.high > 1.5
            if percent:
                yield "percent", True, "percent, by its size"
            if number.decimals > (7 if percent else 9):
                yield "rounded", True, "more decimals than a rate has: rounded"
        elif column.kind in ("date", "instant"):
            yield from self._dates(column, profile)
        elif column.kind in ("enum", "bool") and profile.words:
            yield from self._words(match, column)
        if name == "regions" and not any("-" in word for word in profile.words):
            yield "type", "list", "CHECK: regions are ISO 3166-2 codes such as US-TX; translate others with map"

    def _money(self, profile: Profile) -> Iterator[tuple[str, Any, str]]:
        number = profile.number
        assert number is not None
        amounts = [p.number for p in self.read if p.number and p.number.decimals]
        named_minor = bool({"minor", "cents", "分"} & set(plain(profile.name).split()))
        if named_minor:
            yield "type", "minor", "named as minor units"
        elif number.decimals or amounts or self.decimal != "." or self.thousands:
            yield "type", "amount", "" if number.decimals else "major units, as the file's other amounts"
        else:
            yield "type", OPEN, "DECIDE: minor (cents) or amount (major units)? Nothing in the file says"
        if number.decimals > (exponent(self.currency) if self.currency != OPEN else 2):
            yield "rounded", True, "more decimals than the currency has: rounded"
        if number.sign:
            yield "strip", number.sign, ""

    def _dates(self, column: Column, profile: Profile) -> Iterator[tuple[str, Any, str]]:
        if "instant" in profile.kinds and column.kind == "instant":
            return
        if not profile.forms:
            yield "format", "%Y-%m-%dT%H:%M:%S%.f%#z" if "instant" in profile.kinds else SPREADSHEET, ""
            return
        forms = self._settled(profile)
        if len(forms) > 1:
            yield "format", OPEN, f"DECIDE: {' or '.join(forms)}? Every value reads as both"
        elif forms[0] != "%Y-%m-%d" or column.kind == "instant":
            yield "format", forms[0], ""
        if column.kind == "instant":
            self.zone = True

    def _settled(self, profile: Profile) -> list[str]:
        """Choose among forms that all fit: by another column of the file that only one of them fits."""
        forms = list(profile.forms)
        if len(forms) > 1:
            votes = Counter(p.forms[0] for p in self.read if len(p.forms) == 1)
            chosen = [form for form in forms if votes[form]]
            longest = [f for f in forms if "%Y" in f] or forms  # a year of four digits is no year of two
            forms = chosen[:1] or longest
        return forms

    def _words(self, match: Match, column: Column) -> Iterator[tuple[str, Any, str]]:
        ours = {w: meaning_of(match.entity, match.field, column, w) or OPEN for w in match.profile.words}
        if all(word == our for word, our in ours.items()):
            return
        values: dict[str, Any] = {w: {"true": True, "false": False}.get(o, o) for w, o in ours.items()} \
            if column.kind == "bool" else dict(ours)  # fmt: skip
        unknown = [w for w, our in ours.items() if our == OPEN]
        known = ", ".join(column.values) or "true, false"
        yield "map", values, f"DECIDE {', '.join(unknown)}: one of {known}" if unknown else ""

    def _without_column(self, entity: str, name: str, column: Column, maybe: Match | None) -> Line:
        hint = f"; perhaps column {maybe.column!r} ({maybe.confidence:.0%})" if maybe else ""
        if name == "currency":
            return Line(name, _Alias("currency"), f"no column says it of each row{hint}")
        usual = _USUAL.get((entity, name))
        if usual and not maybe:
            return Line(name, usual, "CHECK: no column says it; the usual")
        choices = f": one of {', '.join(column.values)}" if column.values else ""
        if column.kind in ("id", "money", "date", "instant", "int"):
            return Line(name, {"column": OPEN}, f"DECIDE: no column looks like it{hint}")
        return Line(name, OPEN, f"DECIDE: no column says it; the same word for all rows{choices}{hint}")

    def _points(self) -> list[Line]:
        own = self.found.matches["customers"].get("customer_ref")
        owner = self._owner() if self.found.entity == "accounts" else None
        if owner is None:
            owner = Line("customer_ref", {"column": own.column if own else OPEN}, "whose they are", own)
        return [
            owner,
            Line("owner", "debtor", "CHECK: taken as the debtor's own"),
            Line("source", "application", "CHECK: taken as told with the application"),
        ]

    def _repeat(self) -> list[str]:
        points = [*((_kind_of_phone(p.name), p) for p in self.found.phones), *(("email", p) for p in self.found.emails)]
        blocks = []
        for rank, (kind, profile) in enumerate(points, start=1):
            check = "" if kind == "email" else "   # CHECK: mobile, landline or work_phone"
            value = _flow({"column": profile.name})
            blocks.append(f"      - {{kind: {kind}, rank: {min(rank, 99)}, value: {value}}}{check}")
        return ["    skip_empty: [value]", "    repeat:", *blocks]

    def _currency(self) -> tuple[str, str]:
        for match in (m for ms in self.found.matches.values() for m in ms.values() if m.field == "currency"):
            if len(match.profile.words) == 1:
                return match.profile.words[0], f"the only one in column {match.column!r}"
            if match.profile.words:
                return OPEN, f"DECIDE which amounts in the file are written in: {', '.join(match.profile.words)}"
        for profile in self.read:
            sign = profile.number.sign if profile.number else ""
            if sign in _SIGNS or re.fullmatch("[A-Z]{3}", sign):
                return _SIGNS.get(sign, sign), f"by the sign in column {profile.name!r}"
        return OPEN, "DECIDE: no column and no sign says it"

    def _numbers(self) -> tuple[str, str]:
        numbers = [p.number for p in self.read if p.number]
        decimal = "," if any(n.point == "," for n in numbers) else "."
        grouped = any(n.grouped and n.point == decimal for n in numbers)
        return decimal, ("." if decimal == "," else ",") if grouped else ""

    def _field_text(self, line: Line) -> str:
        remark = " ".join(line.remark.split())
        return f"      {line.name}: {_flow(line.spec)}   # {remark}"


def _kind_of_phone(name: str) -> str:
    kinds = {our_word("kind", word) for word in plain(name).split()} | {
        "work_phone" if "单位" in name or "公司" in name else "landline" if "座机" in name or "固定" in name else None
    }
    return next((kind for kind in ("work_phone", "landline") if kind in kinds), "mobile")


def _flow(value: Any) -> str:
    if isinstance(value, _Alias):
        return f"*{value}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(str(k))}: {_flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    """Write a value so that YAML reads the same one again."""
    if isinstance(value, str):
        simple = re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", value) and yaml.safe_load(value) == value
        return value if simple else json.dumps(value, ensure_ascii=False)
    return json.dumps(value, default=str)
