"""The town's recordings: spoken calls with known breaches, put to real conversations, heard and judged.

The truth of what was planted goes to a file; the platform hears the sound and nothing else.
"""

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.permissions import Actor
from collections_app.gateways.blobs import BlobStore
from collections_app.queries import desks, road
from collections_app.services import quality, recordings, transcription
from collections_app.town.calls import CHANNEL_MAP, PlantedCall, planted_calls, render
from collections_app.town.feeds import SOURCE
from voice.qa.checklist import Checklist
from voice.recognition.base import Recogniser

_RECORDED_DAYS = 21
_SPEAKERS = 2  # espeak-ng runs as processes of its own: two at a time keep two cores busy


@dataclass(frozen=True)
class Planted:
    """One recording as stored, with the truth of what was planted in it."""

    recording_id: int
    attempt_id: int
    call: PlantedCall

    @property
    def codes(self) -> set[str]:
        """Return the checklist items that the call breaks."""
        return {breach.item_code for breach in self.call.breaches}


@dataclass(frozen=True)
class Heard:
    """How the checks did against the planted truth, call by call."""

    recordings: int
    flagged: int
    planted: int
    found: int

    @property
    def precision(self) -> float | None:
        """Return flagged calls with a planted breach over flagged calls."""
        return self.found / self.flagged if self.flagged else None

    @property
    def recall(self) -> float | None:
        """Return flagged calls with a planted breach over calls with one."""
        return self.found / self.planted if self.planted else None


def plant(
    units: UnitsOfWork,
    blobs: BlobStore,
    *,
    seed: int,
    count: int,
    truth: Path,
    progress: Callable[[int], None],
) -> list[Planted]:
    """Speak the calls and store them as recordings of agents' real conversations of the last weeks."""
    since = units.clock() - timedelta(days=_RECORDED_DAYS)
    with units.database.reading() as session:
        talks = desks.conversations(session, source=SOURCE, country="US", from_at=since)
    waiting: dict[str, list[dict[str, Any]]] = {}
    for row in talks.iter_rows(named=True):
        waiting.setdefault(row["collector_role"], []).append(row)
    pairs = [
        (call, waiting[call.collector_role].pop(0))
        for call in planted_calls(seed, count)
        if waiting.get(call.collector_role)
    ]
    stored: list[Planted] = []
    with ThreadPoolExecutor(_SPEAKERS) as pool:
        sounds = pool.map(lambda pair: render(pair[0], seed=seed), pairs)
        for (call, talk), audio in zip(pairs, sounds, strict=True):
            stored.append(_store(units, blobs, call, talk, audio))
            progress(len(stored))
    _write_truth(truth, stored)
    return stored


def listen(
    units: UnitsOfWork, blobs: BlobStore, *, recogniser: Recogniser, checklist: Checklist,
    progress: Callable[[int], None],
) -> dict[str, int]:  # fmt: skip
    """Transcribe and check everything that waits; tell the progress after every few recordings."""
    total: Counter[str] = Counter()
    while True:
        heard = transcription.transcribe_pending(units, recogniser=recogniser, blobs=blobs, limit=5)
        if not any(heard.values()):
            break
        total.update(heard)
        progress(sum(total.values()))
    total.update(quality.check_pending(units, checklist=checklist))
    return dict(total)


def judge_some(units: UnitsOfWork, supervisor: Actor, planted: list[Planted], *, share: float) -> int:
    """Let the supervisor judge a part of the findings as a person who knows what was said would."""
    truth = {p.recording_id: p.codes for p in planted}
    with units.database.reading() as session:
        waiting = [f for f in road.list_open_findings(session) if f.recording_id in truth]
    with units.begin(supervisor) as uow:
        chosen = waiting[: round(len(waiting) * share)]
        for finding in chosen:
            is_real = finding.item_code in truth[finding.recording_id]
            quality.review(
                uow,
                recording_id=finding.recording_id,
                finding_id=finding.finding_id,
                verdict="confirmed" if is_real else "dismissed",
                comment="heard it" if is_real else "not what was said",
            )
    return len(chosen)


def compare(units: UnitsOfWork, planted: list[Planted]) -> Heard:
    """Compare what was flagged with what was planted."""
    with units.database.reading() as session:
        flagged = road.flagged_recordings(session, [p.recording_id for p in planted])
    guilty = {p.recording_id for p in planted if p.codes}
    return Heard(len(planted), len(flagged), len(guilty), len(flagged & guilty))


def _store(units: UnitsOfWork, blobs: BlobStore, call: PlantedCall, talk: dict[str, Any], audio: bytes) -> Planted:
    started: datetime = talk["dispatched_at"]
    with units.begin() as uow:
        recording = recordings.store_recording(
            uow, blobs, audio=audio, channel_map=CHANNEL_MAP, started_at=started,
            attempt_id=talk["attempt_id"], case_id=talk["case_id"], agent_id=talk["agent_id"],
        )  # fmt: skip
        return Planted(recording.id, talk["attempt_id"], call)


def _write_truth(path: Path, stored: list[Planted]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {"recording_id": p.recording_id, "attempt_id": p.attempt_id, "number": p.call.number,
         "collector_role": p.call.collector_role, "breaches": [asdict(b) for b in p.call.breaches],
         "turns": [asdict(t) for t in p.call.turns]}
        for p in stored
    ]  # fmt: skip
    path.write_text(json.dumps(rows, indent=1, ensure_ascii=False), encoding="utf-8")
