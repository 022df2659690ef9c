"""The log of job runs: begun, each step done, finished or failed."""

from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from collections_app.db.tables import JobRun
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.errors import Conflict


def begin(
    uow: UnitOfWork, *, job: str, slot: str, business_date: date, stale_after: timedelta
) -> tuple[int, frozenset[str]]:
    """Open or resume the run of a slot; return its id and the steps done. Raise Conflict while another runs it."""
    run = uow.session.scalar(sa.select(JobRun).where(JobRun.job == job, JobRun.slot == slot).with_for_update())
    if run is None:
        run = JobRun(
            job=job,
            slot=slot,
            business_date=business_date,
            status="running",
            steps=[],
            stats={},
            started_at=uow.now,
            attempts=1,
        )
        uow.session.add(run)
        uow.session.flush()  # the caller needs the id; a twin fails here on the unique slot
        return run.id, frozenset()
    if run.status == "running" and uow.now - run.started_at < stale_after:
        raise Conflict(f"{job} for {slot} is being run by another process")
    done = frozenset(s["name"] for s in run.steps if s["status"] == "done")
    if run.status != "done":
        run.status, run.started_at, run.attempts, run.error = "running", uow.now, run.attempts + 1, None
        run.steps = [s for s in run.steps if s["status"] == "done"]
    return run.id, done


def finish_step(uow: UnitOfWork, run_id: int, name: str, *, seconds: float, result: dict[str, Any]) -> None:
    """Record a step as done, in the transaction that did it."""
    run = uow.session.get_one(JobRun, run_id)
    run.steps = [*run.steps, {"name": name, "status": "done", "seconds": seconds, "result": result}]


def finish(uow: UnitOfWork, run_id: int) -> dict[str, Any]:
    """Close a run and return its steps with their results."""
    run = uow.session.get_one(JobRun, run_id)
    if run.status != "done":
        run.status, run.finished_at = "done", uow.now
    return {
        "job": run.job,
        "business_date": run.business_date.isoformat(),
        "attempts": run.attempts,
        "seconds": round(sum(s["seconds"] for s in run.steps), 3),
        "steps": run.steps,
    }


def fail(uow: UnitOfWork, run_id: int, *, step: str, error: str) -> None:
    """Record where and why a run stopped."""
    run = uow.session.get_one(JobRun, run_id)
    run.status, run.finished_at, run.error = "failed", uow.now, f"{step}: {error}"
    run.steps = [*run.steps, {"name": step, "status": "failed", "seconds": 0.0, "result": {}}]


def forget(uow: UnitOfWork, run_id: int) -> None:
    """Drop a run that found nothing to do."""
    uow.session.delete(uow.session.get_one(JobRun, run_id))
