"""The quick way through a CSV file and the csv module's way give the same rows, lines and refusals."""

import csv
import gzip
import io
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collections_app.domain.errors import InvalidInput
from collections_app.intake.feed import open_file
from collections_app.intake.mapping import load_mapping
from collections_app.intake.reading import CsvRows, RawChunk, open_rows

DAY = date(2026, 3, 2)
ON_DISK = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])

# Bits of hostile text: delimiters, quotes, all kinds of line ends, spaces, numbers that nearly are.
BITS = st.sampled_from(
    [",", ",", '"', '""', "\n", "\r\n", "\r", " ", "\t", "a", "5", "-7", "+3", "0012", "1.0", "9" * 19, "é", "中"]
)  # fmt: skip
WILD = st.lists(BITS, max_size=40).map("".join)
FIELD = st.one_of(
    st.sampled_from(["", "1", "-2", "007", " 8", "x", " y ", 'say "so"', "a,b", "two\nlines", "Ünï"]),
    st.integers(-(10**19), 10**19).map(str),
)


def by_csv_module(path: Path, text: str) -> list[tuple[int, list[str]]] | str:
    """Return (line, fields) of each row after the header, or the csv module's complaint."""
    if text and "\n" not in text:
        text = text.replace("\r", "\n")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows = []
    line = 1
    try:
        for row in reader:
            rows.append((line, row))
            line = reader.line_num + 1
    except csv.Error as error:
        return str(error)
    return [(line, row) for line, row in rows if row][1:]


def read(path: Path, *, block: int, chunk_rows: int) -> list[RawChunk]:
    rows = CsvRows(path, "", delimiter=",", encoding="utf-8", chunk_rows=chunk_rows, block=block)
    return list(rows.chunks(frozenset(rows.header)))


def compare(path: Path, text: str, block: int, chunk_rows: int) -> None:
    path.write_bytes(text.encode())
    header = next(csv.reader(io.StringIO(text, newline="")))
    expected = by_csv_module(path, text)
    if isinstance(expected, str) or not expected:
        with pytest.raises(InvalidInput):
            read(path, block=block, chunk_rows=chunk_rows)
        return
    chunks = read(path, block=block, chunk_rows=chunk_rows)
    got: dict[int, list[str]] = {}
    for chunk in chunks:
        assert chunk.rows <= chunk_rows
        columns = [chunk.text_of(name).fill_null("").to_list() for name in header]
        got |= dict(zip(chunk.frame["_line"], map(list, zip(*columns, strict=True)), strict=True))
        got |= {r.line: r.reason for r in chunk.rejects}  # type: ignore[dict-item]
    assert sum(c.rows for c in chunks) == len(expected)
    for line, row in expected:
        if len(row) == len(header):
            assert got.pop(line) == row
        else:
            assert got.pop(line) == f"the row has {len(row)} fields, the header has {len(header)}"
    assert not got


@ON_DISK
@given(text=WILD, block=st.integers(1, 40), chunk_rows=st.integers(1, 4))
def test_any_text_reads_as_the_csv_module_reads_it(tmp_path: Path, text: str, block: int, chunk_rows: int) -> None:
    compare(tmp_path / "wild.csv", "a,b,c\n" + text, block, chunk_rows)


@ON_DISK
@given(
    rows=st.lists(st.lists(FIELD, min_size=3, max_size=3), min_size=1, max_size=12),
    end=st.sampled_from(["\n", "\r\n"]), quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    block=st.integers(1, 80), chunk_rows=st.integers(1, 5),
)  # fmt: skip
def test_any_table_that_is_written_is_read_again(
    tmp_path: Path, rows: list[list[str]], end: str, quoting: int, block: int, chunk_rows: int
) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator=end, quoting=quoting).writerows([["a", "b", "c"], *rows])  # type: ignore[arg-type]
    compare(tmp_path / "table.csv", out.getvalue(), block, chunk_rows)


def test_numbers_come_as_numbers_and_their_own_text_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "n.csv"
    path.write_text("id,n\na,007\nb,\nc,-3\n")
    (chunk,) = open_rows(path).chunks(frozenset({"n"}))
    assert chunk.frame["n"].to_list() == [7, None, -3]
    assert chunk.text_of("n").to_list() == ["007", None, "-3"]


