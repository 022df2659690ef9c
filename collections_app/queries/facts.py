"""Tables to facts: the frame that strategies decide on, one row per open case, a few set-based reads."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import bulk
from collections_app.db.tables import (
    Account,
    Case,
    ContactAttempt,
    ContactPoint,
    Customer,
    Episode,
    Hold,
    ModelVersion,
    OptOut,
    PaymentPlan,
    Promise,
    Score,
    ScoreRun,
    StopFlag,
)
from collections_app.domain.contact import AttemptStatus, PointKind
from collections_app.domain.model_stages import Stage
from collections_app.domain.multi_lending import HitStatus, KeyType
from collections_app.domain.outcomes import Disposition, Outcome
from collections_app.domain.plans import PlanStatus
from collections_app.domain.promises import PromiseStatus
from collections_app.queries.signals import answers_as_of, hits_as_of, newest_answers
from strategies.book import FACTS
from strategies.experiments import arms

_I, _S = pl.Int64, pl.String
_RISK = "risk"


def case_facts(session: Session, *, as_of: date, now: datetime, salt: str, shares: dict[str, float]) -> pl.DataFrame:
    """Return CaseFacts columns plus ``propensity`` for every open case, sorted by case."""
    frame = _cases(session, as_of)
    for part in (
        _worst_account(session),
        _scores(session, as_of),
        _signals(session, as_of),
        _lists(session, as_of),
        _points(session),
        _promises(session, as_of),
        _attempts(session, as_of),
        _blocked(session, as_of),
        _stops(session, now),
        _holds(session, as_of),
        _plans(session),
    ):
        frame = frame.join(part, on="case_id" if "case_id" in part.columns else "customer_id", how="left")
    chosen, propensity = arms(frame["customer_id"].to_numpy(), salt=salt, shares=shares)
    filled = {"has_mobile": False, "has_point": False, "is_stopped": False, "has_open_promise": False,
              "is_held": False, "has_active_plan": False, "ml_hit_status": HitStatus.NOT_QUERIED.value}  # fmt: skip
    zero = {"broken_promises": 0, "kept_promises": 0, "attempts_7d": 0, "blocked_7d": 0, "accounts": 1}
    frame = frame.with_columns(
        *(pl.col(c).fill_null(v) for c, v in {**filled, **zero}.items()),
        pl.lit(as_of).alias("as_of"),
        pl.Series("arm", chosen, dtype=_S),
        pl.Series("propensity", propensity, dtype=pl.Float64),
    )
    return frame.select(*(pl.col(name).cast(dtype) for name, dtype in FACTS.items()), "propensity").sort("case_id")


def _cases(session: Session, as_of: date) -> pl.DataFrame:
    schema = {
        "case_id": _I,
        "customer_id": _I,
        "stage": _S,
        "dpd": _I,
        "arrears_minor": _I,
        "balance_minor": _I,
        "currency": _S,
        "opened_on": pl.Date,
        "country": _S,
        "language": _S,
    }
    frame = bulk.read(
        session,
        sa.select(
            Case.id.label("case_id"),
            Case.customer_id,
            sa.cast(Case.stage, sa.String).label("stage"),
            Case.dpd,
            Case.arrears_amount.label("arrears_minor"),
            Case.balance_amount.label("balance_minor"),
            Case.currency,
            Case.opened_on,
            Customer.country,
            Customer.language,
        )
        .join(Customer, Customer.id == Case.customer_id)
        .where(Case.closed_on.is_(None)),
        schema,
    )
    return frame.with_columns((pl.lit(as_of) - pl.col("opened_on")).dt.total_days().alias("days_in_case")).drop(
        "opened_on"
    )


def _worst_account(session: Session) -> pl.DataFrame:
    """The account with the most days past due speaks for the case."""
    schema = {"case_id": _I, "product_family": _S, "collector_role": _S, "bucket": _S, "dpd_": _I}
    frame = bulk.read(
        session,
        sa.select(
            Episode.case_id,
            Account.product_family,
            Account.collector_role,
            Account.bucket,
            Account.dpd.label("dpd_"),
        )
        .join(Account, Account.id == Episode.account_id)
        .where(Episode.ended_on.is_(None), Episode.case_id.is_not(None)),
        schema,
    )
    return (
        frame.sort("case_id", "dpd_", descending=[False, True])
        .group_by("case_id", maintain_order=True)
        .agg(pl.first("product_family", "collector_role", "bucket"), pl.len().alias("accounts"))
    )


# The purposes of models that strategies may ask, with the fact that P(event) becomes.
_CHANCES = {"self_cure": "self_cure_p", "contact": "contact_p", "lost": "lost_p"}


def _scores(session: Session, as_of: date) -> pl.DataFrame:
    """The champions' scores of the newest day up to ``as_of``; shadow and challenger versions decide nothing.

    Cards of several DPD ranges score one day's book in a run each. A case scored twice on a day (its champion
    was replaced in between) goes by the later word.
    """
    champions = (
        sa.select(ScoreRun.id, ScoreRun.business_date, ModelVersion.purpose)
        .join(ModelVersion, ModelVersion.id == ScoreRun.model_version_id)
        .where(ScoreRun.stage == Stage.CHAMPION, ScoreRun.business_date <= as_of)
        .subquery()
    )
    risk = sa.select(sa.func.max(champions.c.business_date)).where(champions.c.purpose == _RISK).scalar_subquery()
    runs = sa.select(champions.c.id).where(
        champions.c.business_date == risk, champions.c.purpose.in_((_RISK, *_CHANCES))
    )
    schema = {"case_id": _I, "id": _I, "purpose": _S, "score": _I, "band": _S, "p_event": pl.Float64}
    columns = (Score.case_id, Score.id, Score.purpose, Score.score, Score.band, Score.p_event)
    told = bulk.read(session, sa.select(*columns).where(Score.score_run_id.in_(runs), ~Score.is_shadow), schema)
    last = told.sort("id").unique(["case_id", "purpose"], keep="last")
    frame = last.filter(pl.col("purpose") == _RISK).select("case_id", "score", "band", "p_event")
    for purpose, fact in _CHANCES.items():
        chance = last.filter(pl.col("purpose") == purpose).select("case_id", pl.col("p_event").alias(fact))
        frame = frame.join(chance, on="case_id", how="full", coalesce=True)
    return frame


def _signals(session: Session, as_of: date) -> pl.DataFrame:
    """The newest multi-lending answer in force on the day; only a hit has counts, no other status is zero."""
    open_cases = sa.select(Case.customer_id).where(Case.closed_on.is_(None)).subquery()
    answer = newest_answers(answers_as_of(as_of, key=KeyType.ID, wanted=open_cases))
    orgs = answer.c.fields["ml_id_all_orgs_12m"].as_string()
    rows = bulk.read(
        session,
        sa.select(answer.c.customer_id, answer.c.hit_status.label("ml_hit_status"), orgs.label("ml_orgs_12m")),
        {"customer_id": _I, "ml_hit_status": _S, "ml_orgs_12m": _S},
    )
    return rows.with_columns(pl.col("ml_orgs_12m").cast(_I, strict=False))


def _lists(session: Session, as_of: date) -> pl.DataFrame:
    """The gravest confirmed hit on a special list or in a court's register."""
    hits = hits_as_of(as_of)
    return bulk.read(
        session,
        sa.select(hits.c.customer_id, sa.func.max(hits.c.severity).label("worst_list_severity"))
        .where(hits.c.is_confirmed)
        .group_by(hits.c.customer_id),
        {"customer_id": _I, "worst_list_severity": _I},
    )


