"""Orders of offers that cannot be carried out are one sentence."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from collections_app.cli import cli
from collections_app.config import Settings
from collections_app.wiring import App
from tests.factories import NOW


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(Settings.from_env({"VAR_DIR": str(tmp_path / "var")}), clock=lambda: NOW)


def run(app: App, *arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, obj=app)


def test_a_share_that_is_no_number_is_refused(app: App) -> None:
    money = ("--margin", "10", "--exposure", "100", "--contact-cost", "1", "--capacity", "5")
    told = run(app, "offer", "make", "--date", "2026-01-05", "--lgd", "nan", *money)
    assert (told.exit_code, told.output) == (1, "error: the loss given default is a share between 0 and 1\n")


def test_a_list_that_cannot_be_written_is_refused(app: App, tmp_path: Path) -> None:
    out = tmp_path / "nowhere" / "list.csv"
    told = run(app, "offer", "export", "--date", "2026-01-05", "--out", str(out))
    assert told.exit_code == 1
    assert told.output.startswith(f"error: {out} cannot be written")


def test_a_day_before_every_threshold_is_refused(app: App) -> None:
    told = run(app, "model", "monitor", "--as-of", "0001-01-01")
    assert (told.exit_code, told.output) == (
        1, "error: model_monitoring.yaml: no version is in force on 0001-01-01\n"
    )  # fmt: skip
