"""``collections demo``: what it refuses, what it drops, and a very small one from end to end."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from collections_app.cli import cli
from collections_app.cli.demo import prepare
from collections_app.config import Settings
from collections_app.domain.errors import Conflict
from collections_app.domain.permissions import Actor, Role
from collections_app.queries import road
from collections_app.services import agents, runs
from collections_app.town.recordings import Heard
from collections_app.wiring import App


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(Settings.from_env({"VAR_DIR": str(tmp_path / "var")}))


def hire_somebody(app: App) -> None:
    with app.units.begin(Actor(id=None, name="admin", role=Role.ADMIN)) as uow:
        agents.hire(uow, name="Ada", team="early", skills=["card"], languages=["en"], capacity_cases=10)


def mark_as_demo(app: App) -> None:
    with app.units.begin() as uow:
        runs.begin(uow, job=road.DEMO_JOB, slot="seed 7", business_date=date(2026, 11, 20), stale_after=timedelta(0))


def test_an_empty_database_is_taken_as_it_is(app: App) -> None:
    prepare(app, force=False)

    with app.database.reading() as session:
        assert road.is_empty(session)


def test_a_database_with_other_data_is_refused_even_with_force(app: App) -> None:
    hire_somebody(app)

    with pytest.raises(Conflict, match="other data"):
        prepare(app, force=True)


def test_an_earlier_demonstration_is_dropped_only_with_force(app: App) -> None:
    mark_as_demo(app)
    hire_somebody(app)
    leftover = app.settings.var_dir / "town" / "truth.parquet"
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"old")

    with pytest.raises(Conflict, match="--force"):
        prepare(app, force=False)
    prepare(app, force=True)

    with app.database.reading() as session:
        assert road.is_empty(session)
    assert not leftover.exists()


def test_production_is_refused(app: App) -> None:
    production = App(replace(app.settings, environment="production"))

    result = CliRunner().invoke(cli, ["demo"], obj=production)

    assert result.exit_code == 1
    assert "does not run in production" in result.output


def test_precision_and_recall_are_told_only_where_there_is_something_to_count() -> None:
    assert Heard(recordings=0, flagged=0, planted=0, found=0).precision is None
    heard = Heard(recordings=10, flagged=4, planted=5, found=3)
    assert (heard.precision, heard.recall) == (0.75, 0.6)


@pytest.mark.speech
def test_a_small_demonstration_runs_from_end_to_end(app: App, tmp_path: Path) -> None:
    options = ["--size", "90", "--days", "4", "--agents", "3", "--recordings", "2", "--end-date", "2026-08-27",
               "--real-file", str(tmp_path / "absent.csv")]  # fmt: skip

    result = CliRunner().invoke(cli, ["demo", *options], obj=app, catch_exceptions=False)

    assert result.exit_code == 0, result.output
    assert "left out: the real lender's file" in result.output
    assert "agent, supervisor, scheduler, strategist" in result.output
    with app.database.reading() as session:
        figures = road.get_road_figures(session)
    assert figures.campaigns.get("running", 0) > 0, "work is left for the visitor"
    assert figures.recordings.get("checked", 0) >= 1
    assert (app.settings.var_dir / "town" / "planted.json").is_file()
