"""``collections model`` and ``collections feedback``: one road, clear refusals."""

import json
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result

from collections_app.cli import cli
from collections_app.cli.model_build import tell_stage
from collections_app.config import Settings
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.permissions import Actor, Role
from collections_app.services.users import create_user
from collections_app.wiring import App
from tests.card_books import uci_like_file

ADMIN = Actor(id=1, name="root", role=Role.ADMIN)


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(Settings.from_env({"VAR_DIR": str(tmp_path / "var")}))


def run(app: App, *arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(cli, arguments, obj=app, input=typed)


def test_a_card_is_trained_approved_and_listed(app: App, tmp_path: Path) -> None:
    book = uci_like_file(tmp_path / "book.csv", rows=1_200)
    aside = ("--data", str(book), "--mapping", "uci_credit_card", "--business-date", "2005-09-30")
    trained = json.loads(run(app, "model", "build", "c-card", *aside, "--json").output)
    assert trained["stage"] == "dev"
    units: UnitsOfWork = app.units
    with units.begin(ADMIN) as uow:
        create_user(uow, username="sam", display_name="Sam", password="correct horse", role=Role.STRATEGIST)
        create_user(uow, username="vera", display_name="V", password="correct horse", role=Role.SUPERVISOR)
    approve = ("model", "approve", "c-card", trained["version"], "--note", "figures and alarms read", "--by")
    assert "wrong password" in run(app, *approve, "sam", typed="guess\n").output
    assert "may not do this" in run(app, *approve, "vera", typed="correct horse\n").output
    assert "champion" in run(app, *approve, "sam", typed="correct horse\n").output
    assert "approved by sam" in run(app, "model", "list").output
    shown = json.loads(run(app, "model", "show", "c-card", trained["version"]).output)
    assert shown["card"]["orientation"] == "higher_is_safer"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("model", "build", "c-card"), "no bad_30d label has matured"),
        (("model", "build", "c-card", "--data", "x.csv"), "--data needs --mapping and --business-date"),
        (("model", "build", "c-card", "--mapping", "uci_credit_card"), "give it with --data"),
        (("model", "build", "c-card", "--password", "x"), "name the person with --by"),
        (("model", "show", "c-card", "zz"), "there is no c-card zz"),
    ],
)
def test_a_refusal_is_one_sentence(app: App, arguments: tuple[str, ...], message: str) -> None:
    result = run(app, *arguments)
    assert result.exit_code != 0
    assert message in result.output
    assert "Traceback" not in result.output


def test_who_builds_by_hand_does_not_approve_and_a_book_says_what_it_lacks(app: App, tmp_path: Path) -> None:
    book = uci_like_file(tmp_path / "book.csv", rows=1_200)
    with app.units.begin(ADMIN) as uow:
        for name, role in (("sam", Role.STRATEGIST), ("kim", Role.STRATEGIST), ("vera", Role.SUPERVISOR)):
            create_user(uow, username=name, display_name=name, password="correct horse", role=role)
    aside = ("--data", str(book), "--mapping", "uci_credit_card", "--business-date", "2005-09-30")
    build = ("model", "build", "c-card", "--algorithm", "scorecard", *aside, "--json", "--by")
    assert "wrong password" in run(app, *build, "sam", typed="guess\n").output
    assert "may not do this" in run(app, *build, "vera", typed="correct horse\n").output
    trained = json.loads(run(app, *build, "sam", typed="correct horse\n").stdout)
    approve = ("model", "approve", "c-card", trained["version"], "--note", "figures and alarms read", "--by")
    assert "sam trained c-card" in run(app, *approve, "sam", typed="correct horse\n").output
    assert "champion" in run(app, *approve, "kim", typed="correct horse\n").output
    line = next(r for r in run(app, "model", "ready").output.splitlines() if r.startswith("b-survival"))
    assert line.split()[2:4] == ["-", "-"]
    assert "the book is empty" in line


def test_the_feed_is_written_where_it_was_asked_for(app: App, tmp_path: Path) -> None:
    out = tmp_path / "out" / "feed.parquet"
    result = run(app, "feedback", "export", "--as-of", "2026-02-01", "--out", str(out), "--json")
    assert json.loads(result.output)["rows"] == 0
    assert pl.read_parquet(out).is_empty()


def test_a_scorecards_choice_is_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    tell_stage("modify", {"features": ["dpd", "months_late"], "missing_share": {"dpd": 0.0, "ml_apps_7d": 1.0}})
    assert "2 features kept: dpd, months_late" in capsys.readouterr().out
