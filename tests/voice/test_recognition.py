import json
from pathlib import Path

import numpy as np
import pytest

from collections_app.domain.errors import InvalidInput, NotFound
from collections_app.town.calls import CHANNEL_MAP, planted_calls, render
from voice import audio
from voice.evaluate import WordErrors, detection, read_test_set, total_word_errors, word_errors
from voice.qa.checklist import load_checklist
from voice.qa.checks import CallContext, check
from voice.recognition.base import RecogniserUnavailable
from voice.recognition.fixture import FixtureRecogniser
from voice.recognition.vosk import VoskRecogniser, check_model_directory, group
from voice.synthesis import Line, Synthesiser, Voice
from voice.transcript import Utterance, Word, plain_words

pytestmark = pytest.mark.speech


@pytest.fixture(scope="module")
def vosk() -> VoskRecogniser:
    return VoskRecogniser()


def test_each_channel_is_heard_by_itself_at_its_true_rate_with_times(vosk: VoskRecogniser) -> None:
    lines = [Line("agent", "this call is being recorded"), Line("customer", "please stop calling me")]
    spoken = Synthesiser({"agent": Voice("en-us"), "customer": Voice("en-gb")}).speak(lines, CHANNEL_MAP)
    transcript = vosk.transcribe(audio.read(spoken.wav()), CHANNEL_MAP)
    assert [(u.speaker, u.text) for u in transcript.utterances] == [(line.speaker, line.text) for line in lines]
    for utterance, (start, end) in zip(transcript.utterances, spoken.spans, strict=True):
        assert utterance.start_ms == pytest.approx(start, abs=250)
        assert utterance.end_ms == pytest.approx(end, abs=250)


def test_planted_breaches_are_found_in_their_turn_by_real_recognition(vosk: VoskRecogniser) -> None:
    calls = planted_calls(1, 8)
    truth, found = [], []
    for call in calls:
        transcript = vosk.transcribe(audio.read(render(call, seed=1), channels=2), CHANNEL_MAP)
        truth.append({b.rule_id for b in call.breaches})
        found.append({s.rule_id for s in check(transcript, CallContext(call.collector_role), load_checklist())})
    assert detection(truth, found).recall >= 0.75
    assert detection(truth, found).precision >= 0.75


def test_a_recording_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    call = planted_calls(1, 1)[0]
    assert render(call, seed=1) == render(call, seed=1) != render(call, seed=2)


def test_an_unusable_model_directory_is_named_with_what_to_do(tmp_path: Path) -> None:
    for directory in (tmp_path / "missing", tmp_path):
        with pytest.raises(RecogniserUnavailable, match="set VOSK_MODEL to"):
            check_model_directory(directory)


def test_words_are_cut_into_utterances_at_long_pauses_and_unknown_words_are_dropped() -> None:
    words = [
        Word("a", 0, 100, 1),
        Word("[unk]", 100, 200, 1),
        Word("b", 700, 800, 1),
        Word("c", 1600, 1700, 1),
    ]
    assert [u.text for u in group([words], "agent")] == ["a b", "c"]


def test_the_fixture_recogniser_knows_a_recording_by_its_sound(tmp_path: Path) -> None:
    tone = np.sin(np.arange(8_000) / 5, dtype=np.float32)[:, None] * 0.5
    data = audio.wav(tone, 8_000)
    (tmp_path / "one.wav").write_bytes(data)
    said = Utterance("agent", plain_words("hello"))
    (tmp_path / "one.json").write_text(json.dumps({"utterances": [said.to_json()]}))
    recogniser = FixtureRecogniser(tmp_path)
    assert recogniser.transcribe(audio.read(data), ["agent"]).utterances == (said,)
    with pytest.raises(NotFound):
        recogniser.transcribe(audio.read(audio.wav(tone / 2, 8_000)), ["agent"])


def test_word_errors_count_the_shortest_way() -> None:
    assert word_errors("a b c d", "a x c") == WordErrors(2, 4)
    assert word_errors("", "a") + word_errors("a", "") == WordErrors(2, 1)


def test_a_test_set_must_be_whole(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"no transcripts\.tsv"):
        list(read_test_set(tmp_path))
    (tmp_path / "transcripts.tsv").write_text("file\ttext\nlost.wav\thello\n")
    with pytest.raises(InvalidInput, match=r"line 2: there is no lost\.wav"):
        list(read_test_set(tmp_path))


@pytest.mark.real_data
def test_our_pipeline_is_not_worse_than_plain_vosk_on_held_out_speech(shared: Path, vosk: VoskRecogniser) -> None:
    spoken = list(read_test_set(shared / "voice" / "testset"))
    ours = total_word_errors(spoken, lambda a: vosk.transcribe(a, ["speaker"]).text)
    plain = total_word_errors(spoken, vosk.plain_text)
    assert ours.rate <= plain.rate
    assert ours.rate < 0.11
