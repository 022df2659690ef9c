"""How well we hear and how well we check: word error rate, and precision and recall on known truth."""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from collections_app.domain.errors import InvalidInput
from voice import audio
from voice.audio import Audio

_COLUMNS = ("file", "text")


@dataclass(frozen=True)
class Spoken:
    """One utterance of a test set: the sound and what was really said."""

    file: str
    subset: str
    text: str
    audio: Audio


@dataclass(frozen=True)
class WordErrors:
    """Counted word errors; add them up before dividing."""

    errors: int = 0
    words: int = 0

    def __add__(self, other: "WordErrors") -> "WordErrors":
        return WordErrors(self.errors + other.errors, self.words + other.words)

    @property
    def rate(self) -> float:
        """Return errors per word said."""
        return self.errors / self.words if self.words else 0.0


@dataclass(frozen=True)
class Detection:
    """How many planted breaches were found, found in vain, and missed."""

    found: int
    false: int
    missed: int

    @property
    def precision(self) -> float:
        """Return the share of what was found that is true."""
        return self.found / (self.found + self.false) if self.found + self.false else 1.0

    @property
    def recall(self) -> float:
        """Return the share of what is true that was found."""
        return self.found / (self.found + self.missed) if self.found + self.missed else 1.0


def read_test_set(directory: Path) -> Iterator[Spoken]:
    """Yield the utterances that ``transcripts.tsv`` of a folder names."""
    table = directory / "transcripts.tsv"
    if not table.is_file():
        raise InvalidInput(f"{directory} has no transcripts.tsv (tab-separated, columns file and text)")
    with table.open(encoding="utf-8", newline="") as stream:
        rows = csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
        if not set(_COLUMNS) <= set(rows.fieldnames or ()):
            raise InvalidInput(f"{table} line 1: the columns file and text are needed")
        for row in rows:
            path = directory / row["file"]
            if not path.is_file():
                raise InvalidInput(f"{table} line {rows.line_num}: there is no {row['file']}")
            yield Spoken(row["file"], row.get("subset") or "all", row["text"], audio.read(path.read_bytes()))


def word_errors(said: str, heard: str) -> WordErrors:
    """Count the fewest substitutions, deletions and insertions that turn one text into the other."""
    reference, hypothesis = said.split(), heard.split()
    previous = list(range(len(hypothesis) + 1))
    for i, expected in enumerate(reference, 1):
        current = [i]
        for j, word in enumerate(hypothesis, 1):
            current.append(min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + (word != expected)))
        previous = current
    return WordErrors(previous[-1], len(reference))


def total_word_errors(spoken: Iterable[Spoken], hear: Callable[[Audio], str]) -> WordErrors:
    """Count the errors of a recogniser over a test set."""
    total = WordErrors()
    for utterance in spoken:
        total += word_errors(utterance.text, hear(utterance.audio))
    return total


def detection(truth: Sequence[set[str]], found: Sequence[set[str]]) -> Detection:
    """Compare what was planted in each call with what was found in it."""
    pairs = list(zip(truth, found, strict=True))
    return Detection(
        found=sum(len(t & f) for t, f in pairs),
        false=sum(len(f - t) for t, f in pairs),
        missed=sum(len(t - f) for t, f in pairs),
    )
