"""What a reviewer sees: the list of calls to judge, and one call with its words, findings and picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.tables import (
    Agent,
    Case,
    ContactAttempt,
    Customer,
    Finding,
    Recording,
    Review,
    Transcript,
    User,
)
from collections_app.domain.contact import Mode
from collections_app.domain.errors import NotFound
from collections_app.domain.quality import RecordingStatus


class ReviewState(StrEnum):
    """Whether a call still waits for a verdict."""

    OPEN = "open"
    DONE = "done"


@dataclass(frozen=True)
class FlaggedRecording:
    """One line of the reviewer's list. ``items`` are the item codes found, most likely first."""

    recording_id: int
    started_at: datetime
    duration_ms: int
    agent_name: str
    customer_name: str | None
    case_id: int | None
    stream: str
    risk: float
    items: tuple[str, ...]
    is_critical: bool
    verdicts: int


@dataclass(frozen=True)
class SpokenWord:
    """A word with its place in the sound."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float


@dataclass(frozen=True)
class SpokenUtterance:
    """What one speaker said without a pause. ``finding_ids`` name the findings whose moment lies here."""

    speaker: str
    start_ms: int
    end_ms: int
    text: str
    words: tuple[SpokenWord, ...]
    finding_ids: tuple[int, ...]


@dataclass(frozen=True)
class GivenReview:
    """A verdict that somebody gave."""

    review_id: int
    finding_id: int | None
    reviewer_name: str
    verdict: str
    comment: str | None
    mode: str
    created_at: datetime


@dataclass(frozen=True)
class FoundBreach:
    """A suspected breach, as stored, with the verdicts on it."""

    finding_id: int
    item_code: str
    rule_id: str
    severity: str
    speaker: str
    start_ms: int
    end_ms: int
    evidence: str
    probability: float
    checklist_version: str
    reviews: tuple[GivenReview, ...]


@dataclass(frozen=True)
class ReviewPage:
    """Everything about one recording. ``peaks``: speaker -> 0..100 along the call."""

    recording_id: int
    blob_key: str
    status: str
    status_reason: str | None
    stream: str | None
    risk: float | None
    started_at: datetime
    duration_ms: int
    channel_map: tuple[str, ...]
    agent_name: str
    customer_name: str | None
    case_id: int | None
    attempt_id: int | None
    engine: str | None
    model_version: str | None
    utterances: tuple[SpokenUtterance, ...]
    findings: tuple[FoundBreach, ...]
    call_reviews: tuple[GivenReview, ...]
    peaks: dict[str, list[int]]


def is_for_review() -> sa.ColumnElement[bool]:
    """A call was checked and drawn into a reviewer's stream, flagged or random."""
    return sa.and_(Recording.status == RecordingStatus.CHECKED, Recording.stream.is_not(None))


