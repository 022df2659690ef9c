"""A file is read whole or refused with file, line and column; bad rows are set aside with reasons."""

import gzip
import json
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from collections_app.domain.errors import InvalidInput
from collections_app.intake.feed import parse_file, read_manifest
from collections_app.intake.mapping import SHIPPED, load_mapping
from collections_app.intake.reading import LONGEST_LINE

DAY = date(2026, 3, 2)
OWN = load_mapping("own_feed")
HEADER = (
    "account_id,customer_id,creditor_id,collector_role,product_family,ccy,origination_date,limit_or_principal,"
    "balance_total,arrears_total,minimum_due,oldest_unpaid_due_date,dpd_source,status"
)
GOOD = "A1,C1,Bank,first_party,card,USD,2024-01-01,500000,200000,25000,12500,2026-02-20,10,active"


def accounts_file(folder: Path, *rows: str, header: str = HEADER, name: str = "accounts_full_001.csv") -> Path:
    path = folder / name
    path.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    return path


def test_a_good_row_becomes_typed_fields(tmp_path: Path) -> None:
    parsed = parse_file(accounts_file(tmp_path, GOOD), OWN, DAY)
    row = parsed.frames["accounts"].row(0, named=True)
    assert (row["account_ref"], row["arrears_source_amount"]) == ("A1", 25_000)
    assert row["due_source_on"] == date(2026, 2, 20)
    assert parsed.rejects == ()


@pytest.mark.parametrize(
    ("change", "column", "reason"),
    [
        (("25000", "-1"), "arrears_total", "is negative"),
        (("200000", "-5"), "balance_total", "is negative"),
        (("25000", "12.5"), "arrears_total", "is not a whole number of minor units"),
        (("25000", "lots"), "arrears_total", "is not a whole number of minor units"),
        (("2026-02-20", "2026-02-30"), "oldest_unpaid_due_date", "is not a date (YYYY-MM-DD) between 1900 and 2100"),
        (("2026-02-20", "0026-02-20"), "oldest_unpaid_due_date", "is not a date (YYYY-MM-DD) between 1900 and 2100"),
        (("first_party", "boss"), "collector_role", "is not one of first_party, third_party"),
        (("A1,C1", ",C1"), "account_id", "is empty but required"),
    ],
)  # fmt: skip
def test_a_bad_value_sets_its_row_aside_with_line_and_column(
    tmp_path: Path, change: tuple[str, str], column: str, reason: str
) -> None:
    bad = GOOD.replace("A1,C1", "A2,C1").replace(*change) if "A1,C1" not in change else GOOD.replace(*change)
    parsed = parse_file(accounts_file(tmp_path, GOOD, bad), OWN, DAY)
    assert [(r.line, r.column, r.reason) for r in parsed.rejects] == [(3, column, reason)]
    assert parsed.frames["accounts"].height == 1


def test_a_row_with_too_few_fields_and_a_repeated_key_are_set_aside(tmp_path: Path) -> None:
    parsed = parse_file(accounts_file(tmp_path, GOOD, "A2,C1,Bank", GOOD), OWN, DAY)
    assert [(r.line, r.reason) for r in parsed.rejects] == [
        (3, "the row has 3 fields, the header has 14"),
        (4, "repeats the account_ref of an earlier row"),
    ]


