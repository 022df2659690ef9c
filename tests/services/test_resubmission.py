"""Refused rows go out with line and reason, and come back corrected, each once."""

import csv
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from collections_app.db.tables import Account, Customer, FeedBatch, QuarantinedRow
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.errors import InvalidInput, NotFound
from collections_app.intake.mapping import load_mapping
from collections_app.queries.feeds import get_batch, list_batches, list_quarantined
from collections_app.services.intake import import_file
from collections_app.services.resubmission import export, resubmit
from tests.feeds import account, customer, write_feed

DAY = date(2026, 3, 2)
OWN = load_mapping("own_feed")


@pytest.fixture
def refused(units: UnitsOfWork, tmp_path: Path) -> tuple[int, Path]:
    """Lines 3 and 5 of four accounts are refused: an unknown status, an unknown customer."""
    rows = [account(f"A{n}", customer="C1", due=None, arrears=0) for n in range(1, 5)]
    rows[1]["status"] = "lost, said “Bob”"
    rows[3]["customer_id"] = "C9"
    manifest = write_feed(tmp_path, DAY, customers=[customer("C1")], accounts=rows)
    with units.begin() as uow:
        import_file(uow, path=manifest, mapping=OWN, business_date=DAY, reject_limit=1.0)
    with units.database.reading() as session:
        return list_batches(session)[0].batch_id, manifest.parent / "accounts_delta_001.csv"


def corrected(units: UnitsOfWork, batch: int, original: Path, **over: dict[str, str]) -> Path:
    out = original.parent / f"corrected_{len(list(original.parent.iterdir()))}.csv"
    with units.database.reading() as session:
        export(session, batch_id=batch, original=original, out=out, mapping=OWN)
    with out.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row.update(over.get(f"line{row['x_line']}", {}))
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return out


def hand_in(units: UnitsOfWork, batch: int, path: Path) -> Any:
    with units.begin() as uow:
        return resubmit(uow, batch_id=batch, path=path, mapping=OWN)


def test_refused_rows_go_out_with_line_and_reason(units: UnitsOfWork, refused: tuple[int, Path]) -> None:
    batch, original = refused
    with corrected(units, batch, original).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(r["account_id"], r["status"], r["x_line"]) for r in rows] == [
        ("A2", "lost, said “Bob”", "3"), ("A4", "active", "5"),
    ]  # fmt: skip
    assert "is not one of" in rows[0]["x_reason"]
    assert rows[1]["x_reason"] == "customer_ref names an unknown customer"


def test_a_corrected_row_resolves_its_line_and_the_other_waits(units: UnitsOfWork, refused: tuple[int, Path]) -> None:
    batch, original = refused
    path = corrected(units, batch, original, line3={"status": "active"}, line5={"customer_id": "C8"})
    result = hand_in(units, batch, path)
    assert (result.rows, result.accepted, result.accounts_new) == (2, 1, 1)
    with units.database.reading() as session:
        newest = list_batches(session)[0]
        assert (newest.corrects_id, newest.accepted) == (batch, 1)
        waiting = list_quarantined(session, batch_id=batch)
        assert [(r.line, r.reason) for r in waiting] == [(5, "names an unknown customer")]
        assert [r.resolved_by_id for r in list_quarantined(session, batch_id=batch, resolved=True)] == [
            newest.batch_id, None,
        ]  # fmt: skip
        assert session.scalar(sa.select(sa.func.count()).select_from(Account)) == 3
    again = corrected(units, batch, original, line5={"customer_id": "C1"})
    assert hand_in(units, batch, again).accepted == 1
    with units.database.reading() as session:
        assert list_quarantined(session, batch_id=batch) == []


def test_the_same_correction_is_not_taken_twice(units: UnitsOfWork, refused: tuple[int, Path]) -> None:
    batch, original = refused
    path = corrected(units, batch, original, line3={"status": "active"}, line5={"customer_id": "C1"})
    hand_in(units, batch, path)
    with pytest.raises(InvalidInput, match=r"line 3 of batch [0-9]+ does not wait for correction"):
        hand_in(units, batch, path)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda t: t.replace("x_line", "x_row"), "line 1: column 'x_line' is missing"),
        (lambda t: t.replace(",3,", ",two,"), "line 2: x_line is not a line number"),
        (lambda t: t.replace(",3,", ",4,"), "line 4 of batch .* does not wait"),
        (lambda t: t.replace(",5,", ",3,"), "line 3 is corrected twice"),
        (lambda t: t, "none of 2 rows is accepted; nothing was loaded"),
        (lambda t: "", "the file is empty"),
    ],
)
def test_a_correction_that_is_none_is_refused_whole(
    units: UnitsOfWork, refused: tuple[int, Path], spoil: Any, says: str
) -> None:
    batch, original = refused
    path = corrected(units, batch, original)
    path.write_text(spoil(path.read_text("utf-8")), encoding="utf-8")
    with pytest.raises(InvalidInput, match=says):
        hand_in(units, batch, path)
    with units.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(FeedBatch)) == 2
        assert session.scalar(sa.select(sa.func.count()).select_from(QuarantinedRow)) == 2


def test_only_the_file_of_the_batch_gives_its_rows(units: UnitsOfWork, refused: tuple[int, Path]) -> None:
    batch, original = refused
    other = original.parent / "customers_delta_001.csv"
    with units.database.reading() as session:
        with pytest.raises(InvalidInput, match="its digest differs"):
            export(session, batch_id=batch, original=other, out=original.parent / "out.csv", mapping=OWN)
        with pytest.raises(NotFound, match="there is no batch 99"):
            get_batch(session, 99)
        assert session.scalars(sa.select(Customer.customer_ref)).all() == ["C1"]


def test_a_row_of_another_shape_goes_out_to_be_filled_in(units: UnitsOfWork, tmp_path: Path) -> None:
    manifest = write_feed(tmp_path, DAY, customers=[customer(f"C{n}") for n in range(3)])
    path = manifest.parent / "customers_delta_001.csv"
    lines = path.read_text("utf-8").splitlines()
    path.write_text("\n".join([lines[0], lines[1] + ",more", *lines[2:]]) + "\n", encoding="utf-8")
    with units.begin() as uow:
        import_file(uow, path=path, mapping=OWN, business_date=DAY, reject_limit=1.0)
    with units.database.reading() as session:
        batch = list_batches(session)[0].batch_id
    out = corrected(units, batch, path, line2=customer("C0"))
    assert hand_in(units, batch, out).accepted == 1
