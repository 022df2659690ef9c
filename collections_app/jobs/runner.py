"""Runs jobs: one row per run, one unit of work per step, a kill at any moment is resumed by running again."""

import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.errors import Conflict, DomainError
from collections_app.domain.permissions import SYSTEM, Actor
from collections_app.jobs.daily import DAILY, Day
from collections_app.services import runs

# A run that has shown no progress for this long belongs to a process that died.
STALE_AFTER = timedelta(hours=1)


def run_day(
    units: UnitsOfWork,
    day: Day,
    *,
    actor: Actor = SYSTEM,
    progress: Callable[[str], None] = lambda _step: None,
) -> dict[str, Any]:
    """Run the steps of a business day that are not done yet, in order; return what each did.

    A finished day is not run again: its stored results come back. A step that fails stops the day, is
    recorded with its error, and is where the next run resumes.
    """
    slot = day.business_date.isoformat()
    with units.begin(actor) as uow:
        run_id, done = runs.begin(uow, job="day", slot=slot, business_date=day.business_date, stale_after=STALE_AFTER)
    for step in DAILY:
        if step.name in done:
            continue
        progress(step.name)
        started = time.perf_counter()
        try:
            with units.begin(actor) as uow:
                result = step.run(uow, day)
                seconds = round(time.perf_counter() - started, 3)
                # In the step's own transaction: it is done if and only if this says so.
                runs.finish_step(uow, run_id, step.name, seconds=seconds, result=result)
        except Exception as error:
            with units.begin(actor) as uow:
                runs.fail(uow, run_id, step=step.name, error=_sentence(error))
            raise
    with units.begin(actor) as uow:
        return runs.finish(uow, run_id)


def run_once(
    units: UnitsOfWork,
    *,
    job: str,
    business_date: date,
    slot: str,
    work: Callable[[], dict[str, Any]],
    actor: Actor = SYSTEM,
) -> dict[str, Any]:
    """Run one piece of work for a slot and record it; a slot that is taken is left alone."""
    try:
        with units.begin(actor) as uow:
            run_id, _ = runs.begin(uow, job=job, slot=slot, business_date=business_date, stale_after=STALE_AFTER)
    except (Conflict, IntegrityError):
        return {"skipped": "this slot is taken"}
    started = time.perf_counter()
    try:
        result = work()
    except Exception as error:
        with units.begin(actor) as uow:
            runs.fail(uow, run_id, step=job, error=_sentence(error))
        raise
    with units.begin(actor) as uow:
        if any(result.values()):
            runs.finish_step(uow, run_id, job, seconds=round(time.perf_counter() - started, 3), result=result)
            return runs.finish(uow, run_id)
        runs.forget(uow, run_id)  # nothing to do: a page full of empty runs hides the real ones
    return result


def _sentence(error: Exception) -> str:
    if isinstance(error, DomainError):
        return error.message
    if isinstance(error, SQLAlchemyError):
        return f"{type(error).__name__}: the database refused a statement"  # its text may hold personal data
    return f"{type(error).__name__}: {error}"
