from dataclasses import replace
from datetime import date
from xml.etree import ElementTree as Xml

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collections_app.domain.contact import CollectorRole
from collections_app.domain.outcomes import DISPOSITIONS, Disposition, Outcome
from voice.dialogue import engine, twiml
from voice.dialogue.engine import Context, Progress, Settled, Step
from voice.dialogue.script import SCRIPTS, ScriptError, load_script, parse_script
from voice.recognition.vosk import DEMO_MODEL

SCRIPT = load_script()
CONTEXT = Context("Mary Brown", "River Bank", "7321", 25_000, "USD", date(2026, 2, 18), date(2026, 3, 2))
VERIFIED = ("yes speaking", "it is seven three two one")
ANSWERS = [
    "yes", "no", "hello", "seven three two one", "three three three three", "who is this",
    "i will pay on friday", "fifty dollars", "i can pay ten dollars tomorrow", "in december",
    "i lost my job", "are you a robot", "the fifteenth", "i already paid this",
    "i do not owe this", "stop calling me", "wrong number", "he is not home", None, "",
    "the full amount",
]  # fmt: skip


def talk(*answers: str | None, context: Context = CONTEXT) -> list[Step]:
    steps = [engine.begin(SCRIPT, context)]
    for heard in answers:
        assert steps[-1].settled is None, f"the call ended before {heard!r}"
        steps.append(engine.hear(SCRIPT, steps[-1].progress, heard, context))
    return steps


def ending(*answers: str | None) -> Settled | None:
    return talk(*answers)[-1].settled


@given(st.lists(st.sampled_from(ANSWERS), max_size=12), st.sampled_from(CollectorRole))
@settings(max_examples=300)
def test_no_conversation_hears_of_the_debt_before_the_identity_is_confirmed(
    answers: list[str | None], role: CollectorRole
) -> None:
    context = replace(CONTEXT, collector_role=role)
    step = engine.begin(SCRIPT, context)
    for heard in answers:
        if not step.progress.verified:
            assert not SCRIPT.guarded_words & set(step.say.split())
        if step.settled is not None:
            break
        step = engine.hear(SCRIPT, step.progress, heard, context)
    if step.settled is not None and DISPOSITIONS[step.settled.disposition].needs_rpc:
        assert step.progress.verified or step.settled.disposition is Disposition.NONE


@given(st.lists(st.sampled_from([None, "", "hello", "what"]), min_size=12, max_size=12))
def test_a_conversation_without_answers_ends(answers: list[str | None]) -> None:
    step = engine.begin(SCRIPT, CONTEXT)
    for heard in answers:
        if step.settled is None:
            step = engine.hear(SCRIPT, step.progress, heard, CONTEXT)
    assert step.settled == Settled(Outcome.ANSWERED_UNVERIFIED, Disposition.NONE)


def test_a_promise_within_the_policy_is_confirmed_and_recorded() -> None:
    steps = talk(*VERIFIED, "i can pay fifty dollars on friday")
    assert "fifty dollars on friday march sixth" in steps[-1].say
    assert ending(*VERIFIED, "i can pay fifty dollars on friday", "yes") == Settled(
        Outcome.RPC, Disposition.PTP, promise_minor=5_000, promise_on=date(2026, 3, 6)
    )


def test_terms_outside_the_policy_are_discussed_then_given_to_a_person() -> None:
    late = "i will pay on the fifteenth"
    assert "monday march ninth" in talk(*VERIFIED, late)[-1].say
    settled = ending(*VERIFIED, late, "on the twentieth")
    assert settled is not None
    assert settled.disposition is Disposition.CALLBACK


def test_more_than_is_owed_is_never_promised() -> None:
    settled = ending(*VERIFIED, "nine hundred dollars tomorrow", "yes")
    assert settled is not None
    assert settled.promise_minor == 25_000


