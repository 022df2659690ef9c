"""How well a lender's column name says what one of our fields means (vocabulary.yaml)."""

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import yaml

from collections_app.intake.entities import ENTITIES
from collections_app.intake.mapping import load_mapping

_VOCABULARY = Path(__file__).parent / "vocabulary.yaml"
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[a-z])(?=\d)|(?<=[A-Z]{2})(?=\d)")
_ASIDE = re.compile(r"\(.*?\)|（.*?）|\d+")
_NOT_WORD = re.compile(r"[^\w#]+|_+")
_CHINESE = re.compile(r"[一-鿿]")


@dataclass(frozen=True)
class Vocabulary:
    """The lenders' words: names of each field, words for each value, and what must never be read."""

    names: dict[tuple[str, str], tuple[str, ...]]
    values: dict[str, dict[str, str]]
    protected: tuple[str, ...]
    turning: tuple[str, ...]
    phones: tuple[str, ...]
    emails: tuple[str, ...]


@cache
def _file() -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(_VOCABULARY.read_text("utf-8"))
    return data


@cache
def _short() -> dict[str, str]:
    return {plain(short): word for word, shorts in _file()["abbreviations"].items() for short in shorts}


@cache
def vocabulary() -> Vocabulary:
    """Read the vocabulary; our own names and own_feed's columns are part of it."""
    data = _file()
    names = {(entity, name): [name] for entity, body in ENTITIES.items() for name in body.columns}
    for entity_map in load_mapping("own_feed").entities:
        for spec in entity_map.rows[0]:
            if (entity_map.entity, spec.name) in names:
                names[entity_map.entity, spec.name] += spec.columns
    for entity in ENTITIES:
        for name, found in (data.get(entity) or {}).items():
            names[entity, name] += found
    values = {key: {plain(w): ours for ours, words in table.items() for w in (ours, *words)}
              for key, table in data["words"].items() if isinstance(table, dict)}  # fmt: skip
    values["bool"] = {plain(w): key for key in ("true", "false") for w in data["words"][key]}
    return Vocabulary(
        {key: tuple(dict.fromkeys(found)) for key, found in names.items()},
        values,
        tuple(data["protected"]),
        tuple(data["turning"]),
        tuple(data["phones"]),
        tuple(data["emails"]),
    )


@lru_cache(maxsize=1 << 14)
def plain(text: str) -> str:
    """Return a name or word in lower case, its parts by one space."""
    return " ".join(_NOT_WORD.sub(" ", _CAMEL.sub(" ", text)).lower().split())


@lru_cache(maxsize=1 << 14)
def parts(name: str) -> tuple[str, ...]:
    """Return the words of a name, abbreviations written out."""
    short = _short()
    return tuple(short.get(word, word) for word in plain(name).split())


def likeness(name: str, meaning: str) -> float:
    """Compare a column's name with one way to say a field: 0 (nothing in common) to 1 (the same)."""
    if _CHINESE.search(name) or _CHINESE.search(meaning):
        return _chinese(name.strip(), meaning)
    if plain(name) == plain(meaning):
        return 1.0
    here, there = parts(name), parts(meaning)
    if not here or not there:
        return 0.0
    if set(here) == set(there):
        return 0.96
    joined, wanted = plain(name).replace(" ", ""), plain(meaning).replace(" ", "")
    if joined == wanted:
        return 0.97
    common = set(here) & set(there)
    if common == set(there):
        return 0.5 + 0.4 * len(common) / len(set(here))
    if common == set(here):
        return 0.4 + 0.35 * len(common) / len(set(there))
    near = len(wanted) > 4 and abs(len(wanted) - len(joined)) <= 3 and joined[0] == wanted[0]
    close = SequenceMatcher(None, joined, wanted).ratio() if near else 0.0
    return max(0.8 * close if close >= 0.85 else 0.0, 0.5 * len(common) / len(set(here) | set(there)))


def _chinese(name: str, meaning: str) -> float:
    if name == meaning:
        return 1.0
    if _CHINESE.search(name) and _CHINESE.search(meaning):
        if meaning in name:
            return 0.5 + 0.4 * len(meaning) / len(name)
        if name in meaning:
            return 0.4 + 0.35 * len(name) / len(meaning)
    return 0.0


@lru_cache(maxsize=1 << 15)
def best_likeness(name: str, meanings: tuple[str, ...]) -> float:
    """Return the likeness to the nearest of several ways to say it."""
    return max((likeness(name, meaning) * _turned(name, meaning) for meaning in meanings), default=0.0)


def _turned(name: str, meaning: str) -> float:
    """Count less what the name says beyond the meaning when that makes another thing of it."""
    words, chinese = _turning()
    if (words & set(plain(name).split())) - set(plain(meaning).split()):
        return 0.6
    return 0.6 if any(word in name and word not in meaning for word in chinese) else 1.0


@cache
def _turning() -> tuple[frozenset[str], tuple[str, ...]]:
    words = vocabulary().turning
    chinese = tuple(word for word in words if _CHINESE.search(word))
    return frozenset(words) - set(chinese), chinese


def our_word(table: str, word: str) -> str | None:
    """Return what a lender's word means among the values of ours; None when a person must say."""
    known = vocabulary().values.get(table, {})
    return known.get(plain(word)) or known.get(plain(_ASIDE.sub(" ", word)))
