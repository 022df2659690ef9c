"""What the models say of a case, in words for the person who works it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from collections_app.queries.case_scores import RISK, CaseScore, ScoreReason
from collections_app.web.models.words import chance, of_hundred, purpose_of

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
        risk=_risk(risk, accounts) if risk else None, others=tuple(_other(s) for s in scores if s.purpose != RISK)
    )


def _risk(score: CaseScore, accounts: int) -> RiskNote:
    return RiskNote(
        score=score.score,
        band=score.band,
        tone=_BAD_BANDS.get(score.band, "plain"),
        sentence=f"{chance(score.p_event, score.event, score.horizon_days)}.",
        held=_held(score),
        model=score.model,
        version=score.version,
        as_of=score.as_of,
        account=score.account_ref if accounts > 1 else "",
        is_fallback=score.is_fallback,
        reasons=score.reasons,
        sayable=tuple(dict.fromkeys(r.sayable for r in score.reasons if r.sayable)),
    )


def _held(score: CaseScore) -> str:
    """Say that the band is kept for some days although the model says another one by now."""
    said = score.details.get("said")
    return f"The score alone says {said}; the band moves slowly on purpose." if said and said != score.band else ""


def _other(score: CaseScore) -> OtherNote:
    answer, meaning = _answer(score)
    return OtherNote(
        title=purpose_of(score.purpose).title,
        answer=answer,
        meaning=meaning,
        model=score.model,
        version=score.version,
        as_of=score.as_of,
        is_fallback=score.is_fallback,
    )


def _answer(score: CaseScore) -> tuple[str, str]:
    """Return what a model answers, and what that means: hours, a share, a difference, else a chance."""
    told = list(_slots(score))
    share, uplift = (score.details.get(key) for key in ("expected_share", "uplift_worked"))
    if told:
        return ", ".join(told[:2]), "of calls at this hour, how many are answered"
    if isinstance(share, int | float):
        return f"{share:.0%} of what is owed", f"expected within {score.horizon_days} days, mean over such accounts"
    if isinstance(uplift, int | float):
        return f"{uplift:+.0%} by being worked", f"change of the chance to pay within {score.horizon_days} days"
    meaning = chance(score.p_event, score.event, score.horizon_days)
    return f"{of_hundred(score.p_event)} of 100", meaning


def _slots(score: CaseScore) -> Iterator[str]:
    """Yield the best hours first, where the model tells hours."""
    slots = score.details.get("slots") or ()
    for slot in sorted(slots, key=lambda s: -float(s.get("p", 0.0))):
        yield f"{slot.get('label') or slot.get('slot')} ({of_hundred(float(slot.get('p', 0.0))).lower()} of 100)"
