"""``collections report``: every name, every format, and one sentence for what is wrong."""

import csv
import io
import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from collections_app.cli import cli
from collections_app.config import Settings
from collections_app.queries.reports.registry import REPORTS
from collections_app.wiring import App
from tests.conftest import FixedClock
from tests.factories import make_account, make_standing


@pytest.fixture
def app(tmp_path: Path, clock: FixedClock) -> App:
    """Return a house with one account that rolled from M0 to M1 in February, and one that stayed."""
    made = App(Settings.from_env({"VAR_DIR": str(tmp_path / "var")}), clock)
    with made.units.begin() as uow:
        for dpd in (7, 0):
            account = make_account(uow.session, source="north", currency="USD")
            for on, days in ((date(2026, 1, 31), 0), (date(2026, 2, 28), dpd)):
                make_standing(uow.session, account_id=account.id, from_on=on, dpd=days, balance_amount=120_050)
    return made


def _report(app: App, *words: str) -> Result:
    return CliRunner().invoke(cli, ["report", *words], obj=app)


def test_the_list_names_every_report_with_its_definition(app: App) -> None:
    said = _report(app, "list").output
    for name, metric in REPORTS.items():
        assert name in said
        assert metric.definition in said


def test_json_carries_the_definition_the_date_and_the_columns(app: App) -> None:
    told = json.loads(_report(app, "roll-rates", "--as-of", "2026-03-01", "--format", "json").output)
    assert (told["name"], told["as_of"], told["known_at"]) == ("roll-rates", "2026-03-01", None)
    assert told["definition"] == REPORTS["roll-rates"].definition
    assert {"name": "share", "label": "Share of accounts", "meaning": "moved accounts / accounts in the opening bucket",
            "kind": "rate"} in told["columns"]  # fmt: skip
    assert {r["to_state"]: r["share"] for r in told["rows"] if r["share"]} == {"M0": 0.5, "M1": 0.5}


def test_csv_goes_to_a_file_whole(app: App, tmp_path: Path) -> None:
    path = tmp_path / "rolls.csv"
    answer = _report(app, "roll-rates", "--as-of", "2026-03-01", "--format", "csv", "--out", str(path))
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    assert f"{len(rows)} rows to" in answer.output
    assert [(r["to_state"], r["share"], r["balance_minor"]) for r in rows if r["n"] == "1"] == [
        ("M0", "0.5", "120050"), ("M1", "0.5", "120050")
    ]  # fmt: skip


def test_a_person_reads_what_it_means_amounts_and_per_cent(app: App) -> None:
    said = _report(app, "roll-rates", "--as-of", "2026-03-01").output
    assert REPORTS["roll-rates"].trap in said
    assert "50.00%" in said
    assert "2,401.00" in said
    assert "Nothing to report" in _report(app, "promises", "--as-of", "2026-03-01").output


def test_knowledge_can_be_asked_for_at_an_instant(app: App, clock: FixedClock) -> None:
    early = _report(app, "roll-rates", "--as-of", "2026-03-01", "--known-at", "2001-01-01T00:00:00Z", "--format", "csv")
    assert early.output.count("\n") == 1
    clock.now = datetime(2026, 3, 2, tzinfo=UTC)
    told = json.loads(
        _report(app, "roll-rates", "--as-of", "2026-03-01", "--known-at", "2026-03-01T09:00:00+08:00",
                "--format", "json").output
    )  # fmt: skip
    assert told["known_at"] == "2026-03-01T09:00:00+08:00"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["rolls", "--as-of", "2026-03-01"], "there is no report 'rolls'; known are roll-rates"),
        (["promises", "--as-of", "2026-03-01", "--source", "nowhere"], "there is no source 'nowhere'; known are"),
        (["promises", "--as-of", "2030-01-01"], "2030-01-01 lies in the future; today is 2026-03-02"),
        (["promises", "--as-of", "yesterday"], "'yesterday' does not match the format"),
        (["promises"], "Missing option '--as-of'"),
        (["vintage", "--as-of", "2026-03-01", "--known-at", "noon"], "'noon' is not an instant"),
        (["vintage", "--as-of", "2026-03-01", "--known-at", "2026-03-01T08:00:00"], "known-at needs a time zone"),
        (["promises", "--as-of", "2026-03-01", "--known-at", "2026-03-01T08:00:00Z"], "only the last word is kept"),
        (["vintage", "--as-of", "2026-03-01", "--format", "xml"], "'xml' is not one of"),
        (["vintage", "--as-of", "2026-03-01", "--out", "/nowhere/at/all.csv"], "cannot be written"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_sentence(app: App, words: list[str], sentence: str) -> None:
    answer = _report(app, *words)
    assert answer.exit_code in (1, 2)
    assert sentence in " ".join(answer.output.split())
    assert "Traceback" not in answer.output
