"""Spoken turns to a two-channel telephone recording, with espeak-ng. Deterministic for the same input.

For the demo town, tests and simulated calls. When not to use: to speak to a customer; carriers do that.
"""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import soxr

from collections_app.domain.errors import NotConfigured
from voice import audio
from voice.audio import Samples

RATE = 8_000
_LOW_HZ, _HIGH_HZ = 300, 3_400
_PEAK = 0.5
_EDGE = 480  # samples kept around speech when the synthesiser's own silence is trimmed
_MU = 255.0


class SynthesiserUnavailable(NotConfigured):
    """espeak-ng is missing or failed; one sentence says what to do."""


@dataclass(frozen=True)
class Voice:
    """An espeak-ng voice: name with variant, words per minute, pitch 0-99."""

    name: str = "en-us"
    speed: int = 155
    pitch: int = 50


@dataclass(frozen=True)
class Line:
    """One turn: who says what, after how long a pause."""

    speaker: str
    text: str
    pause_ms: int = 400


@dataclass(frozen=True)
class Spoken:
    """The recording and when each line was said."""

    samples: Samples
    spans: tuple[tuple[int, int], ...]

    def wav(self) -> bytes:
        """Return a WAV file."""
        return audio.wav(self.samples, RATE)


class Synthesiser:
    """Speaks lines with one voice per speaker over a telephone line of the given noise."""

    def __init__(self, voices: Mapping[str, Voice], *, snr_db: float = 30.0, seed: int = 0) -> None:
        self.voices = dict(voices)
        self.snr_db = snr_db
        self.seed = seed

    def speak(self, lines: Sequence[Line], channel_map: Sequence[str]) -> Spoken:
        """Lay the lines one after another, each on its speaker's channel."""
        spans: list[tuple[int, int]] = []
        pieces: list[tuple[int, int, Samples]] = []
        at = RATE // 4
        for line in lines:
            at += line.pause_ms * RATE // 1000
            sound = utter(line.text, self.voices[line.speaker])
            pieces.append((channel_map.index(line.speaker), at, sound))
            spans.append((at * 1000 // RATE, (at + len(sound)) * 1000 // RATE))
            at += len(sound)
        line_in = np.zeros((at + RATE // 4, len(channel_map)), np.float32)
        for channel, start, sound in pieces:
            line_in[start : start + len(sound), channel] = sound
        rng = np.random.default_rng(self.seed)
        heard = [telephone(line_in[:, c], snr_db=self.snr_db, rng=rng) for c in range(len(channel_map))]
        return Spoken(np.stack(heard, axis=1), tuple(spans))


@lru_cache(maxsize=512)
def utter(text: str, voice: Voice) -> Samples:
    """Speak one line at 8 kHz, trimmed and levelled. Cached: scripts repeat their prompts."""
    program = shutil.which("espeak-ng")
    if program is None:
        raise SynthesiserUnavailable("espeak-ng is not installed; install the package espeak-ng")
    command = [
        program,
        "-v",
        voice.name,
        "-s",
        str(voice.speed),
        "-p",
        str(voice.pitch),
        "-g",
        "0",
        "--stdout",
        "--",
        text,
    ]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 (a list, no shell; text is an argument)
    if done.returncode != 0 or len(done.stdout) < 100:
        raise SynthesiserUnavailable(f"espeak-ng could not speak with voice {voice.name}: {done.stderr[:200]!r}")
    raw, rate = _open_wav(done.stdout)
    sound = soxr.resample(raw, rate, RATE).astype(np.float32)
    loud = np.flatnonzero(np.abs(sound) > 0.002)
    if len(loud):
        sound = sound[max(0, loud[0] - _EDGE) : loud[-1] + _EDGE]
    return np.asarray(sound / (np.abs(sound).max() or 1.0) * _PEAK, np.float32)


def _open_wav(data: bytes) -> tuple[Samples, int]:
    """Read espeak-ng's stream: its header promises more sound than comes, so the header is not believed."""
    rate = int.from_bytes(data[24:28], "little")
    start = data.index(b"data") + 8
    body = data[start : len(data) - (len(data) - start) % 2]
    return (np.frombuffer(body, "<i2") / 32768).astype(np.float32), rate


def telephone(sound: Samples, *, snr_db: float, rng: np.random.Generator) -> Samples:
    """Pass sound through a telephone line: 300-3400 Hz, a little noise, mu-law steps."""
    n = len(sound)
    hertz = np.fft.rfftfreq(n, 1 / RATE)
    band = 1 / np.sqrt(1 + (_LOW_HZ / np.maximum(hertz, 1)) ** 8) / np.sqrt(1 + (hertz / _HIGH_HZ) ** 24)
    passed = np.fft.irfft(np.fft.rfft(sound) * band, n)
    spoken = np.abs(sound) > 0.002
    level = float(np.sqrt(np.mean(passed[spoken] ** 2))) if spoken.any() else 0.05
    passed = passed + rng.normal(0, level * 10 ** (-snr_db / 20), n)
    return mu_law(np.clip(passed, -1, 1).astype(np.float32))


def mu_law(sound: Samples) -> Samples:
    """Round to the 256 steps of mu-law telephony and back."""
    packed = np.sign(sound) * np.log1p(_MU * np.abs(sound)) / np.log1p(_MU)
    steps = np.rint((packed + 1) * 127.5) / 127.5 - 1
    return np.asarray(np.sign(steps) * np.expm1(np.abs(steps) * np.log1p(_MU)) / _MU, np.float32)
