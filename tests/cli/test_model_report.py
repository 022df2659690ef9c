"""``collections model report``: the card as a file that needs nothing else."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from collections_app.cli import cli
from collections_app.config import Settings
from collections_app.db.migrate import upgrade
from collections_app.domain.permissions import Actor, Role
from collections_app.services import training
from collections_app.wiring import App
from tests.web import scene_model
from tests.web.scene_model import CHALLENGER


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> App:
    made = App(Settings.from_env({"VAR_DIR": str(tmp_path_factory.mktemp("var"))}))
    upgrade(made.database)
    with made.units.begin() as uow:
        scene_model.build(uow.session)
    return made


def run(app: App, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["model", "report", *arguments], obj=app)


def test_the_page_needs_no_server_and_says_what_the_site_says(app: App, tmp_path: Path) -> None:
    out = tmp_path / "card.html"
    answer = run(app, "c-card", CHALLENGER, "--out", str(out))
    assert answer.exit_code == 0, answer.output
    page = out.read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert page.count('<svg role="img"') == 9
    for outside in ("href=", "src=", "<script", "<form", "url("):
        assert outside not in page, outside
    for said in ("0.720 to 0.761", "C-card, any account overdue", "You may say", "suspicious", "--accent:"):
        assert said in page, said
    assert "Measured when it was trained, 2025-12-02 " in page, "a file is read in another year"
    assert "business date, 2026" in page


def test_markdown_holds_the_tables(app: App) -> None:
    text = run(app, "c-card", CHALLENGER, "--format", "md").output
    assert text.startswith("# C-card, any account overdue\n")
    assert "| AUC | 0.739 | 0.720 to 0.761 |" in text
    assert "## Bands" in text
    assert text.count("\n| S1 |") + text.count("\n| S5 |") == 2
    assert "**Inspect before approval.**" in text


def test_json_is_the_card_itself(app: App, tmp_path: Path) -> None:
    out = tmp_path / "card.json"
    assert run(app, "c-card", CHALLENGER, "--out", str(out)).exit_code == 0
    assert json.loads(out.read_text("utf-8")) == scene_model.card()


def test_an_unknown_version_and_a_place_that_cannot_be_written_are_refused(app: App, tmp_path: Path) -> None:
    unknown = run(app, "c-card", "none")
    assert (unknown.exit_code, "there is no c-card none" in unknown.output) == (1, True)
    refused = run(app, "c-card", CHALLENGER, "--out", str(tmp_path / "nowhere" / "card.html"))
    assert (refused.exit_code, "cannot be written" in refused.output) == (1, True)


def test_a_scorecard_leaves_as_sql_and_a_model_without_points_does_not(app: App, tmp_path: Path) -> None:
    strategist = Actor(id=3, name="sam", role=Role.STRATEGIST)
    version = training.install_generic(app.units, actor=strategist, models=app.models).version
    out = tmp_path / "card.sql"
    made = CliRunner().invoke(
        cli, ["model", "sql", "c-card", version, "--table", "facts.rows", "--out", str(out)], obj=app
    )
    assert made.exit_code == 0, made.output
    assert out.read_text("utf-8").count("FROM facts.rows") == 1
    wrong = CliRunner().invoke(cli, ["model", "sql", "c-card", version, "--table", "a;b"], obj=app)
    assert (wrong.exit_code, "not the name of a table" in wrong.output) == (1, True)
