"""Rows of a CSV file, a chunk at a time (RFC 4180).

Blocks of even lines are read by polars at its full speed. A block with odd quoting, line breaks inside fields,
blank lines or rows of another length is read by the csv module, to the letter and with every row's own line.
Both ways give the same rows: which one a block takes is a question of speed alone.
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from collections_app.domain.errors import InvalidInput
from collections_app.intake.lines import BLOCK, Lines, line_ends
from collections_app.intake.rows import LINE, RawChunk, Reject, gathered

# An uneven block is cut into parts of this size: only those that are uneven themselves take the slow way.
_PART = 1 << 18
_QUOTE, _NEWLINE, _RETURN = ord('"'), ord("\n"), ord("\r")
# What text is stripped of, within ASCII.
_SPACES = b" \t\x0b\x0c\x1c\x1d\x1e\x1f"
_SPACED = r"^\s|\s$"
_NONE = np.zeros(0, dtype=np.int64)
# Text in which to look for the header.
_HEAD = 1 << 16
_WHOLE = pl.Int64


class CsvRows:
    """One CSV file, plain or gzip."""

    def __init__(
        self, path: Path, sha256: str, *, delimiter: str, encoding: str, chunk_rows: int, block: int = BLOCK
    ) -> None:
        self.path = path
        self.sha256 = sha256
        self._delimiter = delimiter
        self._encoding = encoding
        self._chunk_rows = chunk_rows
        self._block = block
        lines = self._open(_HEAD)
        try:
            self.header_line, self.header = self._read_header(lines)
        finally:
            lines.close()

    def _open(self, block: int) -> Lines:
        return Lines(self.path, delimiter=self._delimiter, encoding=self._encoding, block=block)

    def chunks(self, whole_numbers: frozenset[str] = frozenset()) -> Iterator[RawChunk]:
        """Yield the rows in their order; raise InvalidInput where the file stops being CSV."""
        return gathered(self._pieces(whole_numbers), self._chunk_rows)

    def _pieces(self, whole_numbers: frozenset[str]) -> Iterator[RawChunk]:
        lines = self._open(self._block)
        numbers = set(whole_numbers)
        rows = 0
        try:
            self._read_header(lines)
            while True:
                first, block = lines.take()
                if not block:
                    break
                for chunk in self._read(lines, first, block, numbers):
                    rows += chunk.rows
                    yield chunk
        finally:
            lines.close()
        if not rows:
            raise InvalidInput(f"{self.path}: line 2: no rows after the header", code="empty_file")

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """Yield every row after the header by the csv module, whatever its length, with its line."""
        lines = self._open(_PART)
        try:
            self._read_header(lines)
            while True:
                first, block = lines.take()
                if not block:
                    return
                source = _Records(lines, first, block, self._delimiter)
                try:
                    yield from source
                except csv.Error as error:
                    raise self._odd(source.line, error) from None
                lines.put_back(*source.unread())
        finally:
            lines.close()

    def _odd(self, line: int, error: csv.Error) -> InvalidInput:
        return InvalidInput(f"{self.path}: line {line}: {error}; is a quote left open?")

    def _read_header(self, lines: Lines) -> tuple[int, list[str]]:
        first, block = lines.take()
        if block[:4] == b"sep=" and block[5:6] in (b"\n", b"\r"):  # a spreadsheet's note to itself
            end = block.index(b"\n") + 1
            first, block = first + 1, block[end:]
        # The lines to come wait unread: only a header with line breaks in it asks for more of them.
        end = min(len(block), _HEAD)
        end = block.rfind(b"\n", 0, end) + 1 or len(block)
        head, rest = block[:end], block[end:]
        lines.put_back(first + line_ends(head), rest)
        source = _Records(lines, first, head, self._delimiter)
        try:
            line, names = next(source)
        except StopIteration:
            raise InvalidInput(f"{self.path}: line 1: a header was expected") from None
        except csv.Error as error:
            raise InvalidInput(f"{self.path}: line {first}: {error}") from None
        lines.put_back(*source.unread())
        header = [name.strip() for name in names]
        twice = sorted({name for name in header if header.count(name) > 1})
        if twice:
            raise InvalidInput(f"{self.path}: line {line}: column {twice[0]!r} appears twice")
        return line, header

    def _read(self, lines: Lines, first: int, block: bytes, numbers: set[str]) -> Iterator[RawChunk]:
        frame = self._fast(block, numbers)
        if frame is not None:
            yield from self._slices(frame, first, block)
        elif len(block) > 2 * _PART:
            for part_first, part in _parts(first, block):
                lines.put_back(part_first, part)
        else:
            yield from self._slow(lines, first, block, numbers)

    def _slices(self, frame: pl.DataFrame, first: int, block: bytes) -> Iterator[RawChunk]:
        clean = _is_clean(block, self._delimiter.encode())
        numbered = frame.with_columns(pl.int_range(first, first + frame.height, dtype=pl.Int64).alias(LINE))
        for offset in range(0, frame.height, self._chunk_rows):
            part = numbered.slice(offset, self._chunk_rows)

            def text_of(column: str, offset: int = offset, part: pl.DataFrame = part) -> pl.Series:
                if part.schema[column] == pl.String:
                    return part[column]
                text = self._parse(_unix(block), frozenset(), only=column)
                return text[column].slice(offset, part.height)

            yield RawChunk(part, (), part.height, clean, text_of)

    def _fast(self, block: bytes, numbers: set[str]) -> pl.DataFrame | None:
        """Read a block of even lines; None when it is not one, and the csv module must say what it is."""
        if b"\r" in block:
            if block.count(b"\r") != block.count(b"\r\n"):
                return None
            block = _unix(block)
        raw = np.frombuffer(block, dtype=np.uint8)
        ends = np.flatnonzero(raw == _NEWLINE)
        rows = ends.size + (not block.endswith(b"\n"))
        if raw[0] == _NEWLINE or (np.diff(ends) == 1).any():
            return None
        # Polars refuses a longer row; with none of them and this sum there is no shorter one either.
        if _separators(block, raw, self._delimiter, ends) != rows * (len(self.header) - 1):
            return None
        frame = None
        if numbers:
            try:
                frame = self._parse(block, frozenset(numbers))
            except pl.exceptions.PolarsError:
                frame = None  # some value of those columns is no whole number: text says which
        if frame is None:
            try:
                frame = self._parse(block, frozenset())
            except pl.exceptions.PolarsError:
                return None
            # Only the columns to blame are text from here on (all, should none of them be).
            bad = {n for n in numbers if frame[n].cast(_WHOLE, strict=False).null_count() > frame[n].null_count()}
            numbers -= bad or set(numbers)
        return frame if frame.height == rows else None

    def _parse(self, block: bytes, numbers: frozenset[str], *, only: str | None = None) -> pl.DataFrame:
        schema = {name: _WHOLE if name in numbers else pl.String for name in self.header}
        return pl.read_csv(
            block,
            has_header=False,
            schema=schema,
            columns=None if only is None else [self.header.index(only)],
            separator=self._delimiter,
            quote_char='"' if b'"' in block else None,
            infer_schema=False,
        )

    def _slow(self, lines: Lines, first: int, block: bytes, numbers: set[str]) -> Iterator[RawChunk]:
        source = _Records(lines, first, block, self._delimiter)
        width = len(self.header)
        kept: list[tuple[int, list[str]]] = []
        rejects: list[Reject] = []
        try:
            for line, row in source:
                if len(row) == width:
                    kept.append((line, row))
                else:
                    rejects.append(Reject(line, self.header[min(len(row), width) - 1],
                                          f"the row has {len(row)} fields, the header has {width}"))  # fmt: skip
                if len(kept) + len(rejects) == self._chunk_rows:
                    yield self._chunk(kept, rejects, numbers)
                    kept, rejects = [], []
        except csv.Error as error:
            raise self._odd(source.line, error) from None
        lines.put_back(*source.unread())
        if kept or rejects:
            yield self._chunk(kept, rejects, numbers)

    def _chunk(self, kept: list[tuple[int, list[str]]], rejects: list[Reject], numbers: set[str]) -> RawChunk:
        """Give rows of the slow way as the fast way would: nothing for the empty text, numbers where all are."""
        columns = list(zip(*(row for _, row in kept), strict=True)) if kept else [()] * len(self.header)
        data = {n: pl.Series(n, v, dtype=pl.String) for n, v in zip(self.header, columns, strict=True)}
        text = pl.DataFrame(data).select(pl.when(pl.all() != "").then(pl.all()))
        clean = not any(text.select(pl.all().str.contains(_SPACED).any()).row(0))
        wanted = text.select(pl.col(sorted(numbers)).cast(_WHOLE, strict=False))
        whole = [c for c in wanted.columns if wanted[c].null_count() == text[c].null_count()]
        lines = pl.Series(LINE, [line for line, _ in kept], dtype=pl.Int64)
        frame = text.with_columns(wanted.select(whole)).with_columns(lines)
        return RawChunk(frame, tuple(rejects), len(kept) + len(rejects), clean, lambda column: text[column])


class _Records:
    """The csv module over the lines of a block, going on into the next block only inside a quoted field."""

    def __init__(self, lines: Lines, first: int, block: bytes, delimiter: str) -> None:
        self._lines = lines
        self._text = _physical(block)
        self._first = first
        self._used = 0
        self._reader = csv.reader(self._feed(), delimiter=delimiter, strict=True)
        self.line = first

    def _feed(self) -> Iterator[str]:
        while True:
            while self._used < len(self._text):
                self._used += 1
                yield self._text[self._used - 1]
            first, block = self._lines.take()
            if not block:
                return
            self._first, self._text, self._used = first, _physical(block), 0

    def __iter__(self) -> "_Records":
        return self

    def __next__(self) -> tuple[int, list[str]]:
        while self._used < len(self._text):
            self.line = self._first + self._used
            row = next(self._reader)
            if row:  # a blank line is no row
                return self.line, row
        raise StopIteration

    def unread(self) -> tuple[int, bytes]:
        """Return the lines that no record has used, and the first one's number."""
        return self._first + self._used, "".join(self._text[self._used :]).encode()


