"""What the models say of a case, in words for the person who works it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from collections_app.domain.money import Money
from collections_app.queries.case_scores import RISK, CaseScore, ScoreReason, reached
from collections_app.web.formatting import amount
from collections_app.web.models.words import chance, of_hundred, purpose_of

_BY_ACCOUNT = "recovery"
_SHOWN_HOURS = 2
_BAD_BANDS = {"S5": "bad", "S4": "care", "S1": "good"}


@dataclass(frozen=True)
class RiskNote:
    """The score that decides: its band, its chance in words, what stands behind it and what may be said."""

    score: int
    band: str
    tone: str
    sentence: str
    held: str
    model: str
    version: str
    as_of: date
    account: str
    is_fallback: bool
    reasons: tuple[ScoreReason, ...]
    sayable: tuple[str, ...]


@dataclass(frozen=True)
class OtherNote:
    """Another question that a model answers about this case."""

    title: str
    answer: str
    meaning: str
    model: str
    version: str
    as_of: date
    is_fallback: bool


@dataclass(frozen=True)
class ScoreSection:
    """cases/_scores.html. ``risk`` is None where no champion has scored the case."""

    risk: RiskNote | None
    others: tuple[OtherNote, ...]


def score_section(scores: Sequence[CaseScore], *, accounts: int) -> ScoreSection:
    """Arrange the scores of a case; the account is named where the customer has several."""
    risk = next((s for s in scores if s.purpose == RISK), None)
    return ScoreSection(
        risk=_risk(risk, accounts) if risk else None,
        others=tuple(_other(s, accounts) for s in scores if s.purpose != RISK),
    )


def _risk(score: CaseScore, accounts: int) -> RiskNote:
    return RiskNote(
        score=score.score,
        band=score.band,
        tone=_BAD_BANDS.get(score.band, "plain"),
        sentence=_said(score),
        held=_held(score),
        model=score.model,
        version=score.version,
        as_of=score.as_of,
        account=score.account_ref if accounts > 1 else "",
        is_fallback=score.is_fallback,
        reasons=score.reasons,
        sayable=tuple(dict.fromkeys(r.sayable for r in score.reasons if r.sayable)),
    )


def _said(score: CaseScore) -> str:
    """Say the chance, unless what the model expects has happened to this account already."""
    at = reached(score.event, score.dpd)
    if at is not None:
        return (
            f"This model expects who reaches {at} days past due, and this account is at {score.dpd}: "
            "the score orders it among others, it tells no chance."
        )
    return f"{chance(score.p_event, score.event, score.horizon_days)}."


def _held(score: CaseScore) -> str:
    """Say that the band is kept for some days although the model says another one by now."""
    said = score.details.get("said")
    return f"The score alone says {said}; the band moves slowly on purpose." if said and said != score.band else ""


def _other(score: CaseScore, accounts: int) -> OtherNote:
    answer, meaning = _answer(score)
    title = purpose_of(score.purpose).title
    return OtherNote(
        title=f"{title}, account {score.account_ref}" if accounts > 1 and score.purpose == _BY_ACCOUNT else title,
        answer=answer,
        meaning=meaning,
        model=score.model,
        version=score.version,
        as_of=score.as_of,
        is_fallback=score.is_fallback,
    )


def _answer(score: CaseScore) -> tuple[str, str]:
    """Return what a model answers, and what that means: hours, an amount, a difference, else a chance."""
    told = score.details
    if hours := told.get("hours"):
        return ", ".join(
            _best_hours(hours)
        ), "of a hundred calls begun then at the customer's place, how many are answered"
    if "expected_amount" in told:
        expected = Money(int(told["expected_amount"]), score.currency)
        said = f"{amount(expected)} {score.currency} ({told['share']:.0%})"
        return said, f"of what is overdue, expected within {score.horizon_days} days: the mean over such accounts"
    if "uplift_worked" in told:
        return f"{told['uplift_worked']:+.0%} by work", f"change of the chance to pay within {score.horizon_days} days"
    made = f"; made {told['made_on']}" if "made_on" in told else ""
    return f"{of_hundred(score.p_event)} of 100", chance(score.p_event, score.event, score.horizon_days) + made


def _best_hours(hours: Mapping[str, float]) -> Iterator[str]:
    """Yield the two parts of the day at which an answer is likeliest."""
    starts = sorted(int(hour) for hour in hours)
    ends = dict(pairwise(starts))
    for hour in sorted(starts, key=lambda h: -hours[str(h)])[:_SHOWN_HOURS]:
        part = f"{hour}:00 to {ends[hour]}:00" if hour in ends else f"from {hour}:00"
        yield f"{part} ({hours[str(hour)] * 100:.0f} of 100)"
