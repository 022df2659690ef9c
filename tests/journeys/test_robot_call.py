"""A robot calls, the call is recorded, heard by Vosk, checked, and would stand up to its own checklist."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.gateways.blobs import BlobStore
from collections_app.queries.reviews import get_review_page
from collections_app.services import quality, robocalls, transcription
from tests.services.test_robocalls import PROMISE, planned
from voice.qa.checklist import load_checklist
from voice.recognition.vosk import VoskRecogniser
from voice.telephony.simulator import ScriptedCallee, SimulatedCarrier, telephone_pair

pytestmark = pytest.mark.speech


def test_a_robot_call_becomes_a_promise_a_recording_and_a_clean_check(units: UnitsOfWork, tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path / "blobs")
    attempt_id = planned(units)
    carrier = SimulatedCarrier(lambda order: ScriptedCallee(PROMISE), synthesiser=telephone_pair)
    robocalls.run_call(units, attempt_id=attempt_id, carrier=carrier, blobs=blobs)
    assert transcription.transcribe_pending(units, recogniser=VoskRecogniser(), blobs=blobs) == {
        "transcribed": 1, "failed": 0,
    }  # fmt: skip
    checked = quality.check_pending(units, checklist=load_checklist())
    assert (checked["checked"], checked["findings"]) == (1, 0)
    with units.database.reading() as session:
        recording = session.scalars(sa.select(t.Recording)).one()
        page = get_review_page(session, recording.id)
        assert session.scalars(sa.select(t.Promise)).one().amount == 5_000
    assert (page.channel_map, page.agent_name, page.engine) == (("customer", "robot"), "Robot", "vosk")
    assert "fifty dollars on friday" in " ".join(u.text for u in page.utterances if u.speaker == "customer")
