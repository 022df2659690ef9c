"""What a recogniser is: sound of one call in, utterances per channel out.

When to use: to turn a recording into a Transcript. When not to use: inside a web request or an open
transaction; recognition takes seconds and belongs to a job.
"""

from collections.abc import Sequence
from typing import Protocol

from collections_app.domain.errors import NotConfigured
from voice.audio import Audio
from voice.transcript import Transcript


class RecogniserUnavailable(NotConfigured):
    """The recogniser cannot work here; one sentence says what to do."""


class Recogniser(Protocol):
    """Turns audio into words. ``engine`` and ``model_version`` are stored with every transcript."""

    engine: str
    model_version: str

    def transcribe(self, audio: Audio, speakers: Sequence[str]) -> Transcript:
        """Return the words of each channel; ``speakers`` names the channels in order."""
        ...
