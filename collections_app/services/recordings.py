"""Recordings come into the house: stored once by their content, with a date on which they must go."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from collections_app.db.tables import Recording
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.quality import RecordingStatus
from collections_app.gateways.blobs import BlobStore
from strategies.parameters import recordings as parameters
from voice import audio as sound


def store_recording(
    uow: UnitOfWork,
    blobs: BlobStore,
    *,
    audio: bytes,
    channel_map: Sequence[str],
    started_at: datetime,
    attempt_id: int | None = None,
    case_id: int | None = None,
    agent_id: int | None = None,
) -> Recording:
    """Keep a recording. The same sound twice is one recording; unreadable sound is kept and marked failed.

    Call it first in its unit of work: decoding and the file come before the first statement, so that no
    lock is held meanwhile.
    """
    digest = hashlib.sha256(audio).hexdigest()
    key = f"recordings/{started_at:%Y/%m/%d}/{digest[:32]}.wav"
    status, reason = RecordingStatus.RECEIVED, None
    rate = duration_ms = 0
    try:
        decoded = sound.read(audio, channels=len(channel_map))
        rate, duration_ms = decoded.rate, decoded.duration_ms
    except sound.AudioError as error:
        status, reason = RecordingStatus.FAILED, str(error)[:300]
    if not blobs.exists(key):
        blobs.put(key, audio)
    known = uow.session.scalar(sa.select(Recording).where(Recording.sha256 == digest))
    if known is not None:
        return known
    recording = Recording(
        attempt_id=attempt_id,
        case_id=case_id,
        agent_id=agent_id,
        blob_key=key,
        sha256=digest,
        sample_rate=rate,
        channels=len(channel_map),
        channel_map=list(channel_map),
        duration_ms=duration_ms,
        started_at=started_at,
        status=status.value,
        status_reason=reason,
        retention_until_on=started_at.date() + timedelta(days=parameters("retention")["days"]),
    )
    uow.session.add(recording)
    uow.session.flush()  # callers name the recording by its id
    return recording
