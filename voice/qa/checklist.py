"""A checklist: what must and must not be said on a call, as data with its reasons and examples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from collections_app.domain.contact import CollectorRole
from voice.phrases import PhraseError, check_phrase, literal_words

CHECKLISTS = Path(__file__).parent / "checklists"
OURS, CUSTOMER = "ours", "customer"


class ChecklistError(ValueError):
    """A checklist that must not be used; names the file and the rule."""


class Severity(StrEnum):
    """Critical fails the call; minor is work to improve."""

    CRITICAL = "critical"
    MINOR = "minor"


class RuleKind(StrEnum):
    """Whether a rule wants words or forbids them."""

    FORBIDDEN = "forbidden"
    REQUIRED = "required"


@dataclass(frozen=True)
class Cue:
    """A moment that rules refer to: the speaker says one of the phrases."""

    speaker: str
    phrases: tuple[str, ...]


@dataclass(frozen=True)
class Denial:
    """How a phrase is denied: one of ``words`` at most ``reach`` words before it, no ``ends_at`` between."""

    words: frozenset[str]
    reach: int
    ends_at: frozenset[str]

    def covers(self, before: Sequence[str]) -> bool:
        """Tell whether the words before a phrase deny it."""
        for word in reversed(before[-self.reach :]):
            if word in self.words:
                return True
            if word in self.ends_at:
                return False
        return False


@dataclass(frozen=True)
class Example:
    """A short conversation and how many findings the rule makes of it."""

    call: tuple[tuple[str, str], ...]
    finds: int
    role: CollectorRole = CollectorRole.FIRST_PARTY
    concession: bool = False


@dataclass(frozen=True)
class Rule:
    """One row. ``prior`` is how often a match of perfectly heard words is a real breach."""

    id: str
    item: str
    title: str
    why: str
    severity: Severity
    kind: RuleKind
    phrases: tuple[str, ...]
    prior: float
    when: str | None = None
    before: str | None = None
    after: str | None = None
    within_seconds: int | None = None
    once: bool = False
    unless_concession: bool = False
    collector_roles: frozenset[CollectorRole] = frozenset(CollectorRole)
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True)
class Checklist:
    """The rules of one language and market. ``digest`` tells two texts of one version apart."""

    id: str
    version: int
    digest: str
    language: str
    cues: Mapping[str, Cue]
    denial: Denial
    rules: tuple[Rule, ...]
    beyond_demo_model: frozenset[str]

    @property
    def label(self) -> str:
        """Return what is stored with each finding."""
        return f"{self.id}@{self.version}+{self.digest[:12]}"

    def rule(self, rule_id: str) -> Rule:
        """Return a rule by its id."""
        return next(rule for rule in self.rules if rule.id == rule_id)

    def words(self) -> set[str]:
        """Return every word that a rule can match: for comparing with a recogniser's vocabulary."""
        phrases = _phrases(self.cues, self.rules)
        return set().union(*(literal_words(p) for p in phrases))


@lru_cache(maxsize=8)
def load_checklist(name: str = "en_us") -> Checklist:
    """Load one of the shipped checklists."""
    return parse_checklist((CHECKLISTS / f"{name}.yaml").read_text(encoding="utf-8"), source=f"{name}.yaml")


def parse_checklist(text: str, *, source: str) -> Checklist:
    """Read and check a checklist; raise ChecklistError that names what is wrong."""
    try:
        raw = yaml.safe_load(text)
        cues = {name: Cue(c["speaker"], tuple(c["phrases"])) for name, c in raw["cues"].items()}
        checklist = Checklist(
            id=raw["id"],
            version=raw["version"],
            digest=sha256(text.encode()).hexdigest(),
            language=raw["language"],
            cues=cues,
            denial=Denial(
                frozenset(raw["denial"]["words"]), raw["denial"]["reach"], frozenset(raw["denial"]["ends_at"])
            ),
            rules=tuple(_rule(r, cues) for r in raw["rules"]),
            beyond_demo_model=frozenset(raw.get("beyond_demo_model", [])),
        )
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ChecklistError(f"{source}: {type(error).__name__}: {error}") from error
    problems = _problems(checklist)
    if problems:
        raise ChecklistError(f"{source}: " + "; ".join(problems))
    return checklist


def _rule(raw: Mapping[str, Any], cues: Mapping[str, Cue]) -> Rule:
    given = dict(raw)
    cue = given.pop("cue", None)
    if cue is not None:
        given["phrases"] = cues[cue].phrases
    given["phrases"] = tuple(given["phrases"])
    given["severity"] = Severity(given["severity"])
    given["kind"] = RuleKind(given["kind"])
    if "collector_roles" in given:
        given["collector_roles"] = frozenset(CollectorRole(r) for r in given["collector_roles"])
    given["examples"] = tuple(_example(e) for e in given.get("examples", []))
    return Rule(**given)


def _example(raw: Mapping[str, Any]) -> Example:
    lines = [line.partition(": ") for line in raw["call"]]
    return Example(
        call=tuple((speaker, text) for speaker, _, text in lines),
        finds=raw["finds"],
        role=CollectorRole(raw.get("role", CollectorRole.FIRST_PARTY)),
        concession=raw.get("concession", False),
    )


def _phrases(cues: Mapping[str, Cue], rules: Sequence[Rule]) -> list[str]:
    return [p for cue in cues.values() for p in cue.phrases] + [p for rule in rules for p in rule.phrases]


def _problems(checklist: Checklist) -> list[str]:
    found = []
    for phrase in _phrases(checklist.cues, checklist.rules):
        try:
            check_phrase(phrase)
        except PhraseError as error:
            found.append(str(error))
    ids = [rule.id for rule in checklist.rules]
    found += [f"rule id {i} is used twice" for i in sorted({i for i in ids if ids.count(i) > 1})]
    for rule in checklist.rules:
        found += [f"rule {rule.id}: unknown cue {cue}" for cue in (rule.when, rule.before, rule.after)
                  if cue is not None and cue not in checklist.cues]  # fmt: skip
        if not rule.why or not 0 < rule.prior < 1:
            found.append(f"rule {rule.id}: needs a why, and a prior between 0 and 1")
        if {bool(e.finds) for e in rule.examples} != {True, False}:
            found.append(f"rule {rule.id}: needs an example that finds and one that does not")
    found += [f"cue {name}: speaker must be {OURS} or {CUSTOMER}" for name, cue in checklist.cues.items()
              if cue.speaker not in (OURS, CUSTOMER)]  # fmt: skip
    return found
