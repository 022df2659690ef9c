"""The review room: the sound as a picture, the flags on it, the words under it."""

from collections.abc import Sequence
from dataclasses import dataclass

from collections_app.domain.quality import Stream, Verdict
from collections_app.queries.reviews import (
    FlaggedRecording,
    FoundBreach,
    GivenReview,
    ReviewPage,
    ReviewState,
    SpokenUtterance,
)
from voice.qa.checklist import load_checklist

# The picture's own units; the page scales it.
WIDTH, LANE = 1000, 100


@dataclass(frozen=True)
class Lane:
    """One speaker's line: its name, where it lies, and the outline of the sound as an SVG path."""

    speaker: str
    top: int
    path: str


@dataclass(frozen=True)
class Flag:
    """A suspected breach with its place in the picture and what the checklist asks."""

    number: int
    finding: FoundBreach
    title: str
    why: str
    x: float
    width: float
    mine: GivenReview | None


@dataclass(frozen=True)
class VerdictKey:
    """A verdict with the key that gives it and what it means here."""

    code: Verdict
    key: str
    label: str
    meaning: str


_ON_FINDING = (
    VerdictKey(Verdict.CONFIRMED, "1", "Breach", "It happened as the checklist says."),
    VerdictKey(Verdict.DISMISSED, "2", "No breach", "It was not said, or it was in order."),
    VerdictKey(Verdict.UNCLEAR, "3", "Unclear", "The sound or the rule does not let me decide."),
)
_ON_CALL = (
    VerdictKey(Verdict.CONFIRMED, "1", "A breach was missed", "I heard a breach that was not flagged."),
    VerdictKey(Verdict.DISMISSED, "2", "Nothing wrong", "I heard the whole call and found no breach."),
    VerdictKey(Verdict.UNCLEAR, "3", "Unclear", "The sound does not let me decide."),
)


@dataclass(frozen=True)
class RecordingsPage:
    """recordings/index.html."""

    state: ReviewState
    recordings: tuple[FlaggedRecording, ...]


@dataclass(frozen=True)
class RecordingPage:
    """recordings/show.html."""

    call: ReviewPage
    lanes: tuple[Lane, ...]
    flags: tuple[Flag, ...]
    utterances: tuple[SpokenUtterance, ...]
    verdicts: tuple[VerdictKey, ...]
    is_audit: bool
    call_review: GivenReview | None
    next_id: int | None
    error: str
    error_on: int
    comment: str

    @property
    def height(self) -> int:
        """Return the height of the picture in its own units."""
        return LANE * len(self.lanes)

    @property
    def waiting(self) -> int:
        """Return how many verdicts of this reviewer are still open."""
        on_call = int(self.is_audit and self.call_review is None)
        return on_call + sum(flag.mine is None for flag in self.flags)


def recording_page(
    call: ReviewPage,
    *,
    reviewer_name: str,
    next_id: int | None,
    error: str = "",
    error_on: int = 0,
    comment: str = "",
) -> RecordingPage:
    """Arrange a recording for the review room."""
    is_audit = call.stream == Stream.RANDOM
    return RecordingPage(
        call=call,
        lanes=_lanes(call),
        flags=tuple(_flag(i, f, call.duration_ms, reviewer_name) for i, f in enumerate(call.findings, 1)),
        utterances=call.utterances,
        verdicts=_ON_CALL if is_audit else _ON_FINDING,
        is_audit=is_audit,
        call_review=_mine(call.call_reviews, reviewer_name),
        next_id=next_id,
        error=error,
        error_on=error_on,
        comment=comment,
    )


def _lanes(call: ReviewPage) -> tuple[Lane, ...]:
    # Who works for us above, the customer below, however the recorder laid the channels.
    heard = sorted((s for s in call.channel_map if s in call.peaks), key=lambda s: s == "customer")
    return tuple(Lane(s, i * LANE, _outline(call.peaks[s])) for i, s in enumerate(heard))


def _flag(number: int, finding: FoundBreach, duration_ms: int, reviewer_name: str) -> Flag:
    scale = WIDTH / max(duration_ms, 1)
    width = max(6.0, (finding.end_ms - finding.start_ms) * scale)
    rule = next((r for r in load_checklist().rules if r.id == finding.rule_id), None)
    return Flag(
        number=number,
        finding=finding,
        title=rule.title if rule else finding.rule_id.replace("_", " "),
        why=rule.why if rule else "",
        x=round(min(finding.start_ms * scale, WIDTH - width), 1),
        width=round(width, 1),
        mine=_mine(finding.reviews, reviewer_name),
    )


def _mine(given: Sequence[GivenReview], reviewer_name: str) -> GivenReview | None:
    return next((r for r in given if r.reviewer_name == reviewer_name), None)


def _outline(peaks: Sequence[int]) -> str:
    """Return one upright stroke per peak, mirrored about the middle of the lane."""
    step = WIDTH / max(len(peaks), 1)
    middle = LANE / 2
    strokes = []
    for i, peak in enumerate(peaks):
        half = max(1.0, peak * (LANE - 8) / 200)
        strokes.append(f"M{(i + 0.5) * step:.1f} {middle - half:.1f}V{middle + half:.1f}")
    return "".join(strokes)
