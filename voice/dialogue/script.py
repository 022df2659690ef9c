"""A robot's script: data with states, intents and endings, proved safe when it is loaded."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from string import Formatter
from typing import Any

import yaml

from collections_app.domain.outcomes import DISPOSITIONS, Disposition, Outcome
from voice.phrases import PhraseError, check_phrase, literal_words, normalise

SCRIPTS = Path(__file__).parent / "scripts"

SILENCE_END = "end_silence"
# Prompts may name these; the ones marked True are secrets of the account.
_VARIABLES = {
    "name": False, "brand": False, "amount": True, "due": True, "latest": True, "minimum": True,
    "promised_amount": True, "promised_date": True,
}  # fmt: skip
# What the engine itself can find besides intents.
_IDENTITY_ROUTES = {"verified", "mismatch", "unverified"}
_PROMISE_ROUTES = {"no_date", "no_amount", "too_late", "too_small", "agreed", "no_agreement"}


class ScriptError(ValueError):
    """A script that must not be used; names the file and the state."""


@dataclass(frozen=True)
class Policy:
    """What the robot may agree to and how patient it is."""

    longest_promise_days: int
    minimum_percent: int
    reprompts: int
    identity_tries: int
    offers: int


@dataclass(frozen=True)
class Ending:
    """What a final state means. ``unverified_disposition`` replaces one that only the customer can give."""

    outcome: Outcome
    disposition: Disposition
    unverified_disposition: Disposition | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class State:
    """One line of the robot and where each answer leads."""

    name: str
    say: str
    say_third_party: str
    then: Mapping[str, str] = field(default_factory=dict)
    check: str | None = None
    collects: str | None = None
    in_full_today: frozenset[str] = frozenset()
    end: Ending | None = None


@dataclass(frozen=True)
class Script:
    """A whole script. ``intents`` keep the file's order: the first that matches wins."""

    id: str
    version: int
    language: str
    start: str
    policy: Policy
    reprompt: str
    intents: Mapping[str, tuple[str, ...]]
    anywhere: Mapping[str, str]
    states: Mapping[str, State]
    guarded_words: frozenset[str]
    beyond_demo_model: frozenset[str]

    def words(self) -> set[str]:
        """Return every word that is said or listened for."""
        said = " ".join(f"{s.say} {s.say_third_party}" for s in self.states.values()) + " " + self.reprompt
        words = {w for part, *_ in Formatter().parse(said) for w in normalise(part).split()}
        return words.union(*(literal_words(p) for phrases in self.intents.values() for p in phrases))


@lru_cache(maxsize=8)
def load_script(name: str = "reminder_en_us") -> Script:
    """Load one of the shipped scripts."""
    return parse_script((SCRIPTS / f"{name}.yaml").read_text(encoding="utf-8"), source=f"{name}.yaml")


def parse_script(text: str, *, source: str) -> Script:
    """Read and check a script; raise ScriptError that names what is wrong."""
    try:
        raw = yaml.safe_load(text)
        script = Script(
            id=raw["id"],
            version=raw["version"],
            language=raw["language"],
            start=raw["start"],
            policy=Policy(**raw["policy"]),
            reprompt=raw["reprompt"],
            intents={name: tuple(phrases) for name, phrases in raw["intents"].items()},
            anywhere=raw["anywhere"],
            states={name: _state(name, value) for name, value in raw["states"].items()},
            guarded_words=frozenset(raw["guarded_words"]),
            beyond_demo_model=frozenset(raw.get("beyond_demo_model", [])),
        )
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ScriptError(f"{source}: {type(error).__name__}: {error}") from error
    problems = list(_problems(script))
    if problems:
        raise ScriptError(f"{source}: " + "; ".join(problems))
    return script


def _state(name: str, raw: Mapping[str, Any]) -> State:
    end = raw.get("end")
    return State(
        name=name,
        say=raw["say"],
        say_third_party=raw.get("say_third_party", raw["say"]),
        then=raw.get("then", {}),
        check=raw.get("check"),
        collects=raw.get("collects"),
        in_full_today=frozenset(raw.get("in_full_today", [])),
        end=None if end is None else _ending(end),
    )


def _ending(raw: Mapping[str, Any]) -> Ending:
    fallback = raw.get("unverified_disposition")
    return Ending(
        Outcome(raw["outcome"]),
        Disposition(raw["disposition"]),
        None if fallback is None else Disposition(fallback),
        tuple(raw.get("flags", [])),
    )


def _problems(script: Script) -> list[str]:
    found = []
    for intent, phrases in script.intents.items():
        for phrase in phrases:
            try:
                check_phrase(phrase)
            except PhraseError as error:
                found.append(f"intent {intent}: {error}")
    if "voicemail" not in script.anywhere:
        found.append("anywhere must say where voicemail leads")
    for intent in script.anywhere:
        if intent not in script.intents:
            found.append(f"anywhere: unknown intent {intent}")
    for name in (script.start, SILENCE_END, *script.anywhere.values()):
        if name not in script.states:
            found.append(f"unknown state {name}")
    for state in script.states.values():
        found += [f"state {state.name}: {problem}" for problem in _state_problems(script, state)]
    return found or [f"state {name} tells of the debt but can be reached before the identity is confirmed"
                     for name in sorted(_leaks(script))]  # fmt: skip


def _state_problems(script: Script, state: State) -> list[str]:
    known = set(script.intents)
    known |= _IDENTITY_ROUTES if state.check == "identity" else set()
    known |= _PROMISE_ROUTES if state.collects == "promise" else set()
    found = [f"listens for {intent}, which is nothing it can hear" for intent in state.then if intent not in known]
    found += [f"leads to unknown state {target}" for target in state.then.values() if target not in script.states]
    if state.check not in (None, "identity") or state.collects not in (None, "promise"):
        found.append("check may be identity, collects may be promise")
    if state.check == "identity" and not set(state.then) >= _IDENTITY_ROUTES:
        found.append(f"must say where {', '.join(sorted(_IDENTITY_ROUTES))} lead")
    if state.collects == "promise" and not set(state.then) >= _PROMISE_ROUTES:
        found.append(f"must say where {', '.join(sorted(_PROMISE_ROUTES))} lead")
    if bool(state.then) == (state.end is not None):
        found.append("either listens (then) or ends (end)")
    for _, variable, *_ in Formatter().parse(state.say + state.say_third_party):
        if variable is not None and variable not in _VARIABLES:
            found.append(f"names unknown variable {variable}")
    if state.end is not None:
        fallback = state.end.unverified_disposition
        if fallback is not None and DISPOSITIONS[fallback].needs_rpc:
            found.append(f"{fallback} needs the customer and cannot stand for an unverified speaker")
    return found


def _leaks(script: Script) -> set[str]:
    """Return the disclosing states that some path reaches without passing the identity check."""
    seen: set[str] = set()
    waiting = [script.start, SILENCE_END, *script.anywhere.values()]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += [target for intent, target in script.states[name].then.items() if intent != "verified"]
    return {name for name in seen if discloses(script, script.states[name])}


def discloses(script: Script, state: State) -> bool:
    """Tell whether the state's line names the debt: by a secret variable or a guarded word."""
    for text in (state.say, state.say_third_party):
        for part, variable, *_ in Formatter().parse(text):
            if (variable is not None and _VARIABLES[variable]) or script.guarded_words & set(normalise(part).split()):
                return True
    return False
