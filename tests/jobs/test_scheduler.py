"""One scheduler process; a slot runs once; a job that fails does not end the others."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa

from collections_app.config import Settings
from collections_app.db.tables import JobRun
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.errors import Conflict
from collections_app.jobs.daily import DAILY
from collections_app.jobs.runner import run_once
from collections_app.jobs.schedule import SCHEDULE
from collections_app.scheduler import build, leadership, run_job
from collections_app.wiring import App
from tests.conftest import FixedClock

DAY = date(2026, 3, 2)


@pytest.fixture
def app(units: UnitsOfWork, clock: FixedClock, tmp_path: Path) -> Iterator[App]:
    url = units.database.engine.url.render_as_string(hide_password=False)
    made = App(Settings.from_env({"DATABASE_URL": url, "VAR_DIR": str(tmp_path)}), clock)
    yield made
    made.database.engine.dispose()


def test_a_second_scheduler_refuses_to_start(app: App) -> None:
    with leadership(app), pytest.raises(Conflict, match="another scheduler"), leadership(app):
        pass
    with leadership(app):
        pass


def test_every_job_of_the_schedule_is_added_with_its_rules(app: App) -> None:
    jobs = {job.id: job for job in build(app).get_jobs()}
    assert set(jobs) == {spec.name for spec in SCHEDULE}
    assert all(job.coalesce and job.max_instances == 1 for job in jobs.values())


def test_the_day_and_the_dispatch_run_by_the_clock_and_leave_their_record(app: App, units: UnitsOfWork) -> None:
    for spec in SCHEDULE:
        run_job(app, spec)
    with units.database.reading() as session:
        run = session.scalars(sa.select(JobRun)).one()  # the others found nothing to do and left no row
        assert (run.job, run.status) == ("day", "done")
        assert [step["name"] for step in run.steps] == [step.name for step in DAILY]


def test_a_slot_that_is_taken_is_left_alone(units: UnitsOfWork) -> None:
    seen: list[int] = []

    def work() -> dict[str, int]:
        seen.append(1)
        inner = run_once(units, job="dispatch", business_date=DAY, slot="a", work=lambda: {"sent": 1})
        assert inner == {"skipped": "this slot is taken"}
        return {"sent": 1}

    run_once(units, job="dispatch", business_date=DAY, slot="a", work=work)
    assert seen == [1]


def test_a_failed_job_is_recorded_with_its_sentence(units: UnitsOfWork) -> None:
    def work() -> dict[str, int]:
        raise Conflict("the carrier is closed")

    with pytest.raises(Conflict):
        run_once(units, job="dispatch", business_date=DAY, slot="b", work=work)
    with units.database.reading() as session:
        run = session.scalars(sa.select(JobRun)).one()
        assert (run.status, run.error) == ("failed", "dispatch: the carrier is closed")