def test_an_uneven_row_deep_in_a_large_file_is_named_and_the_rest_still_read(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    rows = [f"A{i},{i},some words to fill the line" for i in range(60_000)]
    rows[41_234] = "A41234,only two"
    rows[50_000] = 'A50000,7,"a line\nbreak"'
    path.write_text("id,n,text\n" + "\n".join(rows) + "\n")
    chunks = list(open_rows(path).chunks(frozenset({"n"})))
    assert sum(c.rows for c in chunks) == 60_000
    assert [(r.line, r.column) for c in chunks for r in c.rejects] == [(41_236, "n")]
    lines = pl.concat(c.frame.select("_line") for c in chunks)["_line"]
    assert lines.to_list() == [*range(2, 41_236), *range(41_237, 50_003), *range(50_004, 60_003)]


def test_numbers_of_a_parquet_file_are_read_as_they_would_be_written(tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    values = [0.00001, 12.5, 3.0, 1e17, -0.1, float("nan"), None, 1234567.89]
    at = pl.Series([datetime(2026, 3, 1, 16, tzinfo=UTC)] * 8)
    pl.DataFrame({"x": values, "at": at, "n": pl.Series(range(8), dtype=pl.UInt8)}).write_parquet(path)
    (chunk,) = open_rows(path).chunks(frozenset({"n"}))
    assert chunk.frame["x"].to_list() == ["0.00001", "12.5", "3.0", "1e+17", "-0.1", "NaN", None, "1234567.89"]
    assert chunk.frame["at"][0] == "2026-03-01T16:00:00Z"
    assert chunk.frame["n"].to_list() == list(range(8))


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16", "cp1252", "latin-1"])
def test_a_file_in_the_lenders_encoding_is_read_by_its_name(tmp_path: Path, encoding: str) -> None:
    text = "编号,姓名\n1,张伟\n" if encoding in ("gb18030", "utf-16") else "id,name\n1,Müller\n"
    path = tmp_path / "e.csv"
    path.write_bytes(text.encode(encoding))
    rows = open_rows(path, encoding=encoding)
    (chunk,) = rows.chunks(frozenset())
    assert [rows.header, list(chunk.frame.drop("_line").row(0))] == [line.split(",") for line in text.split()]
    path.write_bytes("编号\n张".encode("gb18030") + b"\xff\xff\n")
    with pytest.raises(InvalidInput, match="not gb18030"):
        list(open_rows(path, encoding="gb18030").chunks(frozenset()))


def test_a_spreadsheets_separator_line_is_no_header(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_bytes(b"sep=;\r\nid;n\r\n1;2\r\n")
    rows = open_rows(path, delimiter=";")
    (chunk,) = rows.chunks(frozenset())
    assert (rows.header, rows.header_line, chunk.frame["_line"].to_list()) == (["id", "n"], 2, [3])


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("id\n" + "1\n" * 100)
    chunks = CsvRows(path, "", delimiter=",", encoding="utf-8", chunk_rows=10, block=20).chunks(frozenset())
    next(chunks)
    with path.open("a") as out:
        out.write("2\n")
    with pytest.raises(InvalidInput, match="changed while it was read"):
        list(chunks)


def account_text(rows: int) -> str:
    header = (
        "account_id,customer_id,creditor_id,collector_role,product_family,ccy,balance_total,status,"
        "origination_date,interest_rate,secured_flag,arrears_total"
    )
    lines = [
        f"A{i % 97},C{i},Bank,first_party,card,{'USD' if i % 11 else 'usd'},{i * 100 - 300},active,"
        f"2024-0{i % 9 + 1}-15,0.{i:05d},{'true' if i % 2 else 'FALSE'},{i if i % 13 else 'x'}"
        for i in range(rows)
    ]
    lines[5] += ",too many"
    lines[17] = lines[17].replace("Bank", '"Bank, of ""Two""\nLines"')
    return "\r\n".join([header, *lines])


@pytest.mark.parametrize("packed", [False, True])
def test_the_size_of_chunks_changes_nothing(tmp_path: Path, packed: bool) -> None:
    own = load_mapping("own_feed")
    path = tmp_path / ("accounts_full_1.csv.gz" if packed else "accounts_full_1.csv")
    raw = account_text(200).encode()
    path.write_bytes(gzip.compress(raw) if packed else raw)
    results = []
    for chunk_rows in (1, 7, 50, 1_000):
        file = open_file(path, own, DAY, totals_of=["balance_total"], chunk_rows=chunk_rows)
        chunks = list(file.chunks())
        frame = pl.concat(c.frames["accounts"] for c in chunks)
        rejects = sorted((r for c in chunks for r in c.rejects), key=lambda r: (r.line, r.column))
        results.append((frame.rows(), rejects, file.rows, file.refused, file.totals))
        assert all(c.rows <= chunk_rows for c in chunks)
    assert all(result == results[0] for result in results)
    assert results[0][2] == 200
    assert {r.reason for r in results[0][1]} >= {"repeats the account_ref of an earlier row", "is negative"}
