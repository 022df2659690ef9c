"""What was said, by whom and when: the typed output of recognition and the input of every check."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Word:
    """One recognised word. ``confidence`` is the recogniser's own and is weak evidence."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float


@dataclass(frozen=True)
class Utterance:
    """Words of one speaker without a long pause between them."""

    speaker: str
    words: tuple[Word, ...]

    @property
    def start_ms(self) -> int:
        """Return where the first word starts."""
        return self.words[0].start_ms

    @property
    def end_ms(self) -> int:
        """Return where the last word ends."""
        return self.words[-1].end_ms

    @property
    def text(self) -> str:
        """Return the words as one line."""
        return " ".join(word.text for word in self.words)

    def to_json(self) -> dict[str, Any]:
        """Return the stored form (``Transcript.utterances`` in the database)."""
        return {
            "speaker": self.speaker,
            "start_ms": self.start_ms,
            "end_ms": self.end_ms,
            "text": self.text,
            "words": [asdict(word) for word in self.words],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Utterance":
        """Read the stored form."""
        return cls(value["speaker"], tuple(Word(**word) for word in value["words"]))


@dataclass(frozen=True)
class Transcript:
    """All utterances of a call in the order in which they began."""

    utterances: tuple[Utterance, ...]

    @property
    def text(self) -> str:
        """Return everything said as one line."""
        return " ".join(utterance.text for utterance in self.utterances)


def merge(channels: Sequence[Sequence[Utterance]]) -> Transcript:
    """Interleave the utterances of several channels by their start."""
    everything = [utterance for channel in channels for utterance in channel]
    return Transcript(tuple(sorted(everything, key=lambda u: (u.start_ms, u.end_ms, u.speaker))))


def plain_words(text: str, *, start_ms: int = 0, word_ms: int = 300) -> tuple[Word, ...]:
    """Turn written text into evenly timed words: for examples in checklists and for typed conversations."""
    return tuple(
        Word(token, start_ms + i * word_ms, start_ms + (i + 1) * word_ms, 1.0) for i, token in enumerate(text.split())
    )
