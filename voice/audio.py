"""Call audio: read it, refuse what cannot be a call, split its channels, draw its peaks."""

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import soundfile

from collections_app.domain.errors import InvalidInput

Samples = npt.NDArray[np.float32]

_LOWEST_RATE, _HIGHEST_RATE = 8_000, 48_000
_SILENCE = 10 ** (-55 / 20)  # a line this quiet carries no speech that a recogniser could find
_CLIPPED_SHARE = 0.02
_LONGEST_SECONDS = 4 * 3600
PEAK_POINTS = 400
_FRAME_SECONDS = 0.02
_MERGE_FRAMES = 50
_EDGE_FRAMES = 15


class AudioError(InvalidInput):
    """Audio that cannot be used, with one sentence that says why."""


@dataclass(frozen=True)
class Audio:
    """Decoded sound: ``samples`` is (frames, channels) in -1..1; ``warnings`` name what is poor."""

    samples: Samples
    rate: int
    warnings: tuple[str, ...] = ()

    @property
    def channels(self) -> int:
        """Return the number of channels."""
        return int(self.samples.shape[1])

    @property
    def duration_ms(self) -> int:
        """Return the length."""
        return round(1000 * self.samples.shape[0] / self.rate)

    def channel(self, index: int) -> Samples:
        """Return one channel alone."""
        return np.ascontiguousarray(self.samples[:, index])


def read(data: bytes, *, channels: int | None = None) -> Audio:
    """Decode a WAV file and check it; raise AudioError for what no recogniser should be given."""
    if not data:
        raise AudioError("the file is empty")
    _check_header(data)
    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise AudioError(f"not a readable WAV file: {error.error_string}") from None
    if samples.shape[0] == 0:
        raise AudioError("the file has a header but no sound")
    if not _LOWEST_RATE <= rate <= _HIGHEST_RATE:
        raise AudioError(f"sample rate {rate} Hz is outside {_LOWEST_RATE}-{_HIGHEST_RATE} Hz")
    if samples.shape[0] > _LONGEST_SECONDS * rate:
        raise AudioError("longer than four hours")
    if channels is not None and samples.shape[1] != channels:
        raise AudioError(f"has {samples.shape[1]} channel(s), the channel map names {channels}")
    if not np.isfinite(samples).all():
        raise AudioError("contains samples that are not numbers")
    return Audio(samples, rate, _warnings(samples))


def _check_header(data: bytes) -> None:
    """Refuse a WAV whose data chunk promises more bytes than there are: a download that broke off."""
    if len(data) < 44 or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise AudioError("not a WAV file")
    position = 12
    while position + 8 <= len(data):
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        if data[position : position + 4] == b"data":
            # Streaming writers leave the size open (all ones); that is unknown, not truncated.
            if size != 0xFFFFFFFF and position + 8 + size > len(data):
                raise AudioError(
                    f"truncated: the header promises {size} bytes of sound, {len(data) - position - 8} came"
                )
            return
        position += 8 + size + size % 2
    raise AudioError("a WAV file without sound (no data chunk)")


def _warnings(samples: Samples) -> tuple[str, ...]:
    found = []
    for index in range(samples.shape[1]):
        level = np.abs(samples[:, index])
        if float(np.sqrt(np.mean(level**2))) < _SILENCE:
            found.append(f"channel {index} is silent")
        elif float(np.mean(level > 0.999)) > _CLIPPED_SHARE:
            found.append(f"channel {index} is clipped")
    if len(found) == samples.shape[1] and all(w.endswith("silent") for w in found):
        raise AudioError("every channel is silent")
    return tuple(found)


def active_stretches(samples: Samples, rate: int) -> list[tuple[int, int]]:
    """Return (start, end) sample positions where something may be said; only long quiet is left out.

    One channel of a conversation is silent half of the time, and recognition of silence costs as much as
    of speech. Quiet = within 6 dB of the line's own noise for more than a second; generous edges are kept.
    """
    frame = max(1, int(rate * _FRAME_SECONDS))
    count = len(samples) // frame
    if count < _MERGE_FRAMES:
        return [(0, len(samples))] if len(samples) else []
    energy = np.mean(samples[: count * frame].reshape(count, frame) ** 2, axis=1)
    noise = max(float(np.percentile(energy, 10)), _SILENCE**2 / 4)
    loud = np.flatnonzero(energy > 4 * noise)
    stretches: list[tuple[int, int]] = []
    for index in loud.tolist():
        start = max(0, index - _EDGE_FRAMES) * frame
        end = min((index + 1 + _EDGE_FRAMES) * frame, len(samples))
        if stretches and start - stretches[-1][1] < (_MERGE_FRAMES - 2 * _EDGE_FRAMES) * frame:
            stretches[-1] = (stretches[-1][0], end)
        else:
            stretches.append((start, end))
    return stretches


def pcm16(samples: Samples) -> bytes:
    """Return 16-bit little-endian PCM, the form that recognisers want."""
    scaled = np.rint(np.clip(samples, -1.0, 1.0) * 32767)
    return scaled.astype("<i2").tobytes()


def wav(samples: Samples, rate: int) -> bytes:
    """Encode (frames, channels) as a 16-bit WAV file."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def peaks(samples: Samples, points: int = PEAK_POINTS) -> list[int]:
    """Return the loudest moment of each of ``points`` stretches, 0..100: the picture of the sound."""
    edges = np.linspace(0, len(samples), min(points, len(samples)) + 1).astype(np.int64)
    loudest = np.maximum.reduceat(np.abs(samples), edges[:-1])
    return [int(v) for v in np.rint(np.minimum(loudest, 1.0) * 100)]
