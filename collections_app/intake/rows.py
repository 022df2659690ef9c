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
