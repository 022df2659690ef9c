"""The day of each role."""

from dataclasses import dataclass

from collections_app.queries.dashboards import AgentDay, ReviewDay, StageRow
from collections_app.queries.reviews import FlaggedRecording
from collections_app.queries.runs import RunRow
from collections_app.web.campaigns.pages import CampaignLine
from collections_app.web.worklist.pages import WorklistPage


@dataclass(frozen=True)
class AgentHome:
    """home/agent.html. ``next_up`` are the most urgent cases that wait for a call."""

    day: AgentDay
    next_up: WorklistPage


@dataclass(frozen=True)
class SupervisorHome:
    """home/supervisor.html. ``waiting`` are the riskiest calls without a verdict."""

    day: ReviewDay
    waiting: tuple[FlaggedRecording, ...]
    stages: tuple[StageRow, ...]


@dataclass(frozen=True)
class SchedulerHome:
    """home/scheduler.html."""

    campaigns: tuple[CampaignLine, ...]
    runs: tuple[RunRow, ...]


@dataclass(frozen=True)
class BookHome:
    """home/book.html, for roles without daily work of their own."""

    stages: tuple[StageRow, ...]
    runs: tuple[RunRow, ...]
