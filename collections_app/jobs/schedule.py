"""The schedule: every job, when it runs, how late it may still start. The only list."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from collections_app.jobs import continuous


@dataclass(frozen=True)
class JobSpec:
    """One job. ``trigger`` and ``every`` are APScheduler's words; ``grace`` is in seconds."""

    name: str
    trigger: str
    every: Mapping[str, Any]
    grace: int
    why: str
    run: Callable[[continuous.Shop], dict[str, Any]] | None = None


SCHEDULE: tuple[JobSpec, ...] = (
    JobSpec("day", "cron", {}, 6 * 3600, "the business day, at DAY_START in DAY_ZONE"),
    JobSpec("dispatch", "interval", {"seconds": 15}, 60, "send what is due", continuous.dispatch),
    JobSpec(
        "reconcile",
        "interval",
        {"minutes": 5},
        300,
        "ask what became of uncertain sends",
        continuous.reconcile,
    ),
    JobSpec(
        "candidates",
        "cron",
        {"day_of_week": "sun", "hour": 3},
        6 * 3600,
        "build the first model of its own where outcomes suffice now; it waits in stage dev for a person",
        continuous.candidates,
    ),
    JobSpec("listen", "interval", {"seconds": 60}, 600, "transcribe and check recordings", continuous.listen),
)