def has_unjudged_finding(*conditions: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """A finding of the call (that meets the conditions) has no verdict yet."""
    judged = sa.exists().where(Review.finding_id == Finding.id)
    return sa.exists().where(Finding.recording_id == Recording.id, *conditions, ~judged)


def lacks_verdict() -> sa.ColumnElement[bool]:
    """Nobody judged the call as a whole, and a finding is unjudged or there is none to judge."""
    whole_call = sa.exists().where(Review.recording_id == Recording.id, Review.finding_id.is_(None))
    has_findings = sa.exists().where(Finding.recording_id == Recording.id)
    return sa.and_(~whole_call, sa.or_(has_unjudged_finding(), ~has_findings))


def list_flagged_recordings(
    session: Session, *, limit: int = 100, status: ReviewState = ReviewState.OPEN
) -> list[FlaggedRecording]:
    """List calls for review, riskiest first; done = every finding (or the whole call) has a verdict."""
    waiting = lacks_verdict()
    rows = session.execute(
        _recordings()
        .where(is_for_review(), waiting if status is ReviewState.OPEN else ~waiting)
        .order_by(sa.func.coalesce(Recording.risk, 0.0).desc(), Recording.id)
        .limit(limit)
    ).all()
    ids = [recording.id for recording, *_ in rows]
    findings = _by_recording(session.scalars(sa.select(Finding).where(Finding.recording_id.in_(ids))).all())
    counted = session.execute(
        sa.select(Review.recording_id, sa.func.count())
        .where(Review.recording_id.in_(ids))
        .group_by(Review.recording_id)
    ).all()
    verdicts = {row[0]: row[1] for row in counted}
    return [
        _line(recording, agent, mode, customer, findings.get(recording.id, []), verdicts.get(recording.id, 0))
        for recording, agent, mode, customer in rows
    ]


def get_review_page(session: Session, recording_id: int) -> ReviewPage:
    """Return one recording with everything that a reviewer needs; NotFound when there is none."""
    row = session.execute(_recordings().where(Recording.id == recording_id)).one_or_none()
    if row is None:
        raise NotFound("there is no such recording")
    recording, agent, mode, customer = row
    transcript = session.scalar(sa.select(Transcript).where(Transcript.recording_id == recording_id))
    findings = session.scalars(
        sa.select(Finding).where(Finding.recording_id == recording_id).order_by(Finding.start_ms, Finding.id)
    ).all()
    reviews = [
        GivenReview(r.id, r.finding_id, name, r.verdict, r.comment, r.mode, r.created_at)
        for r, name in session.execute(
            sa.select(Review, User.display_name)
            .join(User, User.id == Review.reviewer_id)
            .where(Review.recording_id == recording_id)
            .order_by(Review.id)
        )
    ]
    return ReviewPage(
        recording_id=recording.id,
        blob_key=recording.blob_key,
        status=recording.status,
        status_reason=recording.status_reason,
        stream=recording.stream,
        risk=recording.risk,
        started_at=recording.started_at,
        duration_ms=recording.duration_ms,
        channel_map=tuple(recording.channel_map),
        agent_name=_speaker_name(agent, mode),
        customer_name=customer,
        case_id=recording.case_id,
        attempt_id=recording.attempt_id,
        engine=transcript.engine if transcript else None,
        model_version=transcript.model_version if transcript else None,
        utterances=tuple(_utterance(u, findings) for u in (transcript.utterances if transcript else [])),
        findings=tuple(_finding(f, reviews) for f in findings),
        call_reviews=tuple(r for r in reviews if r.finding_id is None),
        peaks=dict(transcript.peaks) if transcript else {},
    )


def _recordings() -> Any:
    return (
        sa.select(Recording, Agent.name, ContactAttempt.mode, Customer.full_name)
        .outerjoin(Agent, Agent.id == Recording.agent_id)
        .outerjoin(ContactAttempt, ContactAttempt.id == Recording.attempt_id)
        .outerjoin(Case, Case.id == Recording.case_id)
        .outerjoin(Customer, Customer.id == Case.customer_id)
    )


def _speaker_name(agent: str | None, mode: Mode | None) -> str:
    if agent is not None:
        return agent
    return "Robot" if mode is Mode.AI_VOICE else "Unknown agent"


def _by_recording(findings: Sequence[Finding]) -> dict[int, list[Finding]]:
    grouped: dict[int, list[Finding]] = {}
    for finding in sorted(findings, key=lambda f: -f.probability):
        grouped.setdefault(finding.recording_id, []).append(finding)
    return grouped


def _line(
    recording: Recording,
    agent: str | None,
    mode: Mode | None,
    customer: str | None,
    findings: Sequence[Finding],
    verdicts: int,
) -> FlaggedRecording:
    return FlaggedRecording(
        recording_id=recording.id,
        started_at=recording.started_at,
        duration_ms=recording.duration_ms,
        agent_name=_speaker_name(agent, mode),
        customer_name=customer,
        case_id=recording.case_id,
        stream=recording.stream or "",
        risk=recording.risk or 0.0,
        items=tuple(dict.fromkeys(f.item_code for f in findings)),
        is_critical=any(f.severity == "critical" for f in findings),
        verdicts=verdicts,
    )


def _utterance(raw: dict[str, Any], findings: Sequence[Finding]) -> SpokenUtterance:
    return SpokenUtterance(
        speaker=raw["speaker"],
        start_ms=raw["start_ms"],
        end_ms=raw["end_ms"],
        text=raw["text"],
        words=tuple(SpokenWord(**word) for word in raw["words"]),
        finding_ids=tuple(
            f.id
            for f in findings
            if f.speaker == raw["speaker"] and raw["start_ms"] <= f.end_ms and f.start_ms <= raw["end_ms"]
        ),
    )


def _finding(finding: Finding, reviews: Sequence[GivenReview]) -> FoundBreach:
    return FoundBreach(
        finding_id=finding.id,
        item_code=finding.item_code,
        rule_id=finding.rule_id,
        severity=finding.severity,
        speaker=finding.speaker,
        start_ms=finding.start_ms,
        end_ms=finding.end_ms,
        evidence=finding.evidence,
        probability=finding.probability,
        checklist_version=finding.checklist_version,
        reviews=tuple(r for r in reviews if r.finding_id == finding.id),
    )
