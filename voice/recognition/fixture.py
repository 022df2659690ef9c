"""A recogniser that reads what was written beside the recording: for tests and for imported transcripts."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from collections_app.domain.errors import NotFound
from voice.audio import Audio, pcm16, read
from voice.transcript import Transcript, Utterance, merge


def audio_key(audio: Audio) -> str:
    """Name the audio by its sound, so that a transcript is found whatever the file is called."""
    return hashlib.sha256(pcm16(audio.samples)).hexdigest()


class FixtureRecogniser:
    """Finds ``<name>.json`` beside each ``<name>.wav`` of a folder; knows only those recordings."""

    engine = "fixture"

    def __init__(self, directory: Path) -> None:
        from_sound: dict[str, Path] = {}
        for path in sorted(directory.glob("*.wav")):
            from_sound[audio_key(read(path.read_bytes()))] = path.with_suffix(".json")
        self._transcripts = from_sound
        self.model_version = directory.name

    def transcribe(self, audio: Audio, speakers: Sequence[str]) -> Transcript:
        """Return the transcript that lies beside this very recording."""
        path = self._transcripts.get(audio_key(audio))
        if path is None or not path.is_file():
            raise NotFound("no transcript lies beside this recording; write one as <name>.json")
        utterances = [Utterance.from_json(u) for u in json.loads(path.read_text(encoding="utf-8"))["utterances"]]
        return merge([[u for u in utterances if u.speaker == speaker] for speaker in speakers])
