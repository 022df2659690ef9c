"""What batches say of themselves; and that every report stands on its own feet."""

import csv
import io
import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from collections_app.db.session import Database
from collections_app.db.tables import FeedBatch
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.errors import InvalidInput, NotFound
from collections_app.queries.reports.registry import REPORTS, run
from collections_app.queries.reports.report import Scope, as_csv, as_json
from tests.factories import make_account
from tests.queries.reports.asking import rows_of

AS_OF = date(2026, 3, 2)


def _batch(day: int, source: str = "north", **over: Any) -> FeedBatch:
    values: dict[str, Any] = {
        "entity": "accounts", "mapping": "own_feed", "mapping_version": 1, "business_date": date(2026, 3, day),
        "file_name": f"{day}.csv", "sha256": f"{source}{day}", "rows": 1000, "accepted": 1000, "quarantined": 0,
        "unchanged": 0, "imported_at": datetime(2026, 3, day, 6, tzinfo=UTC),
    }  # fmt: skip
    return FeedBatch(source=source, **(values | over))


@pytest.fixture
def batches(units: UnitsOfWork) -> Database:
    # North, 1 March: 1,000 compared, 1 differs = 0.1 %, within. 2 March: 500 compared, 2 differ = 0.4 %, above.
    # Both: 3/1500 = 0.2 %. South sends no DPD of its own. 3 March lies after the date.
    with units.begin() as uow:
        uow.session.add_all([
            _batch(1, dpd_compared=1000, dpd_mismatches=1, rows=1000, quarantined=4),
            _batch(2, dpd_compared=500, dpd_mismatches=2, rows=500, quarantined=0),
            _batch(2, "south", rows=200, quarantined=1), _batch(3, dpd_compared=9, dpd_mismatches=9),
        ])  # fmt: skip
    return units.database


def test_the_mismatch_rate_is_told_for_each_source_and_each_batch(batches: Database) -> None:
    rows = rows_of(batches, "reconciliation", as_of=AS_OF)
    assert [(r["source"], r["file_name"], r["compared"], r["mismatches"], r["verdict"]) for r in rows] == [
        ("north", None, 1500, 3, "above"), ("north", "2.csv", 500, 2, "above"), ("north", "1.csv", 1000, 1, "within")
    ]  # fmt: skip
    assert [r["mismatch_rate"] for r in rows] == [0.002, 0.004, 0.001]


def test_refused_rows_are_told_for_each_source_and_each_batch(batches: Database) -> None:
    # North 4/1500, its batches 0/500 and 4/1000; South 1/200.
    rows = rows_of(batches, "quarantine", as_of=AS_OF)
    assert [(r["source"], r["rows"], r["quarantine_rate"]) for r in rows] == [
        ("north", 1500, 4 / 1500), ("north", 500, 0.0), ("north", 1000, 0.004),
        ("south", 200, 0.005), ("south", 200, 0.005),
    ]  # fmt: skip
    (whole, only) = rows_of(batches, "quarantine", as_of=AS_OF, source="south")
    assert (whole["entity"], only["file_name"]) == ("all", "2.csv")


def test_a_batch_that_came_in_later_was_not_known_then(batches: Database) -> None:
    rows = rows_of(batches, "reconciliation", as_of=AS_OF, known_at=datetime(2026, 3, 1, 12, tzinfo=UTC))
    assert [r["compared"] for r in rows] == [1000, 1000]


@pytest.mark.parametrize("name", list(REPORTS))
def test_every_report_runs_on_an_empty_house_and_is_written_for_machines(database: Database, name: str) -> None:
    with database.reading() as session:
        report = run(session, name, Scope(AS_OF))
    assert report.rows == ()
    assert report.definition
    assert len({column.name for column in report.columns}) == len(report.columns)
    assert all(column.meaning for column in report.columns)
    told = json.loads(as_json(report))
    assert (told["definition"], told["as_of"], told["rows"]) == (report.definition, "2026-03-02", [])
    assert as_csv(report).split("\r\n")[0] == ",".join(c["name"] for c in told["columns"])


@pytest.mark.parametrize("name", list(REPORTS))
def test_every_report_speaks_of_one_source_alone(units: UnitsOfWork, name: str) -> None:
    with units.begin() as uow:
        make_account(uow.session, source="north")
    with units.database.reading() as session:
        assert run(session, name, Scope(AS_OF, source="north")).scope.source == "north"
        with pytest.raises(InvalidInput, match="there is no source 'nowhere'"):
            run(session, name, Scope(AS_OF, source="nowhere"))


def test_unknown_names_and_naive_instants_are_refused_in_one_sentence(database: Database) -> None:
    with database.reading() as session:
        with pytest.raises(NotFound, match="there is no report 'rolls'; known are roll-rates, net-flow"):
            run(session, "rolls", Scope(AS_OF))
        for day in (date.min, date.max):
            with pytest.raises(InvalidInput, match="is not a day between"):
                run(session, "cure-rate", Scope(day))
        with pytest.raises(InvalidInput, match="there is no source"):
            run(session, "roll-rates", Scope(AS_OF, source="x\0y"))
        naive = Scope(AS_OF, known_at=datetime(2026, 3, 1))
        with pytest.raises(InvalidInput, match="needs a time zone"):
            run(session, "roll-rates", naive)


def test_an_unknown_rate_is_empty_in_csv_and_null_in_json(batches: Database, units: UnitsOfWork) -> None:
    with units.begin() as uow:
        make_account(uow.session, opened_on=AS_OF, limit_amount=1000)
    with batches.reading() as session:
        report = run(session, "vintage", Scope(AS_OF))
    (row,) = csv.DictReader(io.StringIO(as_csv(report)))
    assert (row["cohort"], row["disbursed_minor"], row["current"]) == ("2026-03", "1000", "")
    assert json.loads(as_json(report))["rows"][0]["current"] is None


def test_a_lenders_word_is_no_formula_in_a_spreadsheet(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        uow.session.add(_batch(2, "=cmd|' /C calc'!A0"))
    with units.database.reading() as session:
        report = run(session, "quarantine", Scope(AS_OF))
    assert {row["source"] for row in csv.DictReader(io.StringIO(as_csv(report)))} == {"'=cmd|' /C calc'!A0"}
    assert {row["source"] for row in json.loads(as_json(report))["rows"]} == {"=cmd|' /C calc'!A0"}
