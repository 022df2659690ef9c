"""What a file of rows gives, whatever its format: chunks of raw text columns, and rows refused for their shape."""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol

import polars as pl

CHUNK_ROWS = 1 << 16
LINE = "_line"


@dataclass(frozen=True)
class Reject:
    """One refused row: where, and why in words."""

    line: int
    column: str
    reason: str
    value_digest: str | None = None


def digest(value: str | None) -> str | None:
    """Return a short digest of a refused value: enough to find it again, not to read it."""
    return None if value is None else hashlib.sha256(value.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class RawChunk:
    """Some rows of a file: ``_line`` (a row's first line) and one column per header name.

    Columns are text, or whole numbers where the reader was asked for them and every value is one. ``is_clean``:
    no text in it begins or ends with a space. ``rows`` counts refused rows too.
    """

    frame: pl.DataFrame
    rejects: tuple[Reject, ...]
    rows: int
    is_clean: bool
    text_of: Callable[[str], pl.Series]

    def filter(self, kept: pl.Series) -> "RawChunk":
        """Return the chunk without some of its rows."""
        return replace(self, frame=self.frame.filter(kept), text_of=lambda column: self.text_of(column).filter(kept))


class Rows(Protocol):
    """An open file of rows: its header is read and is sound."""

    @property
    def sha256(self) -> str:
        """Return the digest of the file's bytes."""

    @property
    def header(self) -> list[str]:
        """Return the column names as they lie."""

    @property
    def header_line(self) -> int:
        """Return the line of the header."""

    def chunks(self, whole_numbers: frozenset[str]) -> Iterator[RawChunk]:
        """Yield the rows in their order; raise InvalidInput where the file stops being one of rows.

        ``whole_numbers``: columns to give as numbers where every value of a chunk is one of at most 18 digits.
        """


def ahead(chunks: Iterator[RawChunk]) -> Iterator[RawChunk]:
    """Yield the same chunks, reading the next one while the present one is worked on."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="feed") as reader:
        coming = reader.submit(next, chunks, None)
        while (chunk := coming.result()) is not None:
            coming = reader.submit(next, chunks, None)
            yield chunk


def gathered(chunks: Iterator[RawChunk], rows: int) -> Iterator[RawChunk]:
    """Join small neighbours into chunks of at most ``rows``: a chunk costs something however small it is."""
    waiting: list[RawChunk] = []
    held = 0
    for chunk in chunks:
        if waiting and held + chunk.rows > rows:
            yield _joined(waiting)
            waiting, held = [], 0
        waiting.append(chunk)
        held += chunk.rows
    if waiting:
        yield _joined(waiting)


def _joined(chunks: list[RawChunk]) -> RawChunk:
    if len(chunks) == 1:
        return chunks[0]

    def text_of(column: str) -> pl.Series:
        return pl.concat([chunk.text_of(column) for chunk in chunks])

    # A column that is numbers here and text there is text.
    mixed = [c for c, dtype in chunks[0].frame.schema.items() if any(x.frame.schema[c] != dtype for x in chunks)]
    frame = pl.concat(chunk.frame.drop(mixed) for chunk in chunks).with_columns(text_of(c).alias(c) for c in mixed)
    rejects = tuple(reject for chunk in chunks for reject in chunk.rejects)
    return RawChunk(frame, rejects, sum(c.rows for c in chunks), all(c.is_clean for c in chunks), text_of)
