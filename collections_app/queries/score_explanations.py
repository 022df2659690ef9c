"""A case's score laid open on request: the features of its day, and what each did to it.

The features are built anew from history as it was known on the score's day, by the road that scored it; exact
contributions take milliseconds for one case and minutes for a book, so they are made only when asked for.
"""

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.tables import Account, ModelVersion, Score, ScoreRun
from collections_app.domain.errors import NotConfigured, NotFound
from collections_app.queries.case_scores import reached
from collections_app.queries.feature_frames import raw_frames
from models.explain import Part, explain
from models.features import build_features
from models.registry import BundleError, ModelStore


@dataclass(frozen=True)
class ScoreExplanation:
    """A stored score, and its parts in points. ``base`` is what it would be if no feature said anything.

    ``difference``: points of the score built anew less the stored one: its rounding, or facts that reached us later.
    ``dpd``: days past due on that day. ``reached``: the DPD at which the event is over, if the account was there by
    then: ``p_event`` orders it among others and is no chance.
    """

    case_id: int
    account_ref: str
    as_of: date
    model: str
    version: str
    event_name: str
    p_event: float
    score: int
    band: str
    base: float
    is_fallback: bool
    difference: float
    dpd: int | None
    reached: int | None
    parts: tuple[Part, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {**asdict(self), "as_of": self.as_of.isoformat()}


def explain_score(session: Session, models: ModelStore, case_id: int) -> ScoreExplanation:
    """Explain the newest deciding score of a case; raise NotFound when it has none, NotConfigured without its model."""
    found = session.execute(
        sa.select(Score, ModelVersion, Account.account_ref)
        .join(ScoreRun, ScoreRun.id == Score.score_run_id)
        .join(ModelVersion, ModelVersion.id == ScoreRun.model_version_id)
        .join(Account, Account.id == Score.account_id)
        .where(Score.case_id == case_id, Score.purpose == "risk", ~Score.is_shadow)
        .order_by(Score.business_date.desc(), Score.id.desc())
        .limit(1)
    ).one_or_none()
    if found is None:
        raise NotFound(f"case {case_id} has no score")
    score, model, account_ref = found
    frames = raw_frames(session, account_ids=[score.account_id], as_of=score.business_date)
    features = build_features(frames, score.business_date)
    try:
        told = explain(models.load(model.bundle_key), features)
    except (BundleError, ValueError) as error:
        raise NotConfigured(f"{model.name} {model.version}: {error}", code="model_unfit") from None
    days = features["dpd"][0]
    dpd = None if days is None else int(days)
    return ScoreExplanation(
        case_id=case_id, account_ref=account_ref, as_of=score.business_date, model=model.name, version=model.version,
        event_name=score.event_name, p_event=score.p_event, score=score.score, band=score.band, base=told.base,
        is_fallback=told.is_fallback, difference=round(told.points - score.score, 3), dpd=dpd,
        reached=None if dpd is None else reached(score.event_name, dpd), parts=told.parts,
    )  # fmt: skip
