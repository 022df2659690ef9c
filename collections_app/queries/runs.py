"""What the jobs did, for which day, and how it went."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.tables import JobRun
from collections_app.domain.errors import NotFound

DAY_JOB = "day"
DONE = "done"


@dataclass(frozen=True)
class StepRow:
    """One step of a run with its figures in the order in which the step told them."""

    name: str
    status: str
    seconds: float | None
    figures: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class RunRow:
    """One run of a job."""

    id: int
    job: str
    business_date: date
    status: str
    started_at: datetime
    finished_at: datetime | None
    attempts: int
    error: str | None
    steps: tuple[StepRow, ...]

    @property
    def seconds(self) -> float | None:
        """Return how long the run worked; a clock that stands still cannot hide the steps' own time."""
        if self.finished_at is None:
            return None
        worked = sum(step.seconds or 0.0 for step in self.steps)
        return max(worked, (self.finished_at - self.started_at).total_seconds())

    @property
    def steps_done(self) -> int:
        """Return how many steps are finished."""
        return sum(step.status == DONE for step in self.steps)


@dataclass(frozen=True)
class RunList:
    """A part of the runs, newest first; ``after`` asks for the next part."""

    rows: tuple[RunRow, ...]
    after: int | None
    job: str | None
    jobs: tuple[str, ...]


def find_business_date(session: Session) -> date | None:
    """Return the business date of the latest finished day, None before the first."""
    return session.scalar(
        sa.select(sa.func.max(JobRun.business_date)).where(JobRun.job == DAY_JOB, JobRun.status == DONE)
    )


def list_runs(session: Session, *, job: str | None = None, after: int | None = None, limit: int = 40) -> RunList:
    """Return runs, newest first."""
    statement = sa.select(JobRun).order_by(JobRun.id.desc()).limit(limit + 1)
    if job:
        statement = statement.where(JobRun.job == job)
    if after:
        statement = statement.where(JobRun.id < after)
    rows = [_row(run) for run in session.scalars(statement)]
    jobs = tuple(session.scalars(sa.select(JobRun.job).distinct().order_by(JobRun.job)))
    return RunList(tuple(rows[:limit]), rows[limit - 1].id if len(rows) > limit else None, job, jobs)


def get_run(session: Session, run_id: int) -> RunRow:
    """Return one run with its steps."""
    run = session.get(JobRun, run_id)
    if run is None:
        raise NotFound("there is no such run")
    return _row(run)


def _row(run: JobRun) -> RunRow:
    return RunRow(
        id=run.id, job=run.job, business_date=run.business_date, status=run.status, started_at=run.started_at,
        finished_at=run.finished_at, attempts=run.attempts, error=run.error, steps=_steps(run.steps),
    )  # fmt: skip


def _steps(raw: Sequence[Mapping[str, Any]]) -> tuple[StepRow, ...]:
    return tuple(
        StepRow(
            name=str(step.get("name", "")),
            status=str(step.get("status", "")),
            seconds=step.get("seconds"),
            figures=_figures(step.get("result") or {}),
        )
        for step in raw
    )


def _figures(result: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((name, _said(value)) for name, value in result.items() if value not in (None, "", {}, []))


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {_said(v)}" for k, v in value.items())
    return str(value)
