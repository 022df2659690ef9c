"""The house checks itself: contracts, settings, jobs, commits, catalogues, files of a size one can read."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from collections_app.config import VARIABLES, Settings
from collections_app.domain.errors import NotConfigured
from collections_app.domain.events import LABELS, EventKind
from collections_app.domain.outcomes import DISPOSITIONS, OUTCOMES, Disposition, Outcome
from collections_app.domain.permissions import GRANTS, Role
from collections_app.jobs.daily import DAILY
from collections_app.jobs.schedule import SCHEDULE

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [p for room in ("collections_app", "strategies", "voice", "models") for p in (ROOT / room).rglob("*.py")]


def test_the_import_contracts_hold() -> None:
    run = subprocess.run(
        [Path(sys.executable).parent / "lint-imports"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize("room", ["collections_app.domain.gate", "strategies.book", "voice.qa.checks"])
def test_the_pure_rooms_load_without_web_or_database(room: str) -> None:
    code = f"import sys, {room}; print(sorted({{'flask', 'sqlalchemy', 'apscheduler'}} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_a_web_process_loads_no_model_recogniser_or_carrier() -> None:
    heavy = ["sklearn", "xgboost", "vosk", "twilio", "polars", "torch", "pandas", "models"]
    code = f"import sys, collections_app.factory; print(sorted(set({heavy!r}) & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_there_is_one_commit_in_the_code() -> None:
    places = [p.name for p in SOURCES if re.search(r"\.commit\(\)", p.read_text())]
    assert places == ["unit_of_work.py"]


def test_no_rule_reads_the_wall_clock() -> None:
    allowed = {"unit_of_work.py", "wiring.py"}
    places = {p.name for p in SOURCES if re.search(r"datetime\.now\(|date\.today\(|time\.time\(\)", p.read_text())}
    assert places <= allowed


def test_the_environment_is_read_in_one_place() -> None:
    places = {p.name for p in SOURCES if re.search(r"os\.environ|getenv", p.read_text())}
    assert places <= {"config.py", "booster.py"}  # booster.py sets OMP_WAIT_POLICY before xgboost is imported


def test_every_setting_is_documented_and_in_the_example() -> None:
    documented = (ROOT / "docs/configuration.md").read_text()
    example = (ROOT / ".env.example").read_text()
    for variable in VARIABLES:
        assert f"`{variable.name}`" in documented
        assert f"{variable.name}=" in example


def test_every_job_and_step_is_in_the_runbook() -> None:
    runbook = (ROOT / "docs/runbook.md").read_text()
    for name in [*(job.name for job in SCHEDULE), *(step.name for step in DAILY)]:
        assert f"`{name}`" in runbook


def test_every_code_of_the_catalogues_has_its_entry() -> None:
    assert set(OUTCOMES) == set(Outcome)
    assert set(DISPOSITIONS) == set(Disposition)
    assert set(LABELS) == set(EventKind)
    assert set(GRANTS) == set(Role)
    keys = [d.key for d in DISPOSITIONS.values()]
    assert len(keys) == len(set(keys))


def test_every_wrong_setting_is_named_at_once() -> None:
    with pytest.raises(NotConfigured) as refusal:
        Settings.from_env(
            {"ENVIRONMENT": "production", "SMS_GATEWAY": "twilio", "DAY_START": "25:00", "DAY_ZONE": "Mars"}
        )
    for name in (
        "SECRET_KEY",
        "TWILIO_ACCOUNT_SID",
        "TWILIO_AUTH_TOKEN",
        "TWILIO_FROM",
        "DAY_START",
        "DAY_ZONE",
        "CARRIER",
    ):
        assert name in refusal.value.message


def test_files_are_rooms_not_halls() -> None:
    long = {p.relative_to(ROOT).as_posix(): n for p in SOURCES if (n := len(p.read_text().splitlines())) > 450}
    assert long == {}


def test_no_module_is_called_utils() -> None:
    banned = {"utils", "helpers", "common", "manager", "misc"}
    assert not [p for p in SOURCES if p.stem in banned]