def test_line_numbers_count_physical_lines_through_quoted_line_breaks(tmp_path: Path) -> None:
    quoted = GOOD.replace("Bank", '"Bank\nof Two Lines"')
    bad = GOOD.replace("A1", "A2").replace("25000", "x")
    parsed = parse_file(accounts_file(tmp_path, quoted, bad), OWN, DAY)
    assert [r.line for r in parsed.rejects] == [4]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file is empty"),
        (HEADER.encode() + b"\n", "no rows after the header"),
        (HEADER.encode() + b",surprise\n" + GOOD.encode() + b",1\n", "line 1, column 15: unknown column 'surprise'"),
        (HEADER.replace("balance_total,", "").encode() + b"\n1\n", "column 'balance_total' is missing"),
        (HEADER.encode() + b"\n" + GOOD.replace("Bank", "B\xe4nk").encode("latin-1"), "line 2, column 3: byte 0xe4"),
        (HEADER.encode() + b"\nA\x00B\n", "line 2: holds a zero byte"),
        (HEADER.encode() + b"\n" + b"x" * (10 << 20), f"line 2: longer than {LONGEST_LINE} bytes"),
        (HEADER.encode() + b'\n"A1,C1\n', "is a quote left open?"),
        ((HEADER + ",status").encode() + b"\n", "line 1: column 'status' appears twice"),
    ],
    ids=["empty", "header only", "unknown column", "missing column", "encoding", "zero byte", "long line", "quote",
         "twice"],
)  # fmt: skip
def test_a_file_that_is_not_a_feed_is_refused_whole(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "accounts_full_001.csv"
    path.write_bytes(content)
    with pytest.raises(InvalidInput) as refusal:
        parse_file(path, OWN, DAY)
    assert says in refusal.value.message
    assert str(path) in refusal.value.message


def test_a_parquet_file_reads_like_its_csv_twin_and_a_cut_one_is_refused(tmp_path: Path) -> None:
    csv = accounts_file(tmp_path, GOOD)
    path = tmp_path / "accounts_full_001.parquet"
    pl.read_csv(csv, try_parse_dates=True).write_parquet(path)
    twin = parse_file(path, OWN, DAY).frames["accounts"].drop("_line")
    assert twin.equals(parse_file(csv, OWN, DAY).frames["accounts"].drop("_line"))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InvalidInput, match="not a readable Parquet file"):
        parse_file(path, OWN, DAY)


def test_a_cut_gzip_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "accounts_full_001.csv.gz"
    path.write_bytes(gzip.compress(f"{HEADER}\n{GOOD}\n".encode())[:-9])
    with pytest.raises(InvalidInput, match="not a whole gzip file"):
        parse_file(path, OWN, DAY)


def test_old_macintosh_line_ends_are_read(tmp_path: Path) -> None:
    path = tmp_path / "accounts_full_001.csv"
    path.write_bytes(f"{HEADER}\r{GOOD}\r".encode())
    assert parse_file(path, OWN, DAY).rows == 1


def test_an_unknown_mapping_names_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match="uci_credit_card"):
        load_mapping("no_such_mapping")


def test_a_mapping_with_an_unknown_field_is_refused_by_name(tmp_path: Path) -> None:
    text = (SHIPPED / "uci_credit_card.yaml").read_text().replace("creditor:", "credditor:")
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=r"missing creditor; unknown credditor"):
        load_mapping(str(path))


def test_a_manifest_for_another_day_or_a_file_outside_its_folder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    entry = {"file": "../x.csv", "entity": "accounts", "rows": 1, "sha256": "0"}
    path.write_text(json.dumps({"business_date": "2026-03-01", "files": []}))
    with pytest.raises(InvalidInput, match="the manifest is for 2026-03-01"):
        read_manifest(path, DAY)
    path.write_text(json.dumps({"business_date": "2026-03-02", "files": [entry]}))
    with pytest.raises(InvalidInput, match="outside the manifest's folder"):
        read_manifest(path, DAY)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("file", "mapping", "rows", "overdue"),
    [
        ("uci_taiwan_default/UCI_Credit_Card.csv", "uci_credit_card", 30_000, 6_818),
        ("lendingclub/openintro_loans_full_schema.csv", "lendingclub_openintro", 10_000, None),
        ("lendingclub/lendingclub_5000_full_columns.csv", "lendingclub_full", 5_000, None),
    ],
)
def test_real_lenders_files_are_read(shared: Path, file: str, mapping: str, rows: int, overdue: int | None) -> None:
    parsed = parse_file(shared / "data" / file, load_mapping(mapping), date(2018, 6, 30))
    assert parsed.rows == rows
    assert parsed.refused_rows <= 0.005 * rows
    if overdue:
        assert parsed.frames["accounts"].filter(pl.col("dpd_source") > 0).height == overdue
