"""Transcripts are checked, suspicions become findings, and a person gives the verdict."""

import hashlib

import sqlalchemy as sa

from collections_app.db.tables import Account, ContactAttempt, Episode, Finding, Recording, Review, Transcript
from collections_app.db.unit_of_work import UnitOfWork, UnitsOfWork
from collections_app.domain.contact import CollectorRole
from collections_app.domain.errors import Conflict, InvalidInput, NotFound
from collections_app.domain.events import EventKind
from collections_app.domain.permissions import Permission
from collections_app.domain.quality import RecordingStatus, ReviewMode, Stream, Verdict
from strategies.parameters import recordings as parameters
from voice.qa.checklist import Checklist
from voice.qa.checks import CallContext, Suspicion, check
from voice.qa.scoring import call_risk
from voice.transcript import Transcript as Words
from voice.transcript import Utterance


def check_pending(units: UnitsOfWork, *, checklist: Checklist, limit: int = 1000) -> dict[str, int]:
    """Check transcribed recordings; flag those with findings and draw the blind audit from the others."""
    with units.begin() as uow:
        waiting = list(
            uow.session.scalars(
                sa.select(Recording.id)
                .where(Recording.status == RecordingStatus.TRANSCRIBED)
                .order_by(Recording.id)
                .limit(limit)
            )
        )
    counts = {"checked": 0, "flagged": 0, "audited": 0, "findings": 0}
    for recording_id in waiting:
        with units.begin() as uow:
            recording = uow.session.get_one(Recording, recording_id, with_for_update=True)
            if recording.status != RecordingStatus.TRANSCRIBED:
                continue  # another worker was faster
            found = _check_one(uow, recording, checklist)
            counts["checked"] += 1
            counts["findings"] += len(found)
            counts["flagged"] += recording.stream == Stream.FLAGGED
            counts["audited"] += recording.stream == Stream.RANDOM
    return counts


def _check_one(uow: UnitOfWork, recording: Recording, checklist: Checklist) -> list[Suspicion]:
    transcript = uow.session.scalars(sa.select(Transcript).where(Transcript.recording_id == recording.id)).one()
    words = Words(tuple(Utterance.from_json(u) for u in transcript.utterances))
    suspicions = check(words, CallContext(_collector_role(uow, recording)), checklist)
    for s in suspicions:
        uow.session.add(
            Finding(
                recording_id=recording.id,
                item_code=s.item_code,
                rule_id=s.rule_id,
                checklist_version=checklist.label,
                severity=s.severity.value,
                speaker=s.speaker,
                start_ms=s.start_ms,
                end_ms=s.end_ms,
                evidence=s.evidence,
                probability=s.probability,
                created_at=uow.now,
            )
        )
    recording.risk = call_risk(suspicions)
    recording.status = RecordingStatus.CHECKED.value
    share = parameters("review")["audit_percent"] / 100
    if suspicions:
        recording.stream, recording.sampling_probability = Stream.FLAGGED.value, 1.0
    elif drawn_for_audit(recording.id, share):
        recording.stream, recording.sampling_probability = Stream.RANDOM.value, share
    return suspicions


def drawn_for_audit(recording_id: int, share: float) -> bool:
    """Tell whether a clean call is in the blind audit: by its id, so that a repeated check draws the same."""
    digest = hashlib.sha256(f"blind audit {recording_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < share


def _collector_role(uow: UnitOfWork, recording: Recording) -> CollectorRole:
    """Return in whose name the call was made; the stricter role where an account of the case has it."""
    if recording.attempt_id is not None:
        return CollectorRole(uow.session.get_one(ContactAttempt, recording.attempt_id).collector_role)
    if recording.case_id is None:
        return CollectorRole.FIRST_PARTY
    third = (
        sa.select(Account.id)
        .join(Episode, Episode.account_id == Account.id)
        .where(Episode.case_id == recording.case_id, Account.collector_role == CollectorRole.THIRD_PARTY)
    )
    return CollectorRole.THIRD_PARTY if uow.session.scalar(sa.select(third.exists())) else CollectorRole.FIRST_PARTY


def review(
    uow: UnitOfWork, *, recording_id: int, finding_id: int | None, verdict: str, comment: str | None = None
) -> Review:
    """Record a person's verdict on one finding, or on the whole call when no finding is named."""
    uow.actor.require(Permission.RECORDING_REVIEW)
    if uow.actor.id is None:
        raise InvalidInput("a verdict is given by a person who is logged in")
    try:
        word = Verdict(verdict)
    except ValueError:
        raise InvalidInput(f"a verdict is one of {', '.join(Verdict)}") from None
    recording = uow.session.get(Recording, recording_id, with_for_update=True)
    if recording is None:
        raise NotFound("there is no such recording")
    if recording.status != RecordingStatus.CHECKED:
        raise Conflict("this recording is not checked yet; a verdict needs its findings")
    finding = None if finding_id is None else uow.session.get(Finding, finding_id)
    if finding_id is not None and (finding is None or finding.recording_id != recording_id):
        raise NotFound("there is no such finding on this recording")
    same = sa.and_(
        Review.recording_id == recording_id,
        Review.finding_id == finding_id if finding_id is not None else Review.finding_id.is_(None),
        Review.reviewer_id == uow.actor.id,
    )
    if uow.session.scalar(sa.select(sa.exists().where(same))):
        raise Conflict("you have given your verdict on this already; an appeal is decided by another reviewer")
    given = Review(
        recording_id=recording_id,
        finding_id=finding_id,
        reviewer_id=uow.actor.id,
        verdict=word.value,
        comment=(comment or "").strip()[:2000] or None,
        mode=(ReviewMode.RANDOM if recording.stream == Stream.RANDOM else ReviewMode.TRIAGE).value,
        sampling_probability=recording.sampling_probability or 1.0,
        created_at=uow.now,
    )
    uow.session.add(given)
    uow.session.flush()  # the event names the review
    if recording.case_id is not None:
        payload = {"review_id": given.id, "recording_id": recording_id, "verdict": word.value}
        if finding is not None:
            payload["item_code"] = finding.item_code
        uow.record(recording.case_id, EventKind.REVIEW_GIVEN, payload)
    return given
