"""Mappings: how one lender's columns become our canonical fields. Data in YAML, checked when loaded."""

from collections.abc import Mapping as Dict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from collections_app.domain.errors import InvalidInput

SHIPPED = Path(__file__).parent / "mappings"

TYPES = ("id", "text", "int", "amount", "minor", "date", "instant", "enum", "list", "months_before")

# The canonical fields of each entity: required ones, then optional ones. The names are the tables' own.
ENTITIES: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "customers": (
        frozenset({"customer_ref", "country"}),
        frozenset({"full_name", "party_type", "language", "regions", "zones"}),
    ),
    "accounts": (
        frozenset({"account_ref", "customer_ref", "creditor", "collector_role", "product_family", "currency",
                   "balance_amount", "arrears_amount", "status"}),
        frozenset({"opened_on", "limit_amount", "minimum_due_amount", "oldest_unpaid_due_on", "dpd_source"}),
    ),
    "contact_points": (
        frozenset({"customer_ref", "kind", "value"}),
        frozenset({"owner", "quality", "source", "rank", "consent_kind", "consent_at", "consent_given_to"}),
    ),
    "payments": (
        frozenset({"payment_ref", "account_ref", "amount", "currency", "kind", "status", "value_on"}),
        frozenset({"channel", "reverses_ref"}),
    ),
    "cycles": (
        frozenset({"account_ref", "cycle_end_on"}),
        frozenset({"cycles_past_due", "statement_amount", "paid_amount"}),
    ),
    "signals": (frozenset({"customer_ref", "provider", "snapshot_on", "hit_status"}), frozenset({"received_on"})),
    "labels": (frozenset({"account_ref", "label", "outcome"}), frozenset({"horizon_days"})),
}  # fmt: skip


@dataclass(frozen=True)
class Field:
    """How one canonical field is made: from a column (or a constant) by a type and its limits."""

    name: str
    type: str
    column: str | None = None
    value: Any = None
    required: bool = False
    map: Dict[str, Any] = field(default_factory=dict)
    values: tuple[str, ...] = ()
    format: str = "%Y-%m-%d"
    minimum: int | None = None
    maximum: int | None = None
    # amount - another amount column, floored at zero (what was billed and not paid)
    minus: str | None = None
    # amount x months past due (an instalment, for each month that was missed)
    per_month_past_due: bool = False
    # a file written from floats carries noise behind the cent: round instead of refusing
    rounded: bool = False


@dataclass(frozen=True)
class EntityMap:
    """The fields of one entity; ``repeats`` makes several canonical rows of one file row."""

    entity: str
    rows: tuple[tuple[Field, ...], ...]
    signal_prefix: str | None = None


@dataclass(frozen=True)
class Mapping:
    """One source system's mapping, with its version."""

    name: str
    version: int
    source: str
    currency: str
    bucket_table: str
    entities: tuple[EntityMap, ...]
    by_file: bool = False
    ignored: frozenset[str] = frozenset()
    ignore_rest: bool = False
    null_values: tuple[str, ...] = ("",)
    delimiter: str = ","

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
        data = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise InvalidInput(f"{path}: a mapping is a YAML table with name, version, source, entities")
    return _mapping(data, path)


def _mapping(data: dict[str, Any], path: Path) -> Mapping:
    missing = [key for key in ("name", "version", "source", "currency", "entities") if key not in data]
    if missing:
        raise InvalidInput(f"{path}: missing {', '.join(missing)}")
    entities: list[EntityMap] = []
    for entity, body in data["entities"].items():
        if entity not in ENTITIES:
            raise InvalidInput(f"{path}: unknown entity {entity!r}; known are {', '.join(ENTITIES)}")
        blocks = body.get("repeat") or [{}]
        rows = tuple(
            tuple(_field(name, spec, f"{path}: {entity}.{name}") for name, spec in ({**body["fields"], **b}).items())
            for b in blocks
        )
        entity_map = EntityMap(entity, rows, body.get("signal_prefix"))
        _check_fields(entity_map, path)
        entities.append(entity_map)
    return Mapping(
        name=str(data["name"]),
        version=int(data["version"]),
        source=str(data["source"]),
        currency=str(data["currency"]),
        bucket_table=str(data.get("bucket_table", "intl")),
        entities=tuple(entities),
        by_file=data.get("layout", "flat") == "by_file",
        ignored=frozenset(map(str, data.get("ignored_columns", []))),
        ignore_rest=bool(data.get("ignore_other_columns", False)),
        null_values=tuple(map(str, data.get("null_values", [""]))),
        delimiter=str(data.get("delimiter", ",")),
    )


def _field(name: str, spec: Any, where: str) -> Field:
    if not isinstance(spec, dict):
        return Field(name=name, type="text", value=spec)
    known = {"column", "type", "value", "required", "map", "values", "format", "min", "max", "minus",
             "per_month_past_due", "rounded"}  # fmt: skip
    unknown = set(spec) - known
    if unknown:
        raise InvalidInput(f"{where}: unknown key {', '.join(sorted(unknown))}")
    kind = str(spec.get("type", "text"))
    if kind not in TYPES:
        raise InvalidInput(f"{where}: unknown type {kind!r}; known are {', '.join(TYPES)}")
    if ("column" in spec) == ("value" in spec):
        raise InvalidInput(f"{where}: give either column or value")
    return Field(
        name=name,
        type=kind,
        column=None if spec.get("column") is None else str(spec["column"]),
        value=spec.get("value"),
        required=bool(spec.get("required", False)),
        map={str(k): v for k, v in (spec.get("map") or {}).items()},
        values=tuple(map(str, spec.get("values", ()))),
        format=str(spec.get("format", "%Y-%m-%d")),
        minimum=spec.get("min"),
        maximum=spec.get("max"),
        minus=spec.get("minus"),
        per_month_past_due=bool(spec.get("per_month_past_due", False)),
        rounded=bool(spec.get("rounded", False)),
    )


def _check_fields(entity_map: EntityMap, path: Path) -> None:
    required, optional = ENTITIES[entity_map.entity]
    for row in entity_map.rows:
        names = {f.name for f in row}
        free = {n for n in names if n.startswith("ml_")} if entity_map.entity == "signals" else set()
        missing, unknown = required - names, names - required - optional - free
        if missing or unknown:
            parts = [f"missing {', '.join(sorted(missing))}"] if missing else []
            parts += [f"unknown {', '.join(sorted(unknown))}"] if unknown else []
            raise InvalidInput(f"{path}: {entity_map.entity}: {'; '.join(parts)}")