def _points(session: Session) -> pl.DataFrame:
    mobile = sa.cast(ContactPoint.kind, sa.String) == PointKind.MOBILE.value
    return bulk.read(
        session,
        sa.select(
            ContactPoint.customer_id,
            sa.func.max(sa.case((mobile, 1), else_=0)).label("has_mobile"),
            sa.literal(1).label("has_point"),
        )
        .where(ContactPoint.quality == "ok", ContactPoint.owner == "debtor", ContactPoint.withdrawn_at.is_(None))
        .group_by(ContactPoint.customer_id),
        {"customer_id": _I, "has_mobile": _I, "has_point": _I},
    ).with_columns(pl.col("has_mobile", "has_point").cast(pl.Boolean))


def _promises(session: Session, as_of: date) -> pl.DataFrame:
    rows = bulk.read(
        session,
        sa.select(Promise.case_id, sa.cast(Promise.status, sa.String).label("status"), Promise.due_on)
        .join(Case, Case.id == Promise.case_id)
        .where(Case.closed_on.is_(None)),
        {"case_id": _I, "status": _S, "due_on": pl.Date},
    )
    is_open = pl.col("status") == PromiseStatus.OPEN.value
    return rows.group_by("case_id").agg(
        is_open.any().alias("has_open_promise"),
        (pl.col("due_on").filter(is_open).min() - pl.lit(as_of)).dt.total_days().alias("promise_due_in_days"),
        pl.col("status")
        .is_in([PromiseStatus.BROKEN.value, PromiseStatus.PARTIAL.value])
        .sum()
        .alias("broken_promises"),
        (pl.col("status") == PromiseStatus.KEPT.value).sum().alias("kept_promises"),
    )


