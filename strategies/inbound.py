"""What a customer means by a text message: word lists and phrases as data, with their own examples."""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

import yaml

DEFAULT_WORDS = Path(__file__).parent / "inbound_words.yaml"


class Intent(StrEnum):
    """What an inbound message asks for."""

    OPT_OUT = "opt_out"
    START = "start"
    HELP = "help"
    OTHER = "other"


@dataclass(frozen=True)
class IntentRule:
    """The words and phrases of one intent."""

    intent: Intent
    words: frozenset[str]
    patterns: tuple[re.Pattern[str], ...]
    examples: tuple[str, ...]


@dataclass(frozen=True)
class IntentRules:
    """All intents in the order in which they are tried."""

    version: int
    rules: tuple[IntentRule, ...]
    other_examples: tuple[str, ...]

    def classify(self, text: str) -> Intent:
        """Return the first intent whose words or phrases match; OTHER if none does."""
        plain = fold(text)
        for rule in self.rules:
            if plain in rule.words or any(p.search(plain) for p in rule.patterns):
                return rule.intent
        return Intent.OTHER


def fold(text: str) -> str:
    """Bring a message to one spelling: full-width to half-width, lower case, no punctuation at word ends."""
    plain = unicodedata.normalize("NFKC", text).lower().replace("’", "'")
    return " ".join(re.sub(r"[^\w' ]+", " ", plain).split())


@cache
def default_intents() -> IntentRules:
    """Return the word lists shipped with the project, read once."""
    return load_intents(DEFAULT_WORDS)


def load_intents(path: Path) -> IntentRules:
    """Read the word lists; raise ValueError naming the file and the intent that is wrong."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    rules = []
    for row in content["intents"]:
        try:
            rules.append(
                IntentRule(
                    intent=Intent(row["intent"]),
                    words=frozenset(fold(str(word)) for word in row["words"]),
                    patterns=tuple(re.compile(pattern) for pattern in row["patterns"]),
                    examples=tuple(str(e) for e in row["examples"]),
                )
            )
        except (KeyError, ValueError, re.error) as error:
            raise ValueError(f"{path.name}: intent {row.get('intent')!r}: {error}") from error
    return IntentRules(int(content["version"]), tuple(rules), tuple(content["other_examples"]))
