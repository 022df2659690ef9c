"""A flagged call of the scene: sound, words, findings."""

import io
import math
import wave
from datetime import date, timedelta

import numpy as np
from sqlalchemy.orm import Session

from collections_app.db import tables as t
from collections_app.gateways.blobs import BlobStore
from tests.factories import (
    NOW,
)
from tests.web.scene_rows import add

SECONDS = 24
WORDS = (
    ("agent", 0, "good morning this is a call from example bank on a recorded line"),
    ("customer", 5200, "yes this is pat speaking"),
    ("agent", 8000, "you owe two hundred and fifty dollars and if you do not pay today the police will come"),
    ("customer", 15000, "that is not right i can pay on friday"),
    ("agent", 19000, "thank you we will wait until friday goodbye"),
)


def recording(
    session: Session,
    blobs: BlobStore,
    case_id: int,
    agent_id: int,
    *,
    pitch: float,
    stream: str = "flagged",
    findings: bool = True,
) -> tuple[t.Recording, list[int]]:
    """Add a transcribed and checked call with its sound."""
    key = f"recordings/2026/03/01/{int(pitch)}.wav"
    blobs.put(key, tone(pitch))
    recording = add(
        session,
        t.Recording(
            case_id=case_id,
            agent_id=agent_id,
            blob_key=key,
            sha256=f"{int(pitch):064d}",
            sample_rate=8000,
            channels=2,
            channel_map=["agent", "customer"],
            duration_ms=SECONDS * 1000,
            started_at=NOW - timedelta(days=1),
            status="checked",
            risk=0.94 if findings else 0.0,
            stream=stream,
            sampling_probability=1.0,
            retention_until_on=date(2029, 3, 1),
        ),
    )
    peaks = {
        s: [int(60 * abs(math.sin(i / 7)) * abs(math.sin(i / 31 + shift))) for i in range(240)]
        for s, shift in (("agent", 0.0), ("customer", 1.6))
    }
    utterances = [
        {
            "speaker": who,
            "start_ms": at,
            "end_ms": at + 330 * len(text.split()),
            "text": text,
            "words": [
                {
                    "text": w,
                    "start_ms": at + 330 * i,
                    "end_ms": at + 330 * (i + 1),
                    "confidence": 0.5 if w == "police" else 0.97,
                }
                for i, w in enumerate(text.split())
            ],
        }
        for who, at, text in WORDS
    ]
    add(
        session,
        t.Transcript(
            recording_id=recording.id,
            engine="vosk",
            model_version="demo-1",
            utterances=utterances,
            peaks=peaks,
            created_at=NOW,
        ),
    )
    ids = []
    if findings:
        for code, rule, start, end, evidence, severity in (
            (
                "Q06",
                "threat_of_arrest",
                11_600,
                14_500,
                "if you do not pay today the police will come",
                "critical",
            ),
            (
                "Q03",
                "identity_before_disclosure",
                8_000,
                11_000,
                "you owe two hundred and fifty dollars",
                "critical",
            ),
        ):
            ids.append(
                add(
                    session,
                    t.Finding(
                        recording_id=recording.id,
                        item_code=code,
                        rule_id=rule,
                        checklist_version="en_us@1",
                        severity=severity,
                        speaker="agent",
                        start_ms=start,
                        end_ms=end,
                        evidence=evidence,
                        probability=0.88,
                        created_at=NOW,
                    ),
                ).id
            )
    return recording, ids


def tone(pitch: float) -> bytes:
    """Return a stereo WAV: one tone per channel, taking turns of three seconds."""
    rate = 8000
    at = np.arange(rate * SECONDS)
    sound = 9000 * np.sin(2 * np.pi * pitch * at / rate)
    turn = (at // (rate * 3)) % 2
    stereo = np.stack([sound * (1 - turn), sound * turn], axis=1).astype("<i2")
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(stereo.tobytes())
    return out.getvalue()