_MADE = (
    AttemptStatus.SENDING,
    AttemptStatus.SENT,
    AttemptStatus.DELIVERED,
    AttemptStatus.FAILED,
    AttemptStatus.UNCERTAIN,
)


def _attempts(session: Session, as_of: date) -> pl.DataFrame:
    """Counted where the rows lie: a busy book has dozens of attempts a case, and only four figures are wanted."""
    on = ContactAttempt.local_date
    ours = (
        Case.closed_on.is_(None),
        ContactAttempt.status.in_(_MADE),
        ContactAttempt.direction == "outbound",
        on >= as_of - timedelta(days=60),
        on <= as_of,
    )
    figures = bulk.read(
        session,
        sa.select(
            ContactAttempt.case_id,
            sa.func.max(on).label("last_on"),
            sa.func.max(sa.case((ContactAttempt.outcome == Outcome.RPC, on))).label("spoke_on"),
            sa.func.sum(sa.case((on > as_of - timedelta(days=7), 1), else_=0)).label("attempts_7d"),
        )
        .join(Case, Case.id == ContactAttempt.case_id)
        .where(*ours)
        .group_by(ContactAttempt.case_id),
        {"case_id": _I, "last_on": pl.Date, "spoke_on": pl.Date, "attempts_7d": _I},
    )
    said = bulk.read(
        session,
        sa.select(
            ContactAttempt.case_id,
            on.label("on"),
            sa.cast(ContactAttempt.disposition, sa.String).label("last_disposition"),
        )
        .join(Case, Case.id == ContactAttempt.case_id)
        .where(*ours, ContactAttempt.disposition.is_not(None), ContactAttempt.disposition != Disposition.NONE),
        {"case_id": _I, "on": pl.Date, "last_disposition": _S},
    )
    latest = said.sort("on").group_by("case_id").agg(pl.last("last_disposition"))
    ages = [
        (pl.lit(as_of) - pl.col(source)).dt.total_days().alias(name)
        for source, name in (("last_on", "days_since_attempt"), ("spoke_on", "days_since_rpc"))
    ]
    return figures.with_columns(ages).drop("last_on", "spoke_on").join(latest, on="case_id", how="left")


def _blocked(session: Session, as_of: date) -> pl.DataFrame:
    """Attempts that the law or our policy refused in the last seven days: proposing them daily helps nobody."""
    since = datetime.combine(as_of - timedelta(days=7), time.min, UTC)
    return bulk.read(
        session,
        sa.select(ContactAttempt.case_id, sa.func.count().label("blocked_7d"))
        .where(
            ContactAttempt.status == AttemptStatus.DENIED,
            ContactAttempt.actor_kind != "agent",
            ContactAttempt.scheduled_at >= since,
            ContactAttempt.scheduled_at < datetime.combine(as_of + timedelta(days=1), time.min, UTC),
        )
        .group_by(ContactAttempt.case_id),
        {"case_id": _I, "blocked_7d": _I},
    )


def _stops(session: Session, now: datetime) -> pl.DataFrame:
    active = sa.select(StopFlag.customer_id).where(
        StopFlag.released_at.is_(None), sa.or_(StopFlag.until_on.is_(None), StopFlag.until_on >= now.date())
    )
    everything = sa.select(OptOut.customer_id).where(OptOut.scope == "all")
    rows: Any = sa.union(active, everything)
    return bulk.read(session, rows, {"customer_id": _I}).with_columns(pl.lit(value=True).alias("is_stopped"))


def _holds(session: Session, as_of: date) -> pl.DataFrame:
    standing = (
        sa.select(Hold.case_id)
        .distinct()
        .where(Hold.released_on.is_(None), Hold.from_on <= as_of, Hold.until_on >= as_of)
    )
    return bulk.read(session, standing, {"case_id": _I}).with_columns(pl.lit(value=True).alias("is_held"))


def _plans(session: Session) -> pl.DataFrame:
    """A case rests when every overdue account of it is under a plan; one that is not still wants work."""
    covered = sa.exists().where(PaymentPlan.account_id == Episode.account_id, PaymentPlan.status == PlanStatus.ACTIVE)
    cases = (
        sa.select(Episode.case_id)
        .where(Episode.ended_on.is_(None), Episode.case_id.is_not(None))
        .group_by(Episode.case_id)
        .having(sa.func.min(sa.case((covered, 1), else_=0)) == 1)
    )
    return bulk.read(session, cases, {"case_id": _I}).with_columns(pl.lit(value=True).alias("has_active_plan"))