def _physical(block: bytes) -> list[str]:
    return list(io.StringIO(block.decode("utf-8"), newline=""))


def _unix(block: bytes) -> bytes:
    return block.replace(b"\r\n", b"\n")


def _parts(first: int, block: bytes) -> list[tuple[int, bytes]]:
    """Cut a block into smaller ones at line ends, the last first (as ``put_back`` wants them)."""
    size = max(len(block) // 8, _PART)
    parts: list[tuple[int, bytes]] = []
    start = 0
    while start < len(block):
        end = block.rfind(b"\n", start, start + size) + 1 or block.find(b"\n", start) + 1 or len(block)
        part = block[start:end]
        parts.append((first, part))
        first += line_ends(part)
        start = end
    return parts[::-1]


def _separators(block: bytes, raw: NDArray[np.uint8], delimiter: str, ends: NDArray[np.int64]) -> int:
    """Count the delimiters outside quotes; -1 when the quoting is odd or a quoted field has a line break."""
    if b'"' not in block:
        return int(np.count_nonzero(raw == ord(delimiter)))
    quotes = np.flatnonzero(raw == _QUOTE)
    if quotes.size % 2:
        return -1
    # A field begins or ends beside each quote, or two quotes stand together (one of them is text).
    padded = np.concatenate(([_NEWLINE], raw, [_NEWLINE]))
    edge = np.zeros(256, dtype=bool)
    edge[[_QUOTE, _NEWLINE, ord(delimiter)]] = True
    if not (edge[padded[quotes[0::2]]].all() and edge[padded[quotes[1::2] + 2]].all()):
        return -1
    if (np.searchsorted(quotes, ends) % 2).any():
        return -1
    places = np.searchsorted(quotes, np.flatnonzero(raw == ord(delimiter)))
    return int((places % 2 == 0).sum())


def _is_clean(block: bytes, delimiter: bytes) -> bool:
    """Tell whether no field begins or ends with white space: then none has to be stripped."""
    if b'"' in block or not block.isascii():
        return False
    raw = np.frombuffer(block, dtype=np.uint8)
    spaces = np.concatenate([np.flatnonzero(raw == space) for space in _SPACES if bytes((space,)) in block] or [_NONE])
    edge = np.zeros(256, dtype=bool)
    edge[[_NEWLINE, _RETURN, delimiter[0]]] = True
    inside = (spaces > 0) & (spaces < raw.size - 1)
    if not inside.all():
        return False
    return not (edge[raw[spaces - 1]].any() or edge[raw[spaces + 1]].any())
