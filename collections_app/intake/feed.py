"""One file by one mapping: canonical frames per entity, chunk by chunk, and the rows refused with reasons."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import polars as pl

from collections_app.domain.errors import InvalidInput
from collections_app.intake.canonical import Maker, sources_of
from collections_app.intake.entities import BUSINESS_DATE, ENTITIES
from collections_app.intake.keys import SeenKeys
from collections_app.intake.manifest import Manifest, ManifestFile, check_against, read_manifest
from collections_app.intake.mapping import EntityMap, Mapping
from collections_app.intake.reading import open_rows
from collections_app.intake.rows import CHUNK_ROWS, LINE, RawChunk, Reject, Rows, ahead

__all__ = [
    "Chunk", "FeedFile", "Manifest", "ManifestFile", "ParsedFile", "check_against", "open_file", "parse_file",
    "read_manifest",
]  # fmt: skip


@dataclass(frozen=True)
class Chunk:
    """Some rows of a file: typed frames by entity (each with ``_line``), the refused ones, and how many all were."""

    frames: dict[str, pl.DataFrame]
    rejects: tuple[Reject, ...]
    rows: int

    @property
    def refused_rows(self) -> int:
        """Count refused rows (a row may have several reasons)."""
        return len({r.line for r in self.rejects})


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


class FeedFile:
    """An open feed file: its digest is known and its header is what the mapping reads.

    ``rows`` (refused ones too), ``refused`` and ``totals`` are those of the chunks taken so far: complete after
    the last. ``entity`` is "flat" where one file makes several entities. ``amount_columns``: the file's columns
    that hold money.
    """

    def __init__(
        self,
        path: Path,
        rows: Rows,
        mapping: Mapping,
        business_date: date,
        *,
        entity: str | None,
        totals_of: Collection[str],
    ) -> None:
        self.path = path
        self.entity = entity or "flat"
        self.sha256 = rows.sha256
        self.header = tuple(rows.header)
        self.rows = 0
        self.refused = 0
        self._source = rows
        self._business_date = business_date
        self._maps = mapping.for_entity(entity) if entity else mapping.entities
        if not self._maps:
            raise InvalidInput(f"{path}: mapping {mapping.name} has no entity {entity!r}")
        _check_columns(path, rows, mapping, self._maps)
        wanted = frozenset(totals_of) & frozenset(rows.header)
        self.totals: dict[str, int] = dict.fromkeys(sorted(wanted), 0)
        self._makers: dict[str, list[Maker]] = {}
        fields = set()
        for entity_map in self._maps:
            chosen = sources_of(entity_map, rows.header)
            fields |= {
                s for row in chosen for s in ((s.column, s.field.type, bool(s.field.map or s.field.strip)) for s in row)
            }
            self._makers[entity_map.entity] = [
                Maker(entity_map, row, mapping, business_date, totals=wanted) for row in chosen
            ]
        self.amount_columns = tuple(
            c for c in rows.header if any((c, k, t) in fields for k in ("minor", "amount") for t in (False, True))
        )
        # Numbers at once, unless some field wants the very text of the column, or a word of it means nothing.
        texts = {c for c, kind, as_text in fields if c and (as_text or kind not in ("int", "minor"))}
        numbers = {c for c, _, _ in fields if c} - texts
        self._numbers = frozenset(numbers) if set(mapping.null_values) == {""} else frozenset()
        self._seen = {name: SeenKeys() for name in self._makers}

    def chunks(self) -> Iterator[Chunk]:
        """Yield the file's rows in their order, typed and checked; raise InvalidInput where it is no such file."""
        for raw in ahead(self._source.chunks(self._numbers)):
            chunk = self._chunk(raw)
            self.rows += chunk.rows
            self.refused += chunk.refused_rows
            yield chunk

    def _chunk(self, raw: RawChunk) -> Chunk:
        rejects = list(raw.rejects)
        frames: dict[str, pl.DataFrame] = {}
        summed: dict[str, int] = {}
        for entity, makers in self._makers.items():
            made = [maker.make(raw) for maker in makers]
            frames[entity] = made[0].frame if len(made) == 1 else pl.concat(m.frame for m in made)
            for part in made:
                rejects += part.rejects
                summed = part.amounts | summed
        for column in self.totals:
            self.totals[column] += summed[column] if column in summed else _as_numbers(raw.frame[column])
        bad = {r.line for r in rejects}
        for entity, frame in frames.items():
            frames[entity], repeated = self._without_repeats(entity, _without(frame, bad))
            rejects += repeated
        if late := {r.line for r in rejects} - bad:
            frames = {entity: _without(frame, late) for entity, frame in frames.items()}
        # One value that two entities read is one fault.
        ordered = tuple(sorted(set(rejects), key=lambda r: (r.line, r.column, r.reason)))
        return Chunk(frames, ordered, raw.rows)

    def _without_repeats(self, entity: str, frame: pl.DataFrame) -> tuple[pl.DataFrame, list[Reject]]:
        """Keep the first of each key of the file. In a flat file one customer may stand in several rows: no fault."""
        key = [c for c in ENTITIES[entity].key if c in frame.columns]
        unsaid = {c: v for c, v in ENTITIES[entity].unsaid.items() if c in key}
        meant = [
            pl.col(c).fill_null(self._business_date if unsaid[c] is BUSINESS_DATE else unsaid[c]) if c in unsaid else c
            for c in key
        ]
        first = self._seen[entity].add(frame.select(meant))
        if first.all():
            return frame, []
        if entity == "customers" and len(self._maps) > 1:
            return frame.filter(first), []
        reason = f"repeats the {' and '.join(key)} of an earlier row"
        return frame.filter(first), [Reject(line, key[0], reason) for line in frame.filter(~first)[LINE]]


