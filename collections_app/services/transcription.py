"""Recordings become transcripts, one by one; a bad recording fails alone and says why."""

from typing import Any

import sqlalchemy as sa

from collections_app.db.tables import Recording, Transcript
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.errors import NotFound
from collections_app.domain.quality import RecordingStatus
from collections_app.gateways.blobs import BlobStore
from voice import audio as sound
from voice.recognition.base import Recogniser, RecogniserUnavailable


def transcribe_pending(
    units: UnitsOfWork, *, recogniser: Recogniser, blobs: BlobStore, limit: int = 100
) -> dict[str, int]:
    """Transcribe received recordings, oldest first. No transaction is open while a model listens."""
    with units.begin() as uow:
        waiting = [
            (row.id, row.blob_key, tuple(row.channel_map))
            for row in uow.session.scalars(
                sa.select(Recording)
                .where(Recording.status == RecordingStatus.RECEIVED)
                .order_by(Recording.id)
                .limit(limit)
            )
        ]
    counts = {"transcribed": 0, "failed": 0}
    for recording_id, key, speakers in waiting:
        try:
            heard = _listen(recogniser, blobs.get(key), speakers)
        except RecogniserUnavailable:
            raise  # the recogniser is at fault, not the recording: nothing more can be done now
        except (sound.AudioError, NotFound) as error:
            _fail(units, recording_id, str(error))
            counts["failed"] += 1
        except Exception as error:  # noqa: BLE001 (whatever one recording does to the library, the next is heard)
            _fail(units, recording_id, f"recognition failed: {type(error).__name__}")
            counts["failed"] += 1
        else:
            _store(units, recording_id, recogniser, heard)
            counts["transcribed"] += 1
    return counts


def count_pending(units: UnitsOfWork) -> int:
    """Count what waits for a recogniser, so that nobody loads a model for nothing."""
    with units.begin() as uow:
        waiting = sa.select(sa.func.count()).where(Recording.status == RecordingStatus.RECEIVED)
        return uow.session.scalar(waiting) or 0


def _listen(recogniser: Recogniser, data: bytes, speakers: tuple[str, ...]) -> dict[str, Any]:
    decoded = sound.read(data, channels=len(speakers))
    transcript = recogniser.transcribe(decoded, speakers)
    return {
        "utterances": [utterance.to_json() for utterance in transcript.utterances],
        "peaks": {speaker: sound.peaks(decoded.channel(i)) for i, speaker in enumerate(speakers)},
    }


def _store(units: UnitsOfWork, recording_id: int, recogniser: Recogniser, heard: dict[str, Any]) -> None:
    with units.begin() as uow:
        recording = uow.session.get_one(Recording, recording_id, with_for_update=True)
        if recording.status != RecordingStatus.RECEIVED:
            return  # another worker was faster
        uow.session.add(
            Transcript(
                recording_id=recording_id,
                engine=recogniser.engine,
                model_version=recogniser.model_version,
                created_at=uow.now,
                **heard,
            )
        )
        recording.status, recording.status_reason = RecordingStatus.TRANSCRIBED.value, None


def _fail(units: UnitsOfWork, recording_id: int, reason: str) -> None:
    with units.begin() as uow:
        recording = uow.session.get_one(Recording, recording_id, with_for_update=True)
        if recording.status == RecordingStatus.RECEIVED:
            recording.status, recording.status_reason = RecordingStatus.FAILED.value, reason[:300]
