"""One file by one mapping: canonical frames per entity, and the rows that were refused with reasons."""

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from collections_app.domain.errors import InvalidInput
from collections_app.intake.mapping import EntityMap, Field, Mapping
from collections_app.intake.reading import LINE, Reject, Table, digest, read_table
from collections_app.intake.typed import convert, raw_text, translate

# What makes a row of an entity the same row; a second one in a file is refused.
KEYS: dict[str, tuple[str, ...]] = {
    "customers": ("customer_ref",),
    "accounts": ("account_ref",),
    "contact_points": ("customer_ref", "kind", "value"),
    "payments": ("payment_ref",),
    "cycles": ("account_ref", "cycle_end_on"),
    "signals": ("customer_ref", "provider", "snapshot_on"),
    "labels": ("account_ref", "label"),
}
_MONTHS = "dpd_source"


@dataclass(frozen=True)
class ParsedFile:
    """A file read whole: typed frames by entity, refused rows, counts and digest."""

    path: Path
    entity: str
    sha256: str
    rows: int
    frames: dict[str, pl.DataFrame]
    rejects: tuple[Reject, ...]
    totals: dict[str, int] = field(default_factory=dict)

    @property
    def refused_rows(self) -> int:
        """Count refused rows (a row may have several reasons)."""
        return len({r.line for r in self.rejects})


@dataclass
class _Pass:
    """What one pass over the columns collects."""

    columns: dict[str, pl.Expr] = field(default_factory=dict)
    checks: list[tuple[str, str, pl.Expr, pl.Expr]] = field(default_factory=list)


def parse_file(
    path: Path,
    mapping: Mapping,
    business_date: date,
    *,
    entity: str | None = None,
    totals_of: Collection[str] = (),
) -> ParsedFile:
    """Read and type one file. Raise InvalidInput when the file as a whole is not what the mapping says.

    ``totals_of`` names columns to sum as they lie, refused rows included, for a manifest's control totals.
    """
    if mapping.by_file and entity is None:
        entity = _entity_of(path, mapping)
    table = read_table(path, delimiter=mapping.delimiter)
    maps = mapping.for_entity(entity) if entity else mapping.entities
    if not maps:
        raise InvalidInput(f"{path}: mapping {mapping.name} has no entity {entity!r}")
    _check_columns(path, table, mapping, maps)
    frames: dict[str, pl.DataFrame] = {}
    rejects = list(table.rejects)
    for entity_map in maps:
        parts = [_canonical(table.frame, entity_map, row, mapping, business_date) for row in entity_map.rows]
        rejects += [reject for _, found in parts for reject in found]
        frames[entity_map.entity] = pl.concat([frame for frame, _ in parts])
    bad = {r.line for r in rejects}
    for name, frame in frames.items():
        keep = frame.filter(~pl.col(LINE).is_in(list(bad)))
        frames[name], repeated = _without_repeats(keep, KEYS[name], collapse=name == "customers" and len(maps) > 1)
        rejects += repeated
    if late := {r.line for r in rejects} - bad:
        frames = {name: frame.filter(~pl.col(LINE).is_in(list(late))) for name, frame in frames.items()}
    # One value that two entities read is one fault.
    ordered = tuple(sorted(set(rejects), key=lambda r: (r.line, r.column)))
    totals = _totals(table.frame, totals_of)
    return ParsedFile(path, entity or "flat", table.sha256, table.rows, frames, ordered, totals)


def _entity_of(path: Path, mapping: Mapping) -> str:
    for entity_map in mapping.entities:
        if path.name.startswith(entity_map.entity + "_") or path.name.split(".")[0] == entity_map.entity:
            return entity_map.entity
    names = ", ".join(e.entity for e in mapping.entities)
    raise InvalidInput(f"{path}: mapping {mapping.name} tells files apart by name; start it with one of {names}")


def _check_columns(path: Path, table: Table, mapping: Mapping, maps: tuple[EntityMap, ...]) -> None:
    header = [c for c in table.frame.columns if c != LINE]
    fields = [f for m in maps for row in m.rows for f in row]
    used = {f.column for f in fields if f.column} | {f.minus for f in fields if f.minus}
    prefixes = tuple(m.signal_prefix for m in maps if m.signal_prefix)
    missing = sorted(used - set(header))
    if missing:
        raise InvalidInput(f"{path}: line 1: column {missing[0]!r} is missing (mapping {mapping.name} reads it)")
    if mapping.ignore_rest:
        return
    for position, name in enumerate(header, start=1):
        known = name in used or name in mapping.ignored or name.startswith(("x_", *prefixes))
        if not known:
            raise InvalidInput(
                f"{path}: line 1, column {position}: unknown column {name!r}; map it, list it under "
                f"ignored_columns in mapping {mapping.name}, or prefix it with x_",
                code="unknown_column",
            )


def _canonical(
    frame: pl.DataFrame, entity_map: EntityMap, row: tuple[Field, ...], mapping: Mapping, business_date: date
) -> tuple[pl.DataFrame, list[Reject]]:
    work = _Pass()
    for spec in row:
        _add_field(work, spec, mapping, business_date)
    if entity_map.signal_prefix:
        for name in (c for c in frame.columns if c.startswith(entity_map.signal_prefix)):
            _add_field(work, Field(name=name, type="int", column=name, minimum=0), mapping, business_date)
    flags = [bad.alias(f"_bad{i}") for i, (_, _, _, bad) in enumerate(work.checks)]
    result = frame.select(pl.col(LINE), *(e.alias(n) for n, e in work.columns.items()), *flags)
    rejects: list[Reject] = []
    for i, (column, reason, raw, _) in enumerate(work.checks):
        hit = result[f"_bad{i}"].fill_null(value=False)
        if hit.any():
            found = frame.filter(hit).select(pl.col(LINE), raw.alias("raw"))
            rejects += [Reject(line, column, reason, digest(value)) for line, value in found.iter_rows()]
    result = result.drop([f"_bad{i}" for i in range(len(work.checks))])
    months = {s.name for s in row if s.per_month_past_due}
    if months:
        due = (pl.col(_MONTHS).fill_null(0) / 30).ceil().cast(pl.Int64)
        result = result.with_columns(pl.col(n) * due for n in months)
    return result, rejects


