"""Checks of one call: (transcript, context, checklist) -> findings. Pure.

A finding is a suspicion with its evidence; a person decides. Order between speakers is order in time, so
the check works on two channels and would be wrong on a mono recording.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from collections_app.domain.contact import CollectorRole
from voice.phrases import Match, find
from voice.qa.checklist import CUSTOMER, OURS, Checklist, Denial, Example, Rule, RuleKind, Severity
from voice.transcript import Transcript, Utterance, Word, plain_words

_JOIN_MS = 1_200
_CONTEXT_WORDS = 4


@dataclass(frozen=True)
class CallContext:
    """What the house knows of the call that the sound does not tell."""

    collector_role: CollectorRole = CollectorRole.FIRST_PARTY
    concession_allowed: bool = False


@dataclass(frozen=True)
class Suspicion:
    """A suspected breach. ``probability`` is the rule's prior lessened by how badly the words were heard."""

    item_code: str
    rule_id: str
    severity: Severity
    speaker: str
    start_ms: int
    end_ms: int
    evidence: str
    probability: float


@dataclass(frozen=True)
class _Run:
    """Words of one speaker without a long silence of that speaker: phrases may cross short pauses."""

    speaker: str
    words: tuple[Word, ...]

    def texts(self) -> list[str]:
        return [word.text for word in self.words]


@dataclass(frozen=True)
class _Hit:
    run: _Run
    match: Match

    @property
    def words(self) -> tuple[Word, ...]:
        return self.run.words[self.match.first : self.match.end]

    @property
    def start_ms(self) -> int:
        return self.words[0].start_ms

    @property
    def end_ms(self) -> int:
        return self.words[-1].end_ms


def check(transcript: Transcript, context: CallContext, checklist: Checklist) -> list[Suspicion]:
    """Return every suspicion in the order of the call."""
    runs = list(_runs(transcript))
    if not runs:
        return []
    moments = {name: list(_hits(runs, cue.speaker, cue.phrases, None)) for name, cue in checklist.cues.items()}
    found: list[Suspicion] = []
    for rule in checklist.rules:
        if context.collector_role in rule.collector_roles and not (
            rule.unless_concession and context.concession_allowed
        ):
            found += _judge(rule, runs, moments, checklist.denial)
    return sorted(found, key=lambda s: (s.start_ms, s.item_code, s.rule_id))


def _judge(rule: Rule, runs: Sequence[_Run], moments: dict[str, list[_Hit]], denial: Denial | None) -> list[Suspicion]:
    if rule.kind is RuleKind.FORBIDDEN:
        hits = _distinct(_in_window(rule, list(_hits(runs, OURS, rule.phrases, denial)), moments))
        return [_suspect(rule, hit) for hit in hits[: 1 if rule.once else None]]
    if rule.when is not None and not moments[rule.when]:
        return []
    said = _in_window(rule, list(_hits(runs, OURS, rule.phrases, None)), moments)
    if rule.within_seconds is not None:
        said = [hit for hit in said if hit.start_ms <= rule.within_seconds * 1000]
    return [] if said else _missing(rule, runs, moments)


def _in_window(rule: Rule, hits: list[_Hit], moments: dict[str, list[_Hit]]) -> list[_Hit]:
    """Keep the hits before and after the cues that the rule names. A cue that never came is no bound."""
    if rule.before is not None and moments[rule.before]:
        limit = moments[rule.before][0].start_ms
        hits = [hit for hit in hits if hit.start_ms < limit]
    if rule.after is not None:
        if not moments[rule.after]:
            return []
        opening = moments[rule.after][0].start_ms
        hits = [hit for hit in hits if hit.start_ms > opening]
    return hits


def _missing(rule: Rule, runs: Sequence[_Run], moments: dict[str, list[_Hit]]) -> list[Suspicion]:
    """Report required words that did not come, at the moment that required them (or at our first words)."""
    if rule.when is not None:
        hit = moments[rule.when][0]
        return [_suspect(rule, hit)]
    ours = [run for run in runs if run.speaker != CUSTOMER]
    if not ours:
        return []
    return [_suspect(rule, _Hit(ours[0], Match("", 0, min(len(ours[0].words), 8))))]


def _suspect(rule: Rule, hit: _Hit) -> Suspicion:
    heard = sum(word.confidence for word in hit.words) / len(hit.words)
    first, end = max(0, hit.match.first - _CONTEXT_WORDS), hit.match.end + _CONTEXT_WORDS
    return Suspicion(
        item_code=rule.item,
        rule_id=rule.id,
        severity=rule.severity,
        speaker=hit.run.speaker,
        start_ms=hit.start_ms,
        end_ms=hit.end_ms,
        evidence=" ".join(hit.run.texts()[first:end]),
        probability=round(rule.prior * heard, 4),
    )


def _distinct(hits: list[_Hit]) -> list[_Hit]:
    """Merge hits that lie within two seconds of one another: one sentence is one suspicion."""
    kept: list[_Hit] = []
    for hit in hits:
        if not kept or hit.start_ms - kept[-1].end_ms > 2_000:
            kept.append(hit)
    return kept


def _hits(runs: Sequence[_Run], speaker: str, phrases: tuple[str, ...], denial: Denial | None) -> Iterator[_Hit]:
    """Yield where the speaker says a phrase and does not deny it, in the order of time."""
    found = []
    for run in runs:
        if (run.speaker == CUSTOMER) == (speaker == CUSTOMER):
            texts = run.texts()
            for match in find(phrases, texts):
                if denial is None or not denial.covers(texts[: match.first]):
                    found.append(_Hit(run, match))
    return iter(sorted(found, key=lambda h: (h.start_ms, h.end_ms)))


def _runs(transcript: Transcript) -> Iterator[_Run]:
    for speaker in sorted({u.speaker for u in transcript.utterances}):
        words: list[Word] = []
        for utterance in (u for u in transcript.utterances if u.speaker == speaker):
            if words and utterance.start_ms - words[-1].end_ms > _JOIN_MS:
                yield _Run(speaker, tuple(words))
                words = []
            words += utterance.words
        if words:
            yield _Run(speaker, tuple(words))


def run_example(rule: Rule, example: Example, checklist: Checklist) -> list[Suspicion]:
    """Check a rule's own example as if it had been heard, one line after another."""
    utterances, at = [], 0
    for speaker, text in example.call:
        utterance = Utterance(speaker, plain_words(text, start_ms=at))
        utterances.append(utterance)
        at = utterance.end_ms + 500
    context = CallContext(example.role, concession_allowed=example.concession)
    return [s for s in check(Transcript(tuple(utterances)), context, checklist) if s.rule_id == rule.id]
