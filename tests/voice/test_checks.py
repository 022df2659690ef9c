from dataclasses import replace

import pytest

from collections_app.domain.contact import CollectorRole
from collections_app.town.calls import Turn, planted_calls, texts
from tests.voice.test_dialogue import known_words
from voice.qa.checklist import (
    CHECKLISTS,
    ChecklistError,
    Example,
    Rule,
    Severity,
    load_checklist,
    parse_checklist,
)
from voice.qa.checks import CallContext, Suspicion, check, run_example
from voice.qa.scoring import call_risk
from voice.transcript import Transcript, Utterance, plain_words

CHECKLIST = load_checklist()
EXAMPLES = [(rule, example) for rule in CHECKLIST.rules for example in rule.examples]


def heard(*lines: tuple[str, str], gap_ms: int = 500) -> Transcript:
    utterances, at = [], 0
    for speaker, text in lines:
        utterances.append(Utterance(speaker, plain_words(text, start_ms=at)))
        at = utterances[-1].end_ms + gap_ms
    return Transcript(tuple(utterances))


@pytest.mark.parametrize(("rule", "example"), EXAMPLES, ids=[f"{r.id}-{i}" for i, (r, _) in enumerate(EXAMPLES)])
def test_each_rule_finds_what_its_examples_say(rule: Rule, example: Example) -> None:
    assert len(run_example(rule, example, CHECKLIST)) == example.finds


def test_every_word_is_one_the_demo_model_can_hear() -> None:
    assert CHECKLIST.words() - known_words() == CHECKLIST.beyond_demo_model
    assert texts(planted_calls(1, 60)) <= known_words()


def test_a_denial_reaches_over_its_sentence_but_not_over_a_new_thought() -> None:
    def found(text: str) -> set[str]:
        return {s.rule_id for s in check(heard(("agent", text)), CallContext(), CHECKLIST)} & {"threat_of_arrest"}

    assert not found("nobody will be arrested")
    assert not found("you will not ever be arrested")
    assert found("if you do not pay you will be arrested")
    assert found("you did not answer and you will be arrested")


def test_order_between_the_channels_decides_not_order_of_rows() -> None:
    identity = Utterance("customer", plain_words("it is one two three four", start_ms=4_000))
    debt = Utterance("agent", plain_words("your account is past due", start_ms=1_000))
    late = check(Transcript((identity, debt)), CallContext(), CHECKLIST)
    assert "identity_before_disclosure" in {s.rule_id for s in late}
    early = replace(identity, words=plain_words("it is one two three four", start_ms=0, word_ms=100))
    found = check(Transcript((early, debt)), CallContext(), CHECKLIST)
    assert "identity_before_disclosure" not in {s.rule_id for s in found}


def test_evidence_points_at_the_words_with_their_times() -> None:
    call = heard(("agent", "my name is mark"), ("agent", "listen now shut up and pay"))
    (found,) = [s for s in check(call, CallContext(), CHECKLIST) if s.rule_id == "insult"]
    assert "shut up" in found.evidence
    assert (found.start_ms, found.end_ms) == (2_300, 2_900)


def test_words_that_were_badly_heard_weigh_less() -> None:
    words = tuple(replace(w, confidence=0.5) for w in plain_words("shut up"))
    (bad,) = [
        s for s in check(Transcript((Utterance("agent", words),)), CallContext(), CHECKLIST) if s.item_code == "Q08"
    ]
    (good,) = [s for s in check(heard(("agent", "shut up")), CallContext(), CHECKLIST) if s.item_code == "Q08"]
    assert bad.probability == pytest.approx(good.probability / 2)


def test_silence_has_no_findings() -> None:
    assert check(Transcript(()), CallContext(), CHECKLIST) == []


def test_risk_grows_with_findings_and_minor_ones_weigh_little() -> None:
    def suspicion(severity: Severity) -> Suspicion:
        return Suspicion("Q01", "x", severity, "agent", 0, 1, "", 0.8)

    minor, critical = call_risk([suspicion(Severity.MINOR)]), call_risk([suspicion(Severity.CRITICAL)])
    assert call_risk([]) == 0 < minor < critical < call_risk([suspicion(Severity.CRITICAL)] * 2) < 1


@pytest.mark.parametrize("number", range(40))
def test_perfect_hearing_finds_exactly_what_was_planted(number: int) -> None:
    call = planted_calls(7, 40)[number]
    script = heard(*((turn.speaker, turn.text) for turn in call.turns))
    found = {s.rule_id for s in check(script, CallContext(call.collector_role), CHECKLIST)}
    assert found == {breach.rule_id for breach in call.breaches}


def test_half_of_the_planted_calls_are_clean_and_each_breach_names_a_turn_of_ours() -> None:
    calls = planted_calls(3, 36)
    assert sum(not c.breaches for c in calls) == 18
    assert planted_calls(3, 36) == calls
    assert all(isinstance(c.turns[b.turn], Turn) for c in calls for b in c.breaches)
    assert {CollectorRole.FIRST_PARTY, CollectorRole.THIRD_PARTY} == {c.collector_role for c in calls}


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("when: disclosure", "when: moonrise", "unknown cue moonrise"),
        ("prior: 0.6", "prior: 6", "prior between"),
        ("speaker: customer", "speaker: judge", "speaker must be"),
        ("kind: required", "kind: wished", "wished"),
        ('"shut up"', '"Shut up"', "lower-case"),
        ("finds: 1", "finds: 0", "one that does not"),
    ],
)
def test_a_broken_checklist_is_not_loaded(old: str, new: str, complaint: str) -> None:
    text = (CHECKLISTS / "en_us.yaml").read_text(encoding="utf-8")
    assert old in text
    with pytest.raises(ChecklistError, match=complaint):
        parse_checklist(text.replace(old, new), source="broken.yaml")