def _add_field(work: _Pass, spec: Field, mapping: Mapping, business_date: date) -> None:
    if spec.column is None:
        work.columns[spec.name] = _constant(spec, business_date)
        return
    raw = raw_text(spec.column, mapping.null_values)
    value, reason = translate(spec, raw) if spec.map else convert(spec, raw, mapping.currency)
    bad = raw.is_not_null() & value.is_null()
    if spec.map and None in spec.map.values():
        bad = raw.is_not_null() & ~raw.is_in(list(spec.map))
    work.checks.append((spec.column, reason, raw, bad))
    if spec.required:
        work.checks.append((spec.column, "is empty but required", raw, raw.is_null()))
    if spec.minimum is not None:
        reason = "is negative" if spec.minimum == 0 else f"is below {spec.minimum}"
        work.checks.append((spec.column, reason, raw, value < spec.minimum))
    if spec.maximum is not None:
        work.checks.append((spec.column, f"is above {spec.maximum}", raw, value > spec.maximum))
    if spec.minus is not None:
        less, _ = convert(spec, raw_text(spec.minus, mapping.null_values), mapping.currency)
        value = pl.max_horizontal(value - less.fill_null(0), pl.lit(0, pl.Int64))
    work.columns[spec.name] = value


def _constant(spec: Field, business_date: date) -> pl.Expr:
    if spec.type == "months_before":
        first = business_date.replace(day=1)
        for _ in range(int(spec.value) - 1 if spec.value else 0):
            first = (first - timedelta(days=1)).replace(day=1)
        return pl.lit(business_date if not spec.value else first - timedelta(days=1), pl.Date)
    if spec.type == "date" and spec.value == "business_date":
        return pl.lit(business_date, pl.Date)
    dtype = pl.Int64 if isinstance(spec.value, int) else pl.String
    return pl.lit(spec.value, dtype)


def _without_repeats(frame: pl.DataFrame, key: tuple[str, ...], *, collapse: bool) -> tuple[pl.DataFrame, list[Reject]]:
    """Keep the first of each key. In a flat file one customer may stand in several rows: no fault."""
    first = frame.select(pl.struct(key).is_first_distinct()).to_series()
    if first.all():
        return frame, []
    rejects = (
        []
        if collapse
        else [
            Reject(line, key[0], f"repeats the {' and '.join(key)} of an earlier row")
            for line in frame.filter(~first)[LINE]
        ]
    )
    return frame.filter(first), rejects


@dataclass(frozen=True)
class ManifestFile:
    """One file that a manifest promises."""

    path: Path
    entity: str
    rows: int
    sha256: str
    sums: dict[str, int]


def read_manifest(path: Path, business_date: date) -> tuple[str | None, tuple[ManifestFile, ...]]:
    """Read manifest.json (domain brief §8.0): the source system and the files, in the order to load."""
    try:
        data: Any = json.loads(path.read_text("utf-8"))
        stated = date.fromisoformat(data["business_date"])
        files = tuple(
            ManifestFile(path.parent / str(f["file"]), str(f["entity"]), int(f["rows"]), str(f["sha256"]),
                         {str(k): int(v) for k, v in f.get("sums", {}).items()})
            for f in data["files"]
        )  # fmt: skip
    except FileNotFoundError:
        raise InvalidInput(f"{path}: no such file") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"{path}: not a feed manifest ({type(error).__name__}: {error})") from None
    if stated != business_date:
        raise InvalidInput(f"{path}: the manifest is for {stated}, you asked for {business_date}")
    outside = [f.path.name for f in files if f.path.resolve().parent != path.resolve().parent]
    if outside:
        raise InvalidInput(f"{path}: file {outside[0]!r} lies outside the manifest's folder")
    order = list(KEYS)
    unknown = [f.entity for f in files if f.entity not in KEYS]
    if unknown:
        raise InvalidInput(f"{path}: unknown entity {unknown[0]!r}")
    source = data.get("source_system")
    return None if source is None else str(source), tuple(sorted(files, key=lambda f: order.index(f.entity)))


def check_against(promise: ManifestFile, parsed: ParsedFile) -> None:
    """Raise InvalidInput unless rows, digest and control totals are as the manifest says."""
    if parsed.sha256 != promise.sha256:
        raise InvalidInput(f"{promise.path}: the digest differs from the manifest's; the file was changed or cut")
    if parsed.rows != promise.rows:
        raise InvalidInput(f"{promise.path}: {parsed.rows} rows, the manifest says {promise.rows}")
    for column, total in promise.sums.items():
        if parsed.totals.get(column) != total:
            raise InvalidInput(
                f"{promise.path}: column {column!r} sums to {parsed.totals.get(column)}, the manifest says {total}"
            )


def _totals(frame: pl.DataFrame, columns: Collection[str]) -> dict[str, int]:
    return {c: int(frame[c].cast(pl.Int64, strict=False).fill_null(0).sum()) for c in columns if c in frame.columns}
