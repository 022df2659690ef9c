"""The refused rows of a file, taken out of it again for whoever is to correct them."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from collections_app.domain.errors import InvalidInput
from collections_app.intake.csv_rows import CsvRows
from collections_app.intake.mapping import Mapping as Source
from collections_app.intake.reading import open_rows
from collections_app.intake.rows import LINE, Rows

# What every mapping lets pass unread: the corrected file can be sent back with them.
X_LINE, X_REASON = "x_line", "x_reason"


def write_refused(path: Path, out: Path, reasons: Mapping[int, str], *, mapping: Source) -> int:
    """Write the rows of these lines, as they lie, with ``x_line`` and ``x_reason`` added; return how many.

    Raise InvalidInput when the file has no row at one of the lines: it is not the file that was refused. The output
    is written as the original is (delimiter, encoding), so that its mapping reads it; a Parquet file's rows as CSV.
    """
    rows = open_rows(path, delimiter=mapping.delimiter, encoding=mapping.encoding)
    header = [name for name in rows.header if name not in (X_LINE, X_REASON)]
    places = [rows.header.index(name) for name in header]
    left = dict(reasons)
    # The spreadsheet that will open it knows UTF-16 and UTF-8; others by their mark alone.
    with out.open("w", encoding=mapping.encoding, newline="") as file:
        writer = csv.writer(file, delimiter=mapping.delimiter, lineterminator="\n")
        writer.writerow([*header, X_LINE, X_REASON])
        for line, row in _records(rows):
            if (reason := left.pop(line, None)) is None:
                continue
            surplus = row[len(rows.header) :]
            said = f"{reason}; fields beyond the header: {mapping.delimiter.join(surplus)}" if surplus else reason
            writer.writerow([*(row[i] if i < len(row) else "" for i in places), line, said])
    if left:
        raise InvalidInput(f"{path}: has no row at line {min(left)}; is it the file that was refused?")
    return len(reasons)


def _records(rows: Rows) -> Iterator[tuple[int, list[str]]]:
    if isinstance(rows, CsvRows):
        yield from rows.records()
        return
    for chunk in rows.chunks(frozenset()):
        text = chunk.frame.drop(LINE)
        yield from zip(chunk.frame[LINE], ([v or "" for v in row] for row in text.iter_rows()), strict=True)
