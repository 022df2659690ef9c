"""Bytes to rows of text: structure only, no meaning. Every refusal names file, line and column."""

import csv
import gzip
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from collections_app.domain.errors import InvalidInput

# A line longer than this is not a row of accounts; csv would happily build a 10 MB field.
LONGEST_LINE = 1 << 20
_BATCH = 20_000
LINE = "_line"


@dataclass(frozen=True)
class Reject:
    """One refused row: where, and why in words."""

    line: int
    column: str
    reason: str
    value_digest: str | None = None


@dataclass(frozen=True)
class Table:
    """A file as text: one string column per header name, plus ``_line`` (the row's first line)."""

    frame: pl.DataFrame
    rejects: tuple[Reject, ...]
    rows: int
    sha256: str


def digest(value: str | None) -> str | None:
    """Return a short digest of a refused value: enough to find it again, not to read it."""
    return None if value is None else hashlib.sha256(value.encode()).hexdigest()[:16]


def read_table(path: Path, *, delimiter: str = ",") -> Table:
    """Read a CSV (plain or gzip) or Parquet file whole, as text."""
    if not path.is_file():
        raise InvalidInput(f"{path}: no such file")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read ({error.strerror})") from None
    sha = hashlib.sha256(raw).hexdigest()
    if not raw:
        raise InvalidInput(f"{path}: the file is empty (line 1: a header was expected)", code="empty_file")
    if path.suffix == ".parquet":
        frame = _read_parquet(path, raw)
        return Table(frame, (), frame.height, sha)
    if path.suffix == ".gz":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, ValueError):
            raise InvalidInput(f"{path}: not a whole gzip file (cut short or damaged)") from None
    frame, rejects, rows = _read_csv(path, raw, delimiter)
    return Table(frame, tuple(rejects), rows, sha)


def _read_parquet(path: Path, raw: bytes) -> pl.DataFrame:
    try:
        frame = pl.read_parquet(io.BytesIO(raw))
        # Everything becomes text and takes the same road as CSV; nested columns cannot.
        frame = frame.with_columns(pl.col(pl.Datetime).dt.to_string("iso"), pl.col(pl.Date).dt.to_string("iso")).cast(
            pl.String
        )
    except (pl.exceptions.PolarsError, OSError):
        raise InvalidInput(f"{path}: not a readable Parquet file (cut short, damaged, or nested columns)") from None
    if not frame.height:
        raise InvalidInput(f"{path}: the file has no rows", code="empty_file")
    return frame.with_row_index(LINE, offset=1).with_columns(pl.col(LINE).cast(pl.Int64))


def _read_csv(path: Path, raw: bytes, delimiter: str) -> tuple[pl.DataFrame, list[Reject], int]:
    text = _decode(path, raw)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header = _header(path, reader)
    rejects: list[Reject] = []
    frames: list[pl.DataFrame] = []
    rows = 0
    batch: list[list[str]] = []
    lines: list[int] = []
    for line, row in _rows(path, reader):
        rows += 1
        if len(row) != len(header):
            rejects.append(Reject(line, header[min(len(row), len(header)) - 1],
                                  f"the row has {len(row)} fields, the header has {len(header)}"))  # fmt: skip
            continue
        batch.append(row)
        lines.append(line)
        if len(batch) == _BATCH:
            frames.append(_frame(header, batch, lines))
            batch, lines = [], []
    if batch or not frames:
        frames.append(_frame(header, batch, lines))
    if not rows:
        raise InvalidInput(f"{path}: line 2: no rows after the header", code="empty_file")
    return pl.concat(frames), rejects, rows


def _frame(header: list[str], batch: list[list[str]], lines: list[int]) -> pl.DataFrame:
    columns = list(zip(*batch, strict=True)) if batch else [()] * len(header)
    data = {name: pl.Series(name, values, dtype=pl.String) for name, values in zip(header, columns, strict=True)}
    return pl.DataFrame({LINE: pl.Series(LINE, lines, dtype=pl.Int64), **data})


def _decode(path: Path, raw: bytes) -> str:
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    if b"\n" not in raw and b"\r" in raw:
        raw = raw.replace(b"\r", b"\n")  # old Macintosh line ends, still written by spreadsheets
    if b"\x00" in raw:
        line = raw.count(b"\n", 0, raw.index(b"\x00")) + 1
        raise InvalidInput(f"{path}: line {line}: holds a zero byte; this is not a text file")
    start = 0
    for number, part in enumerate(raw.split(b"\n"), start=1):
        if len(part) > LONGEST_LINE:
            raise InvalidInput(f"{path}: line {number}: longer than {LONGEST_LINE} bytes, not a row of a feed")
        start += len(part) + 1
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        before = raw[raw.rfind(b"\n", 0, error.start) + 1 : error.start]
        column = before.count(b",") + 1
        raise InvalidInput(
            f"{path}: line {line}, column {column}: byte {raw[error.start]:#04x} is not UTF-8; save the file as UTF-8"
        ) from None


def _header(path: Path, reader: "csv.Reader") -> list[str]:  # type: ignore[name-defined]
    try:
        header = [name.strip() for name in next(reader)]
    except StopIteration:
        raise InvalidInput(f"{path}: line 1: a header was expected") from None
    except csv.Error as error:
        raise InvalidInput(f"{path}: line 1: {error}") from None
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise InvalidInput(f"{path}: line 1: column {twice[0]!r} appears twice")
    return header


def _rows(path: Path, reader: "csv.Reader") -> Iterator[tuple[int, list[str]]]:  # type: ignore[name-defined]
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InvalidInput(f"{path}: line {line}: {error}; is a quote left open?") from None
        if row:
            yield line, row
