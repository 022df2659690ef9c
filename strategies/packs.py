"""Rule packs: contact law as dated data. Load the files, choose what applies to a person, compile it.

All rules of all packs that apply must agree, so the strictest wins by itself: caps take the smallest,
windows intersect, waits take the longest. A country without a pack is refused.
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from collections_app.domain.contact import CollectorRole
from collections_app.domain.gate.facts import Force, GateInput
from collections_app.domain.gate.rules import Forbidden, Rule, RulePack
from strategies.located_yaml import Located, YamlError, read_yaml
from strategies.pack_rules import KINDS, FieldError, Fields, build_rule, clock_of, force_of, scope_of

DEFAULT_PACKS = Path(__file__).parent / "rule_packs"
UNKNOWN_COUNTRY = "GATE-COUNTRY"
_VERSION_LENGTH = 200
_CACHE_LIMIT = 10_000


class PackError(YamlError, ValueError):
    """A rule pack that cannot be used as it stands; the message names file, line and rule."""

    code = "bad_rule_pack"


@dataclass(frozen=True)
class Parameter:
    """One number of the law with its history: the value of the newest date that has come is in force."""

    name: str
    description: str
    unit: str
    force: Force
    reference: str
    values: tuple[tuple[date, Any], ...]

    def at(self, on: date) -> Any:
        """Return the value in force on a date, or None before the first."""
        found = None
        for since, value in self.values:
            if since <= on:
                found = value
        return found


@dataclass(frozen=True)
class PackRow:
    """One rule as written in a pack: who it is for, its form, and its dated numbers."""

    id: str
    kind: str
    description: str
    force: Force
    reference: str
    clock: str
    since: date
    until: date | None
    regions: frozenset[str]
    roles: frozenset[CollectorRole]
    scope: Located
    settings: Located
    parameters: tuple[Parameter, ...]
    line: int

    def applies(self, regions: frozenset[str], role: CollectorRole, on: date) -> bool:
        """Tell whether the row is in force for these regions; unknown regions mean all of the country."""
        return (
            self.since <= on
            and (self.until is None or on < self.until)
            and role in self.roles
            and (not self.regions or not regions or bool(self.regions & regions))
        )

    def compile(self, on: date, *, law_only: bool) -> Rule | None:
        """Build the rule with the numbers of a date; None if only the law is asked and this is not law."""
        if law_only and not self.force.binds:
            return None
        values = {
            p.name: value
            for p in self.parameters
            if (p.force.binds or not law_only) and (value := p.at(on)) is not None
        }
        scope = Fields(self.scope, "'for' field")
        base = {
            "id": self.id, "force": self.force, "message": self.description,
            "scope": scope_of(scope), "clock": clock_of(self.clock),
        }  # fmt: skip
        scope.finish()
        return build_rule(self.kind, base, self.settings, values)


@dataclass(frozen=True)
class Pack:
    """One file: its rows, the countries it speaks for (none = every one), and their time zones."""

    name: str
    title: str
    countries: frozenset[str]
    zones: tuple[ZoneInfo, ...]
    rows: tuple[PackRow, ...]
    digest: str


@dataclass(frozen=True)
class PackLibrary:
    """All packs of a directory; ``select`` compiles those that apply and remembers the result."""

    packs: tuple[Pack, ...]
    changes: tuple[date, ...] = ()
    _selected: dict[tuple[object, ...], RulePack] = field(default_factory=dict, compare=False, repr=False)

    def select(self, facts: GateInput, on: date) -> RulePack:
        """Return the merged law for this person and collector on a date."""
        customer = facts.customer
        since = self._standing_since(on)
        key = (customer.country, customer.regions, facts.actor_role, since)
        pack = self._selected.get(key)
        if pack is None:
            if len(self._selected) >= _CACHE_LIMIT:
                self._selected.clear()
            pack = self._merge(customer.country, frozenset(customer.regions), facts.actor_role, since)
            self._selected[key] = pack
        return pack

    def _standing_since(self, on: date) -> date:
        """Return the last date on or before ``on`` at which anything in the packs changed: days between are alike."""
        return self.changes[max(0, bisect_right(self.changes, on) - 1)] if self.changes else on

    def _merge(self, country: str, regions: frozenset[str], role: CollectorRole, on: date) -> RulePack:
        rules: list[Rule] = []
        binding: list[Rule] = []
        used: list[Pack] = []
        zones: tuple[ZoneInfo, ...] = ()
        for pack in self.packs:
            if pack.countries and country not in pack.countries:
                continue
            zones += pack.zones
            rows = [row for row in pack.rows if row.applies(regions, role, on)]
            used += [pack] if rows else []
            for row in rows:
                for law_only, into in ((False, rules), (True, binding)):
                    rule = row.compile(on, law_only=law_only)
                    into += [rule] if rule is not None else []
        if not zones:
            message = f"No rule pack speaks for country {country!r}: nobody there is contacted"
            refusal = Forbidden(id=UNKNOWN_COUNTRY, force=Force.LAW, message=message)
            rules, binding, zones = [refusal, *rules], [refusal, *binding], clock_of("UTC")
        return RulePack(version=_version(used, on), rules=tuple(rules), binding=tuple(binding), default_zones=zones)


def load_packs(directory: Path) -> PackLibrary:
    """Read every ``*.yaml`` of a directory, and try each rule on each date at which a number changes."""
    files = sorted(directory.glob("*.yaml"))
    if not files:
        raise PackError(f"{directory}: no rule packs (*.yaml) here")
    packs = tuple(_read_pack(path) for path in files)
    rows = [row for pack in packs for row in pack.rows]
    days = {row.since for row in rows} | {row.until for row in rows if row.until is not None}
    days |= {day for row in rows for parameter in row.parameters for day, _ in parameter.values}
    # The first entry stands for all time before the first change.
    return PackLibrary(packs, (date.min, *sorted(days)))


def _read_pack(path: Path) -> Pack:
    try:
        data = read_yaml(path)
    except YamlError as error:
        raise PackError(error.message) from error
    try:
        fields = Fields(data, "key")
        name, title = fields.word("pack"), fields.word("title")
        countries = fields.maybe_words("countries") or frozenset()
        zones = tuple(zone for z in sorted(fields.maybe_words("zones") or ()) for zone in clock_of(z))
        rows = data.get("rules")
        if not isinstance(rows, list) or not rows:
            raise FieldError("key 'rules' must be a list of rules")
        unknown = set(data) - {"pack", "title", "countries", "zones", "sets", "rules"}
        if unknown:
            raise FieldError(f"unknown key {min(unknown)!r}")
    except FieldError as error:
        raise PackError(f"{path.name} line {data.line}: {error}") from error
    digest = sha256(path.read_bytes()).hexdigest()
    return Pack(name, title, countries, zones, tuple(_read_row(path.name, raw) for raw in rows), digest)


def _read_row(file: str, raw: object) -> PackRow:
    if not isinstance(raw, Located):
        raise PackError(f"{file}: every rule must be a mapping, not {raw!r}")
    try:
        row = _parse_row(raw)
        _try_row(row)
    except FieldError as error:
        raise PackError(f"{file} line {raw.line}, rule {raw.get('id', '(no id)')}: {error}") from error
    return row


def _parse_row(raw: Located) -> PackRow:
    fields = Fields(raw, "key")
    kind = fields.word("kind")
    if kind not in KINDS:
        raise FieldError(f"kind {kind!r} is none of {', '.join(sorted(KINDS))}")
    force = force_of(fields)
    reference = fields.word("reference")
    scope = _mapping(raw, "for")
    clock = fields.word("clock") if "clock" in raw else "customer"
    where = Fields({k: scope.pop(k) for k in ("regions", "roles") if k in scope}, "'for' field")
    since = _date(raw, "from")
    if since is None:
        raise FieldError("key 'from' is missing")
    unknown = set(raw) - {"id", "kind", "description", "force", "reference", "clock", "from", "until", "for",
                          "settings", "parameters"}  # fmt: skip
    if unknown:
        raise FieldError(f"unknown key {min(unknown)!r}")
    return PackRow(
        id=fields.word("id"), kind=kind, description=fields.word("description"), force=force,
        reference=reference, clock=clock, since=since, until=_date(raw, "until"),
        regions=where.maybe_words("regions") or frozenset(),
        roles=where.maybe_members("roles", CollectorRole) or frozenset(CollectorRole),
        scope=scope, settings=_mapping(raw, "settings"),
        parameters=tuple(
            _parse_parameter(name, value, force, reference)
            for name, value in _mapping(raw, "parameters").items()
        ),
        line=raw.line,
    )  # fmt: skip


def _parse_parameter(name: str, raw: object, force: Force, reference: str) -> Parameter:
    if not isinstance(raw, Located):
        raise FieldError(f"parameter {name!r} must be a mapping")
    fields = Fields(raw, f"key of parameter {name!r}:")
    values = raw.get("values")
    if not isinstance(values, dict) or not values or not all(type(day) is date for day in values):
        raise FieldError(f"parameter {name!r} needs 'values' by date, such as {{2021-11-30: 7}}")
    unknown = set(raw) - {"description", "unit", "force", "reference", "values"}
    if unknown:
        raise FieldError(f"parameter {name!r}: unknown key {min(unknown)!r}")
    return Parameter(
        name=name, description=fields.word("description"), unit=fields.word("unit"),
        force=force_of(fields, force), reference=str(raw.get("reference", reference)),
        values=tuple(sorted(values.items())),
    )  # fmt: skip


def _try_row(row: PackRow) -> None:
    """Compile the row at its start and at every change, so that a mistake is found at loading."""
    for day in sorted({row.since, *(day for p in row.parameters for day, _ in p.values if day > row.since)}):
        row.compile(day, law_only=False)
        row.compile(day, law_only=True)


def _mapping(raw: Located, key: str) -> Located:
    value = raw.get(key)
    if value is None:
        return Located()
    if not isinstance(value, Located):
        raise FieldError(f"key {key!r} must be a mapping")
    return Located(value)  # a copy: an anchor's mapping is shared by all rows that name it


def _date(raw: Located, key: str) -> date | None:
    value = raw.get(key)
    if value is not None and type(value) is not date:
        raise FieldError(f"key {key!r} must be a date, not {value!r}")
    return value


def _version(packs: list[Pack], on: date) -> str:
    digest = sha256("".join(pack.digest for pack in packs).encode()).hexdigest()[:12]
    return f"{on}/{digest}/{'+'.join(pack.name for pack in packs)}"[:_VERSION_LENGTH]
