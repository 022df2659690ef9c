from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.errors import Conflict, InvalidInput, NotAllowed, NotFound
from collections_app.domain.events import EventKind
from collections_app.domain.permissions import SYSTEM, Actor, Role
from collections_app.gateways.blobs import BlobStore
from collections_app.queries.reviews import ReviewState, get_review_page, list_flagged_recordings
from collections_app.services import quality, recordings, transcription
from tests.factories import NOW, make_agent, make_case, make_user
from voice import audio
from voice.audio import Audio
from voice.qa.checklist import load_checklist
from voice.recognition.base import RecogniserUnavailable
from voice.transcript import Transcript, Utterance, plain_words

SPEAKERS = ("agent", "customer")
CLEAN = "my name is mark i am calling from river bank this call is being recorded"
RUDE = f"{CLEAN} shut up and pay"


def sound(tone: int = 400) -> bytes:
    wave = np.sin(np.arange(8_000) * tone / 8_000, dtype=np.float32) * 0.5
    return audio.wav(np.stack([wave, wave], axis=1), 8_000)


@dataclass
class TypedRecogniser:
    """Hears what the test says it hears."""

    says: str = RUDE
    error: Exception | None = None
    engine: str = "typed"
    model_version: str = "1"
    heard: list[int] = field(default_factory=list)

    def transcribe(self, decoded: Audio, speakers: Sequence[str]) -> Transcript:
        self.heard.append(decoded.duration_ms)
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        return Transcript((Utterance(speakers[0], plain_words(self.says)),))


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs")


def store(units: UnitsOfWork, blobs: BlobStore, data: bytes) -> int:
    with units.begin() as uow:
        return recordings.store_recording(uow, blobs, audio=data, channel_map=SPEAKERS, started_at=NOW).id


def walk(units: UnitsOfWork, blobs: BlobStore, says: str = RUDE) -> int:
    """Bring one recording of a case all the way to its findings."""
    with units.begin() as uow:
        case, agent = make_case(uow.session), make_agent(uow.session)
        recording_id = recordings.store_recording(
            uow,
            blobs,
            audio=sound(),
            channel_map=SPEAKERS,
            started_at=NOW,
            case_id=case.id,
            agent_id=agent.id,
        ).id
    transcription.transcribe_pending(units, recogniser=TypedRecogniser(says), blobs=blobs)
    quality.check_pending(units, checklist=load_checklist())
    return recording_id


def reviewer(units: UnitsOfWork, role: Role = Role.SUPERVISOR) -> Actor:
    with units.begin() as uow:
        user = make_user(uow.session, role=role)
        return Actor(id=user.id, name=user.username, role=role)


def test_the_same_sound_is_one_recording(units: UnitsOfWork, blobs: BlobStore) -> None:
    assert store(units, blobs, sound()) == store(units, blobs, sound()) != store(units, blobs, sound(500))


def test_unreadable_sound_is_kept_and_says_why(units: UnitsOfWork, blobs: BlobStore) -> None:
    recording_id = store(units, blobs, sound()[:-50])
    with units.begin() as uow:
        recording = uow.session.get_one(t.Recording, recording_id)
        assert recording.status == "failed"
        assert recording.status_reason is not None
        assert "truncated" in recording.status_reason
        assert blobs.exists(recording.blob_key)


def test_one_bad_recording_fails_alone(units: UnitsOfWork, blobs: BlobStore) -> None:
    ids = [store(units, blobs, sound(tone)) for tone in (300, 400, 500)]
    with units.begin() as uow:
        blobs.path(uow.session.get_one(t.Recording, ids[1]).blob_key).unlink()
    recogniser = TypedRecogniser(error=MemoryError())
    counts = transcription.transcribe_pending(units, recogniser=recogniser, blobs=blobs)
    assert counts == {"transcribed": 1, "failed": 2}
    with units.begin() as uow:
        assert [uow.session.get_one(t.Recording, i).status for i in ids] == [
            "failed",
            "failed",
            "transcribed",
        ]
    assert transcription.count_pending(units) == 0


def test_a_missing_recogniser_blames_no_recording(units: UnitsOfWork, blobs: BlobStore) -> None:
    store(units, blobs, sound())
    with pytest.raises(RecogniserUnavailable):
        transcription.transcribe_pending(
            units, recogniser=TypedRecogniser(error=RecogniserUnavailable("no model")), blobs=blobs
        )
    assert transcription.count_pending(units) == 1


