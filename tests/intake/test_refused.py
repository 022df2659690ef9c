"""Refused rows come out as they lie, can be corrected, and are read again by the same mapping."""

import csv
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from collections_app.domain.errors import InvalidInput
from collections_app.intake.feed import parse_file
from collections_app.intake.mapping import load_mapping
from collections_app.intake.refused import write_refused

DAY = date(2026, 3, 2)
OWN = load_mapping("own_feed")
TEXT = (
    "payment_id,account_id,amount,ccy,kind,status,value_date,x_note\n"
    "P1,A1,5,USD,payment,settled,2026-03-01,fine\n"
    'P2,A1,lots,USD,payment,settled,2026-03-01,"two\nlines"\n'
    "P3,A1,5,USD,payment,settled\n"
    "P4,A1,5,USD,payment,settled,2026-03-01,note,one,more\n"
    "P5,A1,7,USD,payment,settled,2026-03-32,\n"
)


def reasons_of(path: Path) -> dict[int, str]:
    return {r.line: f"{r.column}: {r.reason}" for r in parse_file(path, OWN, DAY).rejects}


def test_refused_rows_are_written_with_their_lines_and_reasons_and_read_again_when_corrected(tmp_path: Path) -> None:
    path, out = tmp_path / "payments_delta_1.csv", tmp_path / "payments_corrected.csv"
    path.write_text(TEXT)
    reasons = reasons_of(path)
    assert list(reasons) == [3, 5, 6, 7]
    assert write_refused(path, out, reasons, mapping=OWN) == 4
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["payment_id"], r["x_line"]) for r in rows] == [("P2", "3"), ("P3", "5"), ("P4", "6"), ("P5", "7")]
    assert rows[0]["x_note"] == "two\nlines"
    assert rows[0]["x_reason"] == "amount: is not a whole number of minor units"
    assert rows[2]["x_reason"].endswith("fields beyond the header: one,more")
    corrected = {"lots": "9", "2026-03-32": "2026-03-02", "settled,,,5,": "settled,2026-03-01,,5,"}
    text = out.read_text()
    for wrong, right in corrected.items():
        text = text.replace(wrong, right)
    out.write_text(text)
    again = parse_file(out, OWN, DAY)
    assert (again.rows, again.rejects) == (4, ())
    assert write_refused(out, tmp_path / "twice.csv", {2: "again"}, mapping=OWN) == 1


def test_rows_of_a_parquet_file_are_written_as_csv(tmp_path: Path) -> None:
    path, out = tmp_path / "payments_delta_1.parquet", tmp_path / "out.csv"
    pl.DataFrame({"payment_id": ["P1", "P2"], "amount": [5, None], "value_date": [DAY, DAY]}).write_parquet(path)
    assert write_refused(path, out, {2: "amount: is empty but required"}, mapping=OWN) == 1
    assert out.read_text().splitlines()[1] == "P2,,2026-03-02,2,amount: is empty but required"


def test_another_file_than_the_refused_one_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "payments_delta_1.csv"
    path.write_text(TEXT)
    with pytest.raises(InvalidInput, match="has no row at line 4"):
        write_refused(path, tmp_path / "out.csv", {3: "x", 4: "x"}, mapping=OWN)
