"""The figures of the road, from a lender's file to a matured label, for whoever tells the story."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.tables import (
    Account,
    Agent,
    Assignment,
    Campaign,
    Case,
    ContactAttempt,
    Episode,
    FeedBatch,
    Finding,
    InboundMessage,
    JobRun,
    ModelVersion,
    OptOut,
    Promise,
    QueueEntry,
    Recording,
    Review,
    Score,
    TrainingLabel,
    User,
)
from collections_app.domain.contact import Channel
from collections_app.domain.promises import PromiseStatus
from collections_app.domain.quality import RecordingStatus, Stream

DEMO_JOB = "demo"


@dataclass(frozen=True)
class ModelFigures:
    """The champion at work and how well it did on accounts it never saw."""

    version: str
    source: str
    auc: float | None
    ks: float | None


@dataclass(frozen=True)
class RoadFigures:
    """Counts of everything that the platform holds, in the order of the road."""

    files: int
    rows: int
    quarantined: int
    accounts: int
    episodes: int
    episodes_open: int
    cases: int
    cases_open: int
    scores: int
    champion: ModelFigures | None
    queues: dict[str, int]
    assignments_open: int
    attempts: dict[str, dict[str, int]]
    inbound_messages: int
    opt_outs: int
    promises: dict[str, int]
    recordings: dict[str, int]
    recordings_flagged: int
    reviews: dict[str, int]
    labels: int
    labels_bad: int
    campaigns: dict[str, int]

    @property
    def kept_rate(self) -> float | None:
        """Return kept promises over those judged; open and replaced ones do not count."""
        final = (PromiseStatus.KEPT, PromiseStatus.PARTIAL, PromiseStatus.BROKEN)
        judged = sum(self.promises.get(status, 0) for status in final)
        return self.promises.get(PromiseStatus.KEPT, 0) / judged if judged else None


def get_road_figures(session: Session) -> RoadFigures:
    """Count what is there."""

    def count(column: Any, *where: Any) -> int:
        return session.scalar(sa.select(sa.func.count(column)).where(*where)) or 0

    def by(column: Any, *where: Any) -> dict[str, int]:
        counts = sa.select(column, sa.func.count()).where(*where).group_by(column).order_by(column)
        rows = session.execute(counts)
        return {str(name): int(n) for name, n in rows}

    files, rows, quarantined = session.execute(
        sa.select(
            sa.func.count(FeedBatch.id),
            sa.func.coalesce(sa.func.sum(FeedBatch.rows), 0),
            sa.func.coalesce(sa.func.sum(FeedBatch.quarantined), 0),
        )
    ).one()
    return RoadFigures(
        files=files, rows=int(rows), quarantined=int(quarantined),
        accounts=count(Account.id),
        episodes=count(Episode.id), episodes_open=count(Episode.id, Episode.ended_on.is_(None)),
        cases=count(Case.id), cases_open=count(Case.id, Case.closed_on.is_(None)),
        scores=count(Score.id, ~Score.is_shadow), champion=_champion(session),
        queues=by(QueueEntry.queue, QueueEntry.removed_on.is_(None)),
        assignments_open=count(Assignment.id, Assignment.to_at.is_(None)),
        attempts=_attempts(session),
        inbound_messages=count(InboundMessage.id), opt_outs=count(OptOut.id),
        promises=by(Promise.status),
        recordings=by(Recording.status),
        recordings_flagged=count(Recording.id, Recording.stream == Stream.FLAGGED),
        reviews=by(Review.verdict),
        labels=count(TrainingLabel.id), labels_bad=count(TrainingLabel.id, TrainingLabel.outcome == 1),
        campaigns=by(Campaign.status),
    )  # fmt: skip


def is_empty(session: Session) -> bool:
    """Tell whether nobody has put anything into the database yet."""
    tables = (User, Agent, FeedBatch, Account, ModelVersion, JobRun)
    return not any(session.scalar(sa.select(sa.exists(sa.select(t.id)))) for t in tables)


def is_demo(session: Session) -> bool:
    """Tell whether the demonstration made this database: its run is the first thing that it records."""
    return bool(session.scalar(sa.select(sa.exists().where(JobRun.job == DEMO_JOB))))


@dataclass(frozen=True)
class OpenFinding:
    """A suspected breach that no person has judged."""

    recording_id: int
    finding_id: int
    item_code: str


def list_open_findings(session: Session) -> list[OpenFinding]:
    """Return the findings that wait for a verdict, oldest first."""
    judged = sa.exists().where(Review.finding_id == Finding.id)
    rows = session.execute(
        sa.select(Finding.recording_id, Finding.id, Finding.item_code)
        .join(Recording, Recording.id == Finding.recording_id)
        .where(Recording.status == RecordingStatus.CHECKED, ~judged)
        .order_by(Finding.recording_id, Finding.id)
    )
    return [OpenFinding(*row) for row in rows]


def flagged_recordings(session: Session, among: Sequence[int]) -> set[int]:
    """Return which of these recordings the checks flagged."""
    statement = sa.select(Recording.id).where(Recording.stream == Stream.FLAGGED, Recording.id.in_(among))
    return set(session.scalars(statement))


def _attempts(session: Session) -> dict[str, dict[str, int]]:
    """Return attempts by who reached for the customer and how (agent, robot, sms), and by status."""
    channel, status = ContactAttempt.channel, ContactAttempt.status
    is_call = channel == Channel.VOICE
    kind = sa.case((is_call, ContactAttempt.actor_kind), else_=sa.cast(channel, sa.String)).label("kind")
    rows = session.execute(sa.select(kind, status, sa.func.count()).group_by(kind, status).order_by(kind))
    found: dict[str, dict[str, int]] = {}
    for name, reached, n in rows:
        found.setdefault(str(name), {})[str(reached)] = int(n)
    return found


def _champion(session: Session) -> ModelFigures | None:
    champions = sa.select(ModelVersion).where(ModelVersion.stage == "champion", ModelVersion.purpose == "risk")
    model = session.scalar(champions.order_by(ModelVersion.id.desc()))
    if model is None:
        return None
    test = model.card.get("test", {})
    return ModelFigures(
        version=f"{model.name} {model.version}",
        source=str(model.card.get("provenance", {}).get("source", "")),
        auc=test.get("auc"),
        ks=test.get("ks"),
    )
