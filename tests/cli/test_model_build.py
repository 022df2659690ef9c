"""``collections model build | ready | install-generic``: stages speak, a trial keeps nothing, refusals are short."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from collections_app.cli import cli
from collections_app.config import Settings
from collections_app.wiring import App
from tests.card_books import uci_like_file


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(Settings.from_env({"VAR_DIR": str(tmp_path / "var")}))


def run(app: App, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ("model", *arguments), obj=app)


def aside(folder: Path, rows: int) -> tuple[str, ...]:
    book = uci_like_file(folder / "book.csv", rows=rows)
    return ("--data", str(book), "--mapping", "uci_credit_card", "--business-date", "2005-09-30", "--threads", "1")


def test_a_dry_run_goes_through_every_stage_and_registers_nothing(app: App, tmp_path: Path) -> None:
    said = run(app, "build", "c-card", "--algorithm", "scorecard", "--dry-run", *aside(tmp_path, 800)).output
    lines = [line.split()[0] for line in said.splitlines() if not line.startswith(" ")]
    assert list(dict.fromkeys(lines))[:5] == ["SAMPLE", "EXPLORE", "MODIFY", "MODEL", "ASSESS"]
    assert "dry run     nothing was registered" in said
    assert "no model yet" in run(app, "list").output


def test_one_may_look_at_the_sample_without_fitting(app: App, tmp_path: Path) -> None:
    book = aside(tmp_path, 60)
    seen = json.loads(run(app, "build", "c-card", "--stop-after", "explore", "--json", *book).output)
    assert (seen["sample"]["rows"], set(seen)) == (60, {"sample", "explore"})
    assert set(json.loads(run(app, "build", "c-card", "--stop-after", "sample", "--json", *book).output)) == {"sample"}


def test_the_cold_start_is_told_and_the_experts_card_listed(app: App) -> None:
    rows = {row["name"]: row for row in json.loads(run(app, "ready", "--json").output)}
    assert (rows["c-card"]["works"], rows["c-card"]["enough"]) == ("none", False)
    assert "wait: 0 of 143 outcomes" in run(app, "ready").output
    assert "judged by experts, not calibrated" in run(app, "install-generic").output
    assert "not measured  not approved" in run(app, "list").output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("build", "d-card"), "there is no model 'd-card'; there are c-card"),
        (("build", "recovery", "--algorithm", "boosted"), "recovery is trained as two_part, not as boosted"),
        (("build", "c-m1-mid"), "no rolled_m2 label has matured"),
        (("build", "best-time"), "no call of the last 180 days has an outcome"),
        (("build", "c-card", "--data", "x.csv"), "--data needs --mapping and --business-date"),
    ],
)
def test_a_refusal_is_one_sentence(app: App, arguments: tuple[str, ...], message: str) -> None:
    result = run(app, *arguments)
    assert result.exit_code == 1
    assert message in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_too_few_outcomes_are_counted(app: App, tmp_path: Path) -> None:
    result = run(app, "build", "c-card", *aside(tmp_path, 60))
    assert "c-card: the training part has" in result.output
    assert "needs at least 100 of each" in result.output