def test_a_breach_is_flagged_shown_and_judged(units: UnitsOfWork, blobs: BlobStore) -> None:
    recording_id = walk(units, blobs)
    with units.database.reading() as session:
        (line,) = list_flagged_recordings(session)
        page = get_review_page(session, recording_id)
    assert (line.recording_id, line.items, line.is_critical, line.verdicts) == (
        recording_id,
        ("Q08",),
        True,
        0,
    )
    (finding,) = page.findings
    assert "shut up" in finding.evidence
    assert page.utterances[0].finding_ids == (finding.finding_id,)
    assert set(page.peaks) == set(SPEAKERS)
    person = reviewer(units)
    with units.begin(person) as uow:
        quality.review(
            uow,
            recording_id=recording_id,
            finding_id=finding.finding_id,
            verdict="confirmed",
            comment=" yes ",
        )
    with units.database.reading() as session:
        assert list_flagged_recordings(session) == []
        (done,) = list_flagged_recordings(session, status=ReviewState.DONE)
        page = get_review_page(session, recording_id)
        event = session.scalars(sa.select(t.CaseEvent).where(t.CaseEvent.kind == EventKind.REVIEW_GIVEN)).one()
    assert done.verdicts == 1
    assert [(r.verdict, r.comment, r.mode) for r in page.findings[0].reviews] == [("confirmed", "yes", "triage")]
    assert event.payload["item_code"] == "Q08"


def test_checking_twice_finds_nothing_new(units: UnitsOfWork, blobs: BlobStore) -> None:
    walk(units, blobs)
    assert quality.check_pending(units, checklist=load_checklist())["checked"] == 0


def test_a_verdict_is_given_once_by_a_person_who_may(units: UnitsOfWork, blobs: BlobStore) -> None:
    recording_id = walk(units, blobs)
    person = reviewer(units)
    with units.begin(person) as uow:
        quality.review(uow, recording_id=recording_id, finding_id=None, verdict="dismissed")
    with pytest.raises(Conflict), units.begin(person) as uow:
        quality.review(uow, recording_id=recording_id, finding_id=None, verdict="confirmed")
    with pytest.raises(NotAllowed), units.begin(reviewer(units, Role.AGENT)) as uow:
        quality.review(uow, recording_id=recording_id, finding_id=None, verdict="confirmed")
    with pytest.raises(NotAllowed), units.begin(SYSTEM) as uow:
        quality.review(uow, recording_id=recording_id, finding_id=None, verdict="confirmed")
    with pytest.raises(InvalidInput), units.begin(person) as uow:
        quality.review(uow, recording_id=recording_id, finding_id=None, verdict="perhaps")
    with pytest.raises(NotFound), units.begin(person) as uow:
        quality.review(uow, recording_id=recording_id, finding_id=999, verdict="confirmed")


def test_a_verdict_waits_for_the_check(units: UnitsOfWork, blobs: BlobStore) -> None:
    recording_id = store(units, blobs, sound())
    with pytest.raises(Conflict), units.begin(reviewer(units)) as uow:
        quality.review(uow, recording_id=recording_id, finding_id=None, verdict="confirmed")


def test_the_blind_audit_draws_its_share_of_clean_calls_and_always_the_same() -> None:
    drawn = [quality.drawn_for_audit(n, 0.1) for n in range(5_000)]
    assert 400 < sum(drawn) < 600
    assert drawn == [quality.drawn_for_audit(n, 0.1) for n in range(5_000)]


def test_a_clean_call_is_not_flagged(units: UnitsOfWork, blobs: BlobStore) -> None:
    recording_id = walk(units, blobs, says=CLEAN)
    with units.begin() as uow:
        recording = uow.session.get_one(t.Recording, recording_id)
        assert (recording.status, recording.risk) == ("checked", 0.0)
        drawn = quality.drawn_for_audit(recording_id, 0.1)
        assert recording.stream == ("random" if drawn else None)


def test_an_unknown_recording_is_not_found(units: UnitsOfWork) -> None:
    with units.database.reading() as session, pytest.raises(NotFound):
        get_review_page(session, 1)
