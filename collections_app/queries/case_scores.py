"""What the models say of one case: the newest score for each question, with reasons in two voices.

Shadow scores decide nothing and are never among them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.tables import Account, ModelVersion, Score, ScoreRun

RISK = "risk"


_REACHED = {"bad_30d": 31, "rolled_m2": 31, "rolled_m3": 61}
"""Events that are over once an account is so many days past due."""


def reached(event: str, dpd: int) -> int | None:
    """Return the DPD at which the event is over if an account at ``dpd`` is there already: no chance is told then."""
    at = _REACHED.get(event)
    return at if at is not None and dpd >= at else None


@dataclass(frozen=True)
class ScoreReason:
    """Why a score is what it is: for staff, and as an agent may say it ("" = nothing may be said of it)."""

    staff: str
    sayable: str


@dataclass(frozen=True)
class CaseScore:
    """One answer of a model. Higher is always better for the lender; ``p_event`` is the chance of the event.

    ``dpd``: the account's, as it stands now.
    ``is_fallback``: the vendor's answer was not there, and a model that needs none of it spoke.
    ``details`` holds what one number cannot: the chance by hour, the share and amount of a recovery.
    """

    purpose: str
    account_ref: str
    currency: str
    dpd: int
    score: int
    band: str
    p_event: float
    event: str
    horizon_days: int
    model: str
    version: str
    as_of: date
    is_fallback: bool
    reasons: tuple[ScoreReason, ...]
    details: Mapping[str, Any]


def case_scores(session: Session, case_id: int) -> tuple[CaseScore, ...]:
    """Return the scores of each purpose's newest day, the risk first.

    Of the risk the later word holds, as on the worklist; other questions may be answered account by account.
    """
    place = (
        sa.func.row_number()
        .over(
            partition_by=(Score.purpose, sa.case((Score.purpose == RISK, 0), else_=Score.account_id)),
            order_by=(Score.business_date.desc(), Score.id.desc()),
        )
        .label("place")
    )
    newest = sa.func.max(Score.business_date).over(partition_by=Score.purpose).label("newest")
    ranked = sa.select(Score.id, place, newest).where(Score.case_id == case_id, Score.is_shadow.is_(False)).subquery()
    card = ModelVersion.card
    rows = session.execute(
        sa.select(
            Score, Account.account_ref, Account.currency, Account.dpd, ModelVersion.name, ModelVersion.version,
            card["reasons"].label("staff"), card["sayable"].label("sayable"),
        )
        .join(ranked, ranked.c.id == Score.id)
        .join(Account, Account.id == Score.account_id)
        .join(ScoreRun, ScoreRun.id == Score.score_run_id)
        .join(ModelVersion, ModelVersion.id == ScoreRun.model_version_id)
        .where(ranked.c.place == 1, Score.business_date == ranked.c.newest)
        .order_by(Score.purpose != RISK, Score.purpose, Account.account_ref)
    )  # fmt: skip
    return tuple(
        CaseScore(
            purpose=s.purpose, account_ref=account_ref, currency=currency, dpd=dpd, score=s.score, band=s.band,
            p_event=s.p_event,
            event=s.event_name, horizon_days=s.horizon_days, model=name, version=version,
            as_of=s.business_date, is_fallback=s.is_fallback, details=s.details or {},
            reasons=tuple(_reason(code, staff or {}, sayable or {}) for code in s.reason_codes),
        )
        for s, account_ref, currency, dpd, name, version, staff, sayable in rows
    )  # fmt: skip


def _reason(code: str, staff: Mapping[str, str], sayable: Mapping[str, str]) -> ScoreReason:
    return ScoreReason(staff.get(code, code), sayable.get(code, ""))
