"""One chunk of raw rows by one entity's map: typed canonical rows, and the refused ones with reasons."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import polars as pl

from collections_app.domain.errors import InvalidInput
from collections_app.intake.mapping import EntityMap, Field, Mapping
from collections_app.intake.rows import LINE, RawChunk, Reject, digest
from collections_app.intake.rules import rules_of
from collections_app.intake.typed import Typing, convert, nanos, raw_text, translate

_DPD = "dpd_source"


@dataclass(frozen=True)
class Source:
    """A field and the column of this file that makes it; none for a constant."""

    field: Field
    column: str | None


def sources_of(entity_map: EntityMap, header: list[str]) -> list[list[Source]]:
    """Choose the column of each field among those that the file has; fields without one are left out."""
    rows: list[list[Source]] = []
    present = set(header)
    for row in entity_map.rows:
        found: list[Source] = []
        for spec in row:
            column = next((c for c in spec.columns if c in present), None)
            if column is not None or not spec.columns:
                found.append(Source(spec, column))
        if entity_map.signal_prefix:
            found += [
                Source(Field(name=name, type="int", columns=(name,), minimum=0), name)
                for name in header
                if name.startswith(entity_map.signal_prefix)
            ]
        rows.append(found)
    return rows


@dataclass
class Canonical:
    """The frame of one entity out of one chunk, its refused rows, and the amounts as they lie by column."""

    frame: pl.DataFrame
    rejects: list[Reject] = field(default_factory=list)
    amounts: dict[str, int] = field(default_factory=dict)


class Maker:
    """Makes one entity's rows of raw chunks: all the fields of one map row in one pass over the columns."""

    def __init__(
        self,
        entity_map: EntityMap,
        sources: list[Source],
        mapping: Mapping,
        business_date: date,
        *,
        totals: frozenset[str],
    ) -> None:
        self.entity = entity_map.entity
        self._skip = list(entity_map.skip_empty)
        self._mapping = mapping
        self._day = business_date
        self._read = [s for s in sources if s.column is not None]
        self._constant = [s.field for s in sources if s.column is None]
        self._column = {s.field.name: s.column for s in self._read}
        self._names = [s.field.name for s in sources]
        self._totals = totals

    def make(self, chunk: RawChunk) -> Canonical:
        """Type and check one chunk."""
        raw = self._raw(chunk)
        if self._skip:
            made = pl.Series(raw.select(pl.all_horizontal(pl.col(self._skip).is_not_null())).to_series())
            raw, chunk = raw.filter(made), chunk.filter(made)
        values, reasons = self._values(raw)
        canonical = Canonical(values)
        for source in self._read:
            canonical.rejects += self._check(source, raw, values, reasons[source.field.name], chunk)
            self._sum(canonical, source, values)
        canonical.frame = self._finish(values, chunk)
        canonical.rejects += self._broken_rules(canonical.frame)
        return canonical

    def _raw(self, chunk: RawChunk) -> pl.DataFrame:
        texts = []
        for source in self._read:
            column = source.column or ""
            text = raw_text(column, self._mapping.null_values, clean=chunk.is_clean, dtype=chunk.frame.schema[column])
            if source.field.strip:
                text = text.str.strip_chars(source.field.strip + " ")
            texts.append(text.alias(source.field.name))
        return chunk.frame.select(texts)

    def _values(self, raw: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, str]]:
        """Type every column, the short way where it is right; return what a refusal of each says too."""
        ways = {s.field.name: self._way(s.field, raw.schema[s.field.name]) for s in self._read}
        values = raw.select((w.exact if w.short is None else w.short).alias(name) for name, w in ways.items())
        fine = raw.select(w.fine.fill_null(value=True).alias(name) for name, w in ways.items() if w.fine is not None)
        again = [
            name for name in fine.columns if not fine[name].all() or values[name].null_count() > raw[name].null_count()
        ]
        values = values.with_columns(raw.select(ways[name].exact.alias(name) for name in again))
        return values, {name: way.reason for name, way in ways.items()}

    def _way(self, spec: Field, dtype: pl.DataType) -> Typing:
        raw = pl.col(spec.name)
        if spec.map:
            return Typing(*translate(spec, raw))
        return convert(spec, raw, self._mapping, dtype)

    def _check(
        self, source: Source, raw: pl.DataFrame, values: pl.DataFrame, reason: str, chunk: RawChunk
    ) -> Iterator[Reject]:
        spec, name = source.field, source.field.name
        given, value = raw[name], values[name]
        if value.null_count() > given.null_count():
            bad = given.is_not_null() & value.is_null()
            if None in spec.map.values():
                bad &= ~given.cast(pl.String).is_in(list(spec.map))
            yield from _refused(chunk, source, bad, reason)
        if spec.required and given.null_count():
            yield from _refused(chunk, source, given.is_null(), "is empty but required")
        low, high = spec.minimum, spec.maximum
        if low is not None and (least := value.min()) is not None and least < low:  # type: ignore[operator]
            yield from _refused(chunk, source, value < low, "is negative" if low == 0 else f"is below {low}")
        if high is not None and (most := value.max()) is not None and most > high:  # type: ignore[operator]
            yield from _refused(chunk, source, value > high, f"is above {high}")

    def _sum(self, made: Canonical, source: Source, values: pl.DataFrame) -> None:
        if source.column in self._totals and source.column not in made.amounts:
            value = values[source.field.name]
            if value.dtype == pl.Int64:
                made.amounts[source.column] = int(value.cast(pl.Int128).sum())

    def _finish(self, values: pl.DataFrame, chunk: RawChunk) -> pl.DataFrame:
        """Add constants, differences and multiples; put the fields in the map's order."""
        changed: list[pl.Expr] = []
        frame = values
        for spec in self._constant:
            changed.append(_constant(spec, self._day).alias(spec.name))
        for source in self._read:
            spec = source.field
            if spec.minus is not None:
                less = raw_text(spec.minus, self._mapping.null_values, clean=chunk.is_clean,
                                dtype=chunk.frame.schema[spec.minus])  # fmt: skip
                other = chunk.frame.select(less.alias(spec.name)).select(
                    convert(spec, pl.col(spec.name), self._mapping, chunk.frame.schema[spec.minus]).exact
                )
                rest = pl.Series(spec.name, values[spec.name] - other.to_series().fill_null(0))
                changed.append(pl.lit(rest).clip(lower_bound=0).alias(spec.name))
            elif spec.per_month_past_due:
                months = (pl.col(_DPD).fill_null(0) / 30).ceil().cast(pl.Int64)
                changed.append((pl.col(spec.name) * months).alias(spec.name))
        if "profile" in self._column and self._mapping.profile:
            changed.append(pl.col("profile").fill_null(self._mapping.profile))
        return frame.with_columns(chunk.frame[LINE], *changed).select(LINE, *self._names)

    def _broken_rules(self, frame: pl.DataFrame) -> Iterator[Reject]:
        rules = rules_of(self.entity, self._names)
        if not rules:
            return
        flags = frame.select(rule.bad(self._names).fill_null(value=False).alias(str(i)) for i, rule in enumerate(rules))
        for i, rule in enumerate(rules):
            if flags[str(i)].any():
                column = self._column.get(rule.field) or rule.field
                hits = frame.select(LINE, pl.lit(flags[str(i)]).alias("bad")).filter("bad")
                yield from (Reject(line, column, rule.reason) for line in hits[LINE])


def _refused(chunk: RawChunk, source: Source, bad: pl.Series, reason: str) -> Iterator[Reject]:
    assert source.column is not None
    text = chunk.text_of(source.column).str.strip_chars().filter(bad)
    for line, value in zip(chunk.frame[LINE].filter(bad), text, strict=True):
        yield Reject(line, source.column, reason, digest(value or None))


def _constant(spec: Field, business_date: date) -> pl.Expr:
    value: Any = spec.value
    if spec.type == "months_before":
        first = business_date.replace(day=1)
        for _ in range(int(value) - 1 if value else 0):
            first = (first - timedelta(days=1)).replace(day=1)
        return pl.lit(business_date if not value else first - timedelta(days=1), pl.Date)
    if spec.type == "date":
        return pl.lit(business_date if value == "business_date" else value, pl.Date)
    if spec.type == "rate":
        return pl.lit(nanos(value), pl.Int64)
    if isinstance(value, bool):
        return pl.lit(value)
    if isinstance(value, int):
        return pl.lit(value, pl.Int64)
    if value is None or isinstance(value, str):
        return pl.lit(value, pl.String)
    raise InvalidInput(f"{spec.name}: {value!r} cannot be a constant")
