"""The one scheduler process: APScheduler 3, schedule in code, leader by a lock on the database."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
import structlog
from apscheduler.schedulers.blocking import BlockingScheduler

from collections_app.domain.errors import Conflict
from collections_app.jobs.runner import run_day, run_once
from collections_app.jobs.schedule import SCHEDULE, JobSpec
from collections_app.wiring import App

log = structlog.get_logger()

# One number for "the scheduler of this database"; PostgreSQL frees it when the process dies.
LEADER_LOCK = 7_203_115


@contextmanager
def leadership(app: App) -> Iterator[None]:
    """Hold the leader's lock, or raise Conflict: two schedulers would run every slot twice."""
    refusal = Conflict("another scheduler process runs on this database; only one may")
    if app.database.is_postgresql:
        with app.database.engine.connect() as connection:
            connection.detach()  # closed for good at the end: back in the pool it would keep the lock
            if not connection.scalar(sa.text("SELECT pg_try_advisory_lock(:key)"), {"key": LEADER_LOCK}):
                raise refusal
            yield
        return
    app.settings.var_dir.mkdir(parents=True, exist_ok=True)
    with (app.settings.var_dir / "scheduler.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise refusal from None
        yield


def build(app: App) -> BlockingScheduler:
    """Return the scheduler with every job of the schedule, not started."""
    zone = ZoneInfo(app.settings.day_zone)
    scheduler = BlockingScheduler(timezone=zone)
    hour, minute = app.settings.day_start.split(":")
    for spec in SCHEDULE:
        every: dict[str, Any] = dict(spec.every) or {"hour": int(hour), "minute": int(minute)}
        scheduler.add_job(
            run_job,
            spec.trigger,
            args=(app, spec),
            id=spec.name,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=spec.grace,
            **every,
        )
    return scheduler


def run_job(app: App, spec: JobSpec) -> None:
    """Run one job now; a failure is logged and recorded, the scheduler goes on."""
    now: datetime = app.units.clock()
    try:
        if spec.run is None:
            result = run_day(app.units, app.day(app.business_date))
        else:
            work = spec.run
            result = run_once(
                app.units,
                job=spec.name,
                business_date=app.business_date,
                slot=now.strftime("%Y-%m-%dT%H:%M:%S"),
                work=lambda: work(app.shop()),
            )
    except Exception as error:  # noqa: BLE001 - one failed job must not end the others
        log.error("job failed", job=spec.name, error=type(error).__name__)
        return
    log.info("job done", job=spec.name, result={k: v for k, v in result.items() if k != "steps"})


def main(app: App) -> None:
    """Take the lead and run until interrupted."""
    with leadership(app):
        build(app).start()
