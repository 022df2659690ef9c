"""Mappings: how one lender's columns become our canonical fields. Data in YAML, checked when loaded (docs/feeds.md)."""

from collections.abc import Iterator
from collections.abc import Mapping as Dict
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from collections_app.domain.errors import InvalidInput
from collections_app.intake.entities import ENTITIES, KINDS, Column, Entity
from strategies.parameters.products import product_names

SHIPPED = Path(__file__).parent / "mappings"
TYPES = tuple(dict.fromkeys(t for types in KINDS.values() for t in types))
# Stands in a proposed mapping where a person must decide (intake/suggest.py).
OPEN = "?"
# The same safe loader in C, where it was built: ten times faster.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
ENCODINGS = ("utf-8", "gb18030", "cp1252", "latin-1", "utf-16", "big5", "shift_jis")
ABSENT = ("keep", "cured")

_TOP = frozenset({
    "name", "version", "source", "currency", "bucket_table", "layout", "entities", "ignored_columns",
    "ignore_other_columns", "optional_columns", "null_values", "delimiter", "decimal", "thousands", "date_format",
    "encoding", "profile", "absent", "zone",
})  # fmt: skip
_KEYS = frozenset({
    "column", "type", "value", "required", "map", "values", "format", "min", "max", "minus", "per_month_past_due",
    "rounded", "percent", "strip",
})  # fmt: skip


@dataclass(frozen=True)
class Field:
    """How one canonical field is made: from a column (or a constant) by a type and its limits.

    ``columns`` are alternative names of one column: the first that the file has is read.
    """

    name: str
    type: str
    columns: tuple[str, ...] = ()
    value: Any = None
    required: bool = False
    map: Dict[str, Any] = field(default_factory=dict)
    values: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    length: int | None = None
    # amount - another amount column, floored at zero (what was billed and not paid)
    minus: str | None = None
    # amount x months past due (an instalment, for each month that was missed)
    per_month_past_due: bool = False
    # a file written from floats carries noise behind the cent: round instead of refusing
    rounded: bool = False
    # a rate that is written in percent
    percent: bool = False
    # characters around a value that are not part of it ("$", "EUR ")
    strip: str = ""


@dataclass(frozen=True)
class EntityMap:
    """The fields of one entity; ``rows`` has several members where one file row makes several canonical rows.

    ``skip_empty``: a row in which one of these fields is empty makes nothing (a second phone that nobody has).
    """

    entity: str
    rows: tuple[tuple[Field, ...], ...]
    signal_prefix: str | None = None
    skip_empty: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mapping:
    """One source system's mapping, with its version.

    ``absent``: what it means when a full file no longer names an account: "keep" it as it was, or it is "cured".
    ``profile``: the product profile of accounts whose rows name none (strategies/parameters/products.yaml).
    ``zone``: the clock of instants that are written without a zone.
    """

    name: str
    version: int
    source: str
    currency: str
    bucket_table: str
    entities: tuple[EntityMap, ...]
    by_file: bool = False
    ignored: frozenset[str] = frozenset()
    ignore_rest: bool = False
    # Columns of fields that are not required may be missing from a file.
    optional_columns: bool = False
    null_values: tuple[str, ...] = ("",)
    delimiter: str = ","
    decimal: str = "."
    thousands: str = ""
    encoding: str = "utf-8"
    profile: str | None = None
    absent: str = "keep"
    zone: str | None = None

    def for_entity(self, entity: str) -> tuple[EntityMap, ...]:
        """Return the maps that a file of this entity is read with; a flat file is read with all."""
        return tuple(e for e in self.entities if e.entity == entity) if self.by_file else self.entities


