"""Phrases as data: the one matcher of dialogue intents and of quality checks.

A phrase is lower-case words. ``(wife|husband)`` is a choice, ``[really]`` may be absent, ``*`` stands for
up to three words, ``#`` for one spoken digit. Matching is on whole words, so "sue" never hits "issue".
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

_TOKEN = re.compile(r"\([^()]+\)|\[[^\[\]]+\]|\*|#|[a-z0-9']+")
_DIGIT = r"(?:zero|oh|one|two|three|four|five|six|seven|eight|nine)"
_WORD = r"(?:[a-z0-9']+ )"
_UNSPOKEN = re.compile(r"[^a-z0-9' ]+")


class PhraseError(ValueError):
    """A phrase that cannot be read; the message quotes it."""


@dataclass(frozen=True)
class Match:
    """A phrase found in words[first:end]."""

    phrase: str
    first: int
    end: int


def normalise(text: str) -> str:
    """Lower-case, drop punctuation, single spaces."""
    return " ".join(_UNSPOKEN.sub(" ", text.lower().replace("’", "'")).split())


@lru_cache(maxsize=4096)
def _compiled(phrase: str) -> re.Pattern[str]:
    pieces = _TOKEN.findall(phrase)
    if not pieces or "".join(pieces).replace(" ", "") != phrase.replace(" ", ""):
        raise PhraseError(f"phrase {phrase!r}: use lower-case words, (a|b), [optional], * and #")
    parts = []
    for piece in pieces:
        if piece == "*":
            parts.append(_WORD + "{0,3}?")
        elif piece == "#":
            parts.append(_DIGIT + " ")
        elif piece[0] == "[":
            parts.append("(?:" + "|".join(re.escape(t.strip()) + " " for t in piece[1:-1].split("|")) + ")?")
        elif piece[0] == "(":
            parts.append("(?:" + "|".join(re.escape(t.strip()) for t in piece[1:-1].split("|")) + ") ")
        else:
            parts.append(re.escape(piece) + " ")
    return re.compile("(?<=[ ])" + "".join(parts))


def check_phrase(phrase: str) -> None:
    """Raise PhraseError unless the phrase can be read."""
    _compiled(phrase)


def literal_words(phrase: str) -> set[str]:
    """Return every word that the phrase can contain: for comparing with a recogniser's vocabulary."""
    return set(re.findall(r"[a-z0-9']+", phrase))


def find(phrases: Iterable[str], words: Sequence[str]) -> Iterator[Match]:
    """Yield each place where a phrase occurs, phrase by phrase."""
    line = " " + " ".join(words) + " "
    for phrase in phrases:
        for hit in _compiled(phrase).finditer(line):
            first = line.count(" ", 0, hit.start()) - 1
            yield Match(phrase, first, line.count(" ", 0, hit.end()) - 1)


def occurs(phrases: Iterable[str], text: str) -> bool:
    """Tell whether any of the phrases is in the text."""
    return next(find(phrases, normalise(text).split()), None) is not None
