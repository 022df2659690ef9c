"""How an unknown file is written: encoding, delimiter, header, and a sample of its rows as text."""

import csv
import gzip
import io
import re
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from collections_app.domain.errors import InvalidInput

SAMPLE_BYTES = 1 << 22
SAMPLE_ROWS = 5_000
_DELIMITERS = (",", ";", "\t", "|")
_MAGIC = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook; export it as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; export it as CSV",
    b"%PDF": "a PDF document",
    b"PAR1": "a Parquet file; name it so that it ends in .parquet",
}
_DATALIKE = re.compile(r"\s*[+-]?[\d.,:/\- ]*\d[\d.,:/\-]*\s*\Z")


@dataclass(frozen=True)
class Sample:
    """The first rows of a file as text, and how they are written."""

    path: Path
    encoding: str
    delimiter: str
    header: list[str]
    columns: dict[str, list[str]]
    rows: int
    is_whole: bool
    notes: tuple[str, ...] = ()


def take_sample(path: Path) -> Sample:
    """Read the beginning of a file; raise InvalidInput when it holds no table with a header."""
    if path.is_dir():
        raise InvalidInput(f"{path}: a folder; name one file of it")
    if not path.is_file():
        raise InvalidInput(f"{path}: no such file")
    if path.suffix == ".parquet":
        return _parquet(path)
    raw, is_whole = _head(path)
    if not raw.strip():
        raise InvalidInput(f"{path}: the file is empty", code="empty_file")
    for magic, what in _MAGIC.items():
        if raw.startswith(magic):
            raise InvalidInput(f"{path}: this is {what}")
    encoding = _encoding(path, raw, is_whole)
    text = raw.decode(encoding, errors="strict" if is_whole else "ignore").removeprefix("\ufeff")
    return _table(path, text, encoding, is_whole)


def _head(path: Path) -> tuple[bytes, bool]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            raw = file.read(SAMPLE_BYTES + 1)
    except (OSError, EOFError, zlib.error):
        what = "not a whole gzip file (cut short or damaged)" if path.suffix == ".gz" else "cannot be read"
        raise InvalidInput(f"{path}: {what}") from None
    return raw[:SAMPLE_BYTES], len(raw) <= SAMPLE_BYTES


def _encoding(path: Path, raw: bytes, is_whole: bool) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if b"\x00" in raw:
        raise InvalidInput(f"{path}: holds zero bytes; this is not a text file")
    try:
        raw.decode("utf-8")
        return "utf-8"
    except UnicodeDecodeError as error:
        if not is_whole and error.start > len(raw) - 4:
            return "utf-8"  # the sample's end cut a character in two
    # Chinese double bytes are both high; European letters stand alone between low ones.
    runs = [len(run) for run in re.findall(rb"[\x81-\xff]+", raw)]
    even = sum(1 for length in runs if length % 2 == 0)
    for encoding in ("gb18030", "cp1252") if even > 0.8 * len(runs) else ("cp1252", "gb18030"):
        try:
            raw.decode(encoding, errors="strict" if is_whole else "ignore")
            return encoding
        except UnicodeDecodeError:
            continue
    return "latin-1"


def _table(path: Path, text: str, encoding: str, is_whole: bool) -> Sample:
    notes = []
    if match := re.match(r"sep=(.)\r?\n", text):
        text = text[match.end() :]
    delimiter = match[1] if match else _delimiter(text)
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True):
            if row:
                rows.append(row)
            if len(rows) > SAMPLE_ROWS:
                is_whole = False
                break
    except csv.Error:
        if is_whole:
            notes.append(f"row {len(rows) + 1} is not well quoted; only the rows before it were looked at")
    if not is_whole and len(rows) > 1:
        rows.pop()  # the sample may have cut it
    if len(rows) < 2:
        raise InvalidInput(f"{path}: no rows after the header", code="empty_file")
    header = [name.strip() for name in rows[0]]
    body = [row for row in rows[1:] if len(row) == len(header)]
    if not body:
        raise InvalidInput(f"{path}: line 1 has {len(header)} fields and no row after it has as many: no header")
    if uneven := len(rows) - 1 - len(body):
        notes.append(f"{uneven} of {len(rows) - 1} rows have another number of fields than the header")
    _check_header(path, header, body)
    columns = {name: [row[i].strip() for row in body] for i, name in enumerate(header)}
    return Sample(path, encoding, delimiter, header, columns, len(body), is_whole, tuple(notes))


def _delimiter(text: str) -> str:
    """Choose the delimiter by which most of the first lines have the same number of fields, and several."""
    lines = [line for line in text[: 1 << 16].splitlines()[:50] if line.strip()]
    best, best_score = ",", 0.0
    for mark in _DELIMITERS:
        try:
            widths = Counter(len(row) for row in csv.reader(lines, delimiter=mark) if row)
        except csv.Error:
            continue
        width, count = widths.most_common(1)[0] if widths else (1, 0)
        score = (count / len(lines)) ** 2 * width if width > 1 else 0.0
        if score > best_score:
            best, best_score = mark, score
    return best


def _check_header(path: Path, header: list[str], body: list[list[str]]) -> None:
    twice = [name for name, n in Counter(header).items() if n > 1]
    datalike = [i for i, name in enumerate(header) if _DATALIKE.match(name)]
    same = [i for i in datalike if all(_DATALIKE.match(row[i]) or not row[i] for row in body[:100])]
    if len(same) * 2 >= len(header) or (same and twice):
        raise InvalidInput(f"{path}: line 1 looks like data ({header[same[0]]!r}); a header with names is needed")
    if twice:
        raise InvalidInput(f"{path}: line 1: column {twice[0]!r} appears twice")


def _parquet(path: Path) -> Sample:
    try:
        scan = pl.scan_parquet(path)
        frame = scan.head(SAMPLE_ROWS).collect()
        total = scan.select(pl.len()).collect().item()
        text = frame.with_columns(pl.col(pl.Datetime, pl.Date).dt.to_string("iso")).cast(pl.String).fill_null("")
    except (pl.exceptions.PolarsError, OSError):
        raise InvalidInput(f"{path}: not a readable Parquet file (cut short, damaged, or nested columns)") from None
    if not frame.height:
        raise InvalidInput(f"{path}: the file has no rows", code="empty_file")
    columns = {name: text[name].to_list() for name in text.columns}
    return Sample(path, "utf-8", ",", text.columns, columns, text.height, total <= SAMPLE_ROWS)