def open_file(
    path: Path,
    mapping: Mapping,
    business_date: date,
    *,
    entity: str | None = None,
    totals_of: Collection[str] = (),
    chunk_rows: int = CHUNK_ROWS,
) -> FeedFile:
    """Open one file; raise InvalidInput when it is not what the mapping says.

    ``totals_of`` names columns to sum as they lie (money in minor units), refused rows included, for a manifest's
    control totals. ``chunk_rows``: the largest number of rows in a chunk.
    """
    if mapping.by_file and entity is None:
        entity = _entity_of(path, mapping)
    rows = open_rows(path, delimiter=mapping.delimiter, encoding=mapping.encoding, chunk_rows=chunk_rows)
    return FeedFile(path, rows, mapping, business_date, entity=entity, totals_of=totals_of)


def parse_file(
    path: Path,
    mapping: Mapping,
    business_date: date,
    *,
    entity: str | None = None,
    totals_of: Collection[str] = (),
) -> ParsedFile:
    """Read and type one file whole: for small files. See ``open_file``."""
    file = open_file(path, mapping, business_date, entity=entity, totals_of=totals_of)
    chunks = list(file.chunks())
    frames = {name: pl.concat(c.frames[name] for c in chunks) for name in chunks[0].frames}
    rejects = tuple(reject for chunk in chunks for reject in chunk.rejects)
    return ParsedFile(path, file.entity, file.sha256, file.rows, frames, rejects, file.totals)


def _entity_of(path: Path, mapping: Mapping) -> str:
    for entity_map in mapping.entities:
        if path.name.startswith(entity_map.entity + "_") or path.name.split(".")[0] == entity_map.entity:
            return entity_map.entity
    names = ", ".join(e.entity for e in mapping.entities)
    raise InvalidInput(f"{path}: mapping {mapping.name} tells files apart by name; start it with one of {names}")


def _check_columns(path: Path, rows: Rows, mapping: Mapping, maps: tuple[EntityMap, ...]) -> None:
    line, header = rows.header_line, rows.header
    fields = [f for m in maps for row in m.rows for f in row]
    used = {column for f in fields for column in f.columns} | {f.minus for f in fields if f.minus}
    prefixes = tuple(m.signal_prefix for m in maps if m.signal_prefix)
    for spec in fields:
        present = [c for c in spec.columns if c in header]
        if len(present) > 1:
            raise InvalidInput(
                f"{path}: line {line}: columns {present[0]!r} and {present[1]!r} are one field; send one"
            )
        absent = not present and spec.columns and (spec.required or not mapping.optional_columns)
        if absent or (spec.minus and spec.minus not in header):
            name = spec.columns[0] if absent else spec.minus
            raise InvalidInput(f"{path}: line {line}: column {name!r} is missing (mapping {mapping.name} reads it)")
    if mapping.ignore_rest:
        return
    for position, name in enumerate(header, start=1):
        if not (name in used or name in mapping.ignored or name.startswith(("x_", *prefixes))):
            raise InvalidInput(
                f"{path}: line {line}, column {position}: unknown column {name!r}; map it, list it under "
                f"ignored_columns in mapping {mapping.name}, or prefix it with x_",
                code="unknown_column",
            )


def _without(frame: pl.DataFrame, lines: set[int]) -> pl.DataFrame:
    if not lines:
        return frame
    return frame.filter(~pl.col(LINE).is_in(pl.Series(sorted(lines), dtype=pl.Int64).implode()))


def _as_numbers(column: pl.Series) -> int:
    return int(column.cast(pl.Int64, strict=False).fill_null(0).cast(pl.Int128).sum())