@pytest.mark.parametrize(
    ("said", "disposition"),
    [
        ("i lost my job", Disposition.HARDSHIP), ("i do not owe this", Disposition.DISPUTE),
        ("i already paid this", Disposition.ALREADY_PAID), ("please stop calling me", Disposition.OPT_OUT),
        ("talk to my attorney", Disposition.ATTORNEY), ("i filed for bankruptcy", Disposition.BANKRUPT),
        ("i will never pay", Disposition.REFUSED), ("call me back tomorrow", Disposition.CALLBACK),
        ("i want to speak to a manager", Disposition.CALLBACK),
        ("i will not pay stop calling", Disposition.OPT_OUT),
    ],
)  # fmt: skip
def test_what_the_customer_says_decides_the_disposition(said: str, disposition: Disposition) -> None:
    settled = ending(*VERIFIED, said)
    assert settled is not None
    assert (settled.outcome, settled.disposition) == (Outcome.RPC, disposition)


def test_stop_is_honoured_from_anybody_but_other_words_of_strangers_are_not_the_customers() -> None:
    assert ending("stop calling me") == Settled(Outcome.ANSWERED_UNVERIFIED, Disposition.OPT_OUT)
    assert ending("i am busy") == Settled(Outcome.ANSWERED_UNVERIFIED, Disposition.NONE)
    assert ending("you have the wrong number") == Settled(Outcome.WRONG_PARTY, Disposition.NONE)
    assert ending("he is not home") == Settled(Outcome.THIRD_PARTY, Disposition.NONE)


def test_two_wrong_identities_end_the_call_and_the_third_is_not_asked_for() -> None:
    settled = ending("yes", "one one one one", "two two two two")
    assert settled == Settled(Outcome.ANSWERED_UNVERIFIED, Disposition.NONE)


def test_a_robot_says_that_it_is_one() -> None:
    assert "automated voice" in talk()[0].say
    assert "automated voice" in talk("are you a robot")[-1].say


def test_a_debt_collector_hides_its_name_until_it_may_speak_and_then_says_what_it_is() -> None:
    context = replace(CONTEXT, collector_role=CollectorRole.THIRD_PARTY)
    steps = talk(*VERIFIED, context=context)
    assert "River Bank" not in steps[0].say
    assert "attempt to collect a debt" in steps[-1].say


def test_progress_survives_storage() -> None:
    progress = talk(*VERIFIED, "i will pay fifty dollars on friday")[-1].progress
    assert Progress.from_json(progress.to_json()) == progress


def test_twiml_listens_until_the_last_line_then_hangs_up() -> None:
    steps = talk(*VERIFIED, "i lost my job")
    first = Xml.fromstring(twiml.render(steps[0], action_url="https://x/?a=1&b=<2>", language="en-US"))
    gather = first.find("Gather")
    assert gather is not None
    assert gather.get("action") == "https://x/?a=1&b=<2>"
    assert gather.get("actionOnEmptyResult") == "true"
    last = Xml.fromstring(twiml.render(steps[-1], action_url="https://x/", language="en-US"))
    assert [child.tag for child in last] == ["Say", "Hangup"]


def known_words() -> set[str]:
    lines = (DEMO_MODEL / "graph" / "words.txt").read_text(encoding="utf-8").splitlines()
    return {line.split()[0] for line in lines}


def test_the_script_lists_exactly_the_words_that_the_demo_model_cannot_hear() -> None:
    assert SCRIPT.words() - known_words() == SCRIPT.beyond_demo_model


def source() -> str:
    return (SCRIPTS / "reminder_en_us.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('"yes": identify}', '"yes": disclose}', "before the identity"),
        ("end_silence: {say: i am sorry", "end_silence: {say: your debt i am sorry", "before the identity"),
        ("stop: end_stop", "stop: nowhere", "unknown state nowhere"),
        ("mismatch: identify_again, ", "", "must say where"),
        ("{amount}", "{card_number}", "unknown variable"),
        ("unverified_disposition: opt_out", "unverified_disposition: dispute", "unverified speaker"),
        ("start: greet", "start: [", "ParserError"),
    ],
)
def test_an_unsafe_or_broken_script_is_not_loaded(old: str, new: str, complaint: str) -> None:
    assert old in source()
    with pytest.raises(ScriptError, match=complaint):
        parse_script(source().replace(old, new), source="broken.yaml")
