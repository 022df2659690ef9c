"""Vosk: the only file that knows the library.

Traps handled here: one recogniser per channel (they are not thread-safe), the true sample rate, mono
16-bit PCM, and word times (the first word of a segment may swallow the silence before it).
"""

import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import vosk

from voice import audio as sound
from voice.audio import Audio
from voice.recognition.base import RecogniserUnavailable
from voice.transcript import Transcript, Utterance, Word, merge

DEMO_MODEL = Path(__file__).parent / "demo_model"

_PAUSE_MS = 800
# No English word of a call lasts longer; a longer one has swallowed the silence before it.
_LONGEST_WORD_MS = 1_000
_TYPICAL_WORD_MS = 350
_CHUNK_SECONDS = 0.5
_UNKNOWN = "[unk]"


def check_model_directory(directory: Path) -> None:
    """Raise RecogniserUnavailable unless this looks like a Vosk model: the library itself would abort."""
    site = "https://alphacephei.com/vosk/models"
    advice = f"set VOSK_MODEL to an unpacked Vosk model directory ({site}), not {directory}"
    if not directory.is_dir():
        raise RecogniserUnavailable(f"there is no Vosk model: {advice}")
    # Two layouts exist: am/, conf/, graph/ (current) and everything flat (the oldest small models).
    if not any((directory / name).is_file() for name in ("am/final.mdl", "final.mdl")):
        raise RecogniserUnavailable(f"the Vosk model is incomplete (no final.mdl): {advice}")
    graphs = [directory / folder / name for folder in ("graph", ".") for name in ("HCLG.fst", "HCLr.fst")]
    if not any(path.is_file() for path in graphs):
        raise RecogniserUnavailable(f"the Vosk model is incomplete (no graph): {advice}")


class VoskRecogniser:
    """Recognises each channel by itself with one loaded model."""

    engine = "vosk"

    def __init__(self, directory: Path = DEMO_MODEL) -> None:
        check_model_directory(directory)
        vosk.SetLogLevel(-1)
        try:
            self._model = vosk.Model(str(directory))
        except Exception as error:  # the binding raises a bare Exception
            raise RecogniserUnavailable(f"the Vosk model in {directory} cannot be loaded; download it again") from error
        self.model_version = directory.resolve().name

    def transcribe(self, audio: Audio, speakers: Sequence[str]) -> Transcript:
        """Return the words of each channel; silent channels give none."""
        if len(speakers) != audio.channels:
            raise ValueError(f"{audio.channels} channels but {len(speakers)} speakers")
        # The library works outside the interpreter's lock: the channels of a call are heard side by side.
        with ThreadPoolExecutor(max_workers=len(speakers)) as pool:
            heard = pool.map(lambda i: self._channel(audio.channel(i), audio.rate, speakers[i]), range(len(speakers)))
            return merge(list(heard))

    def plain_text(self, audio: Audio) -> str:
        """Return what the library alone hears on the first channel: the yardstick for this pipeline."""
        segments = self._stretch(audio.channel(0), audio.rate, offset_ms=0)
        return " ".join(word.text for segment in segments for word in segment if word.text != _UNKNOWN)

    def _channel(self, samples: sound.Samples, rate: int, speaker: str) -> list[Utterance]:
        segments: list[list[Word]] = []
        for start, end in sound.active_stretches(samples, rate):
            segments += self._stretch(samples[start:end], rate, offset_ms=round(1000 * start / rate))
        return list(group(segments, speaker))

    def _stretch(self, samples: sound.Samples, rate: int, *, offset_ms: int) -> list[list[Word]]:
        recogniser = vosk.KaldiRecognizer(self._model, float(rate))
        recogniser.SetWords(True)
        step = int(rate * _CHUNK_SECONDS)
        segments = []
        for start in range(0, len(samples), step):
            if recogniser.AcceptWaveform(sound.pcm16(samples[start : start + step])):
                segments.append(_words(json.loads(recogniser.Result()), offset_ms))
        return [*segments, _words(json.loads(recogniser.FinalResult()), offset_ms)]


def _words(result: dict[str, Any], offset_ms: int) -> list[Word]:
    words = []
    for heard in result.get("result", []):
        start, end = (offset_ms + round(1000 * heard[edge]) for edge in ("start", "end"))
        if end - start > _LONGEST_WORD_MS:
            start = end - _TYPICAL_WORD_MS
        words.append(Word(heard["word"], start, end, float(heard.get("conf", 1.0))))
    return words


def group(segments: Iterable[Sequence[Word]], speaker: str) -> Iterable[Utterance]:
    """Cut the words of one channel into utterances at pauses of 0.8 s or more."""
    current: list[Word] = []
    for word in (w for segment in segments for w in segment if w.text != _UNKNOWN):
        if current and word.start_ms - current[-1].end_ms >= _PAUSE_MS:
            yield Utterance(speaker, tuple(current))
            current = []
        current.append(word)
    if current:
        yield Utterance(speaker, tuple(current))
