import numpy as np
import pytest

from voice import audio
from voice.audio import AudioError

RATE = 8_000


def tone(seconds: float = 1.0, level: float = 0.3) -> audio.Samples:
    t = np.arange(int(RATE * seconds)) / RATE
    return np.asarray(level * np.sin(2 * np.pi * 440 * t), np.float32)


def wav(*channels: audio.Samples, rate: int = RATE) -> bytes:
    return audio.wav(np.stack(channels, axis=1), rate)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "empty"),
        (b"ID3 this is an mp3 file pretending" * 3, "not a WAV"),
        (wav(tone())[:-100], "truncated"),
        (wav(tone())[:30], "not a WAV"),
        (wav(np.zeros(0, np.float32)), "no sound"),
        (wav(np.zeros(RATE, np.float32)), "silent"),
        (wav(tone(), rate=4_000), "4000 Hz"),
        (wav(tone()), "channel map names 2"),
    ],
)
def test_audio_that_cannot_be_a_call_is_refused_with_its_reason(data: bytes, complaint: str) -> None:
    with pytest.raises(AudioError, match=complaint):
        audio.read(data, channels=2 if "map" in complaint else None)


def test_one_silent_or_clipped_channel_is_a_warning() -> None:
    read = audio.read(wav(np.zeros(RATE, np.float32), np.sign(tone())))
    assert read.warnings == ("channel 0 is silent", "channel 1 is clipped")
    assert (read.channels, read.duration_ms) == (2, 1000)


def test_peaks_show_where_the_sound_is() -> None:
    picture = audio.peaks(np.concatenate([np.zeros(RATE, np.float32), tone(level=0.5)]), points=10)
    assert picture == [0, 0, 0, 0, 0, 50, 50, 50, 50, 50]


def test_long_quiet_is_left_out_and_short_quiet_is_kept() -> None:
    rng = np.random.default_rng(1)
    quiet = np.zeros(3 * RATE, np.float32)
    line = np.concatenate([tone(), quiet[: RATE // 2], tone(), quiet, tone(), quiet])
    line = (line + rng.normal(0, 0.001, len(line))).astype(np.float32)
    stretches = [(s / RATE, e / RATE) for s, e in audio.active_stretches(line, RATE)]
    assert stretches == [pytest.approx((0, 2.8), abs=0.05), pytest.approx((5.2, 6.8), abs=0.05)]