def load_mapping(name_or_path: str) -> Mapping:
    """Load a mapping by its shipped name or from a YAML file; raise InvalidInput naming file and field."""
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        path = SHIPPED / f"{name_or_path}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in SHIPPED.glob("*.yaml")))
        raise InvalidInput(
            f"unknown mapping {name_or_path!r}: give a YAML file or one of {known}", code="unknown_mapping"
        )
    try:
        return parse_mapping(path.read_text("utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path}: not readable as YAML: {error}") from None


def parse_mapping(text: str, where: str) -> Mapping:
    """Read a mapping from YAML text; ``where`` names it in refusals."""
    try:
        data = yaml.load(text, _LOADER)  # noqa: S506 - both are safe loaders
    except yaml.YAMLError as error:
        raise InvalidInput(f"{where}: not readable as YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict) or not isinstance(data.get("entities", {}), dict):
        raise InvalidInput(f"{where}: a mapping is a YAML table with name, version, source, currency, entities")
    if undecided := open_choices(data):
        raise InvalidInput(f"{where}: still to be decided: {', '.join(undecided)}", code="open_choices")
    return _mapping(data, where)


def open_choices(data: Any) -> list[str]:
    """Name the places of a proposed mapping where a person has not decided yet."""
    return list(_open(data, ""))


def _open(data: Any, path: str) -> Iterator[str]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _open(value, f"{path}.{key}" if path else str(key))
    elif isinstance(data, list):
        for item in data:
            yield from _open(item, path)
    elif data == OPEN:
        yield path.removeprefix("entities.").replace(".fields.", ".")


def _mapping(data: dict[str, Any], where: str) -> Mapping:
    missing = [key for key in ("name", "version", "source", "currency", "entities") if key not in data]
    if missing:
        raise InvalidInput(f"{where}: missing {', '.join(missing)}")
    if unknown := sorted(map(str, set(data) - _TOP)):
        raise InvalidInput(f"{where}: unknown key {', '.join(unknown)}; known are {', '.join(sorted(_TOP))}")
    if not isinstance(data["version"], int) or data["version"] < 1:
        raise InvalidInput(f"{where}: version must be a whole number from 1")
    _check_one_of(where, data, "encoding", ENCODINGS)
    _check_one_of(where, data, "absent", ABSENT)
    _check_one_of(where, data, "profile", product_names())
    _check_one_of(where, data, "decimal", (".", ","))
    _check_one_of(where, data, "layout", ("flat", "by_file"))
    delimiter = str(data.get("delimiter", ","))
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n':
        raise InvalidInput(f"{where}: delimiter must be one character, such as ',' or ';' or a tab")
    if data.get("thousands") and str(data["thousands"]) == str(data.get("decimal", ".")):
        raise InvalidInput(f"{where}: decimal and thousands cannot be the same character")
    return Mapping(
        name=str(data["name"]),
        version=data["version"],
        source=str(data["source"]),
        currency=str(data["currency"]),
        bucket_table=str(data.get("bucket_table", "intl")),
        entities=tuple(_entity(name, body, data, where) for name, body in data["entities"].items()),
        by_file=data.get("layout", "flat") == "by_file",
        ignored=frozenset(map(str, data.get("ignored_columns") or ())),
        ignore_rest=bool(data.get("ignore_other_columns", False)),
        optional_columns=bool(data.get("optional_columns", False)),
        null_values=tuple(dict.fromkeys(["", *map(str, data.get("null_values") or ())])),
        delimiter=delimiter,
        decimal=str(data.get("decimal", ".")),
        thousands=str(data.get("thousands") or ""),
        encoding=str(data.get("encoding", "utf-8")),
        profile=None if data.get("profile") is None else str(data["profile"]),
        absent=str(data.get("absent", "keep")),
        zone=_zone(where, data.get("zone")),
    )


def _zone(where: str, name: Any) -> str | None:
    try:
        return None if name is None else ZoneInfo(str(name)).key
    except (KeyError, ValueError, OSError):
        raise InvalidInput(f"{where}: zone {name!r} is not an IANA time zone such as Asia/Shanghai") from None


def _check_one_of(where: str, data: dict[str, Any], key: str, known: tuple[str, ...]) -> None:
    if key in data and data[key] not in known:
        raise InvalidInput(f"{where}: {key} {data[key]!r} is not one of {', '.join(map(repr, known))}")


def _entity(name: str, body: Any, data: dict[str, Any], where: str) -> EntityMap:
    entity = ENTITIES.get(name)
    if entity is None:
        raise InvalidInput(f"{where}: unknown entity {name!r}; known are {', '.join(ENTITIES)}")
    if not isinstance(body, dict) or not isinstance(body.get("fields"), dict):
        raise InvalidInput(f"{where}: {name}: an entity is a table with fields")
    if unknown := set(body) - {"fields", "repeat", "signal_prefix", "skip_empty"}:
        raise InvalidInput(f"{where}: {name}: unknown key {', '.join(sorted(map(str, unknown)))}")
    rows: list[tuple[Field, ...]] = []
    for block in body.get("repeat") or [{}]:
        specs = {**body["fields"], **block}
        if name == "accounts" and data.get("profile") and "profile" not in specs:
            specs["profile"] = data["profile"]
        _check_names(entity, name, set(specs), where)
        rows.append(tuple(_field(f, spec, entity, data, f"{where}: {name}.{f}") for f, spec in specs.items()))
    skip = tuple(map(str, body.get("skip_empty") or ()))
    if strange := [f for f in skip if not all(any(s.name == f and s.columns for s in row) for row in rows)]:
        raise InvalidInput(f"{where}: {name}: skip_empty names {strange[0]!r}, which no column makes")
    return EntityMap(name, tuple(rows), body.get("signal_prefix"), skip)


def _check_names(entity: Entity, name: str, given: set[str], where: str) -> None:
    missing = entity.required - given
    unknown = {n for n in given if entity.column(n) is None}
    if missing or unknown:
        parts = [f"missing {', '.join(sorted(missing))}"] if missing else []
        parts += [f"unknown {', '.join(sorted(map(str, unknown)))}"] if unknown else []
        raise InvalidInput(f"{where}: {name}: {'; '.join(parts)}")


def _field(name: str, spec: Any, entity: Entity, data: dict[str, Any], where: str) -> Field:
    column = entity.column(name)
    assert column is not None  # _check_names has seen to it
    if not isinstance(spec, dict):
        spec = {"value": spec, **({"type": "date"} if column.kind == "date" else {})}
    if unknown := set(spec) - _KEYS:
        raise InvalidInput(f"{where}: unknown key {', '.join(sorted(map(str, unknown)))}")
    kind = str(spec.get("type", column.type))
    if kind not in TYPES:
        raise InvalidInput(f"{where}: unknown type {kind!r}; known are {', '.join(TYPES)}")
    if kind not in KINDS[column.kind] and not spec.get("map"):
        raise InvalidInput(f"{where}: a field of kind {column.kind} cannot be made by type {kind!r}")
    if ("column" in spec) == ("value" in spec):
        raise InvalidInput(f"{where}: give either column or value")
    names = spec.get("column", [])
    words = {str(k): v for k, v in (spec.get("map") or {}).items()}
    values = tuple(map(str, spec.get("values") or column.values))
    _check_words(column, [*words.values(), *([spec["value"]] if "value" in spec else [])], spec, where)
    formats = spec.get("format") or (data.get("date_format", "%Y-%m-%d") if kind == "date" else [])
    if kind == "instant" and formats and not data.get("zone"):
        raise InvalidInput(f"{where}: an instant with a format has no zone of its own; give the mapping a zone")
    return Field(
        name=name,
        type=kind,
        columns=tuple(map(str, names if isinstance(names, list) else [names])),
        value=spec.get("value"),
        required=bool(spec.get("required", column.required)),
        map=words,
        values=values,
        formats=tuple(map(str, formats if isinstance(formats, list) else [formats])),
        # A difference is floored at zero; the limit of what it is taken from is the mapping's own.
        minimum=_tightest(max, spec.get("min"), None if spec.get("minus") else column.low),
        maximum=_tightest(min, spec.get("max"), column.high),
        length=column.length,
        minus=spec.get("minus"),
        per_month_past_due=bool(spec.get("per_month_past_due", False)),
        rounded=bool(spec.get("rounded", False)),
        percent=bool(spec.get("percent", False)),
        strip=str(spec.get("strip", "")),
    )


def _tightest(choose: Any, *limits: int | None) -> int | None:
    given = [limit for limit in limits if limit is not None]
    return choose(given) if given else None


def _check_words(column: Column, words: list[Any], spec: dict[str, Any], where: str) -> None:
    """Refuse a constant or a translation that the field could never hold."""
    for word in words:
        if word is None or spec.get("type") == "months_before":
            continue
        good = {
            "enum": word in column.values,
            "int": isinstance(word, int),
            "money": isinstance(word, int),
            "rate": isinstance(word, int),
            "bool": isinstance(word, bool),
            "date": isinstance(word, date) or word == "business_date",
            "currency": isinstance(word, str) and len(word) == 3,
        }.get(column.kind, isinstance(word, str))
        if not good:
            known = f"; known are {', '.join(column.values)}" if column.values else ""
            raise InvalidInput(f"{where}: {word!r} is not a value of kind {column.kind}{known}")
