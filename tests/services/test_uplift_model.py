"""Uplift from our own experiment: labels with arm and propensity, a person approves, scores beside the risk."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.errors import InvalidInput
from collections_app.domain.model_stages import Stage
from collections_app.domain.permissions import SYSTEM, Actor, Role
from collections_app.services import model_stages, scoring, training
from models.registry import ModelStore
from tests.factories import make_account, make_case, make_customer, make_episode, make_standing, make_user

OBSERVED = date(2026, 1, 10)
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ROWS = 460


def make_experiment(units: UnitsOfWork, *, hold_out: bool = True) -> None:
    """Make entries of which half were held out; work moves those with a large balance and nobody else."""
    rng = np.random.default_rng(6)
    worked = rng.random(ROWS) < 0.5 if hold_out else np.ones(ROWS, dtype=bool)
    large = rng.random(ROWS) < 0.5
    cured = rng.random(ROWS) < 0.4 + 0.5 * (worked & large)
    with units.begin() as uow:
        session = uow.session
        batch = t.FeedBatch(
            source="test", entity="accounts", mapping="own", mapping_version=1, business_date=OBSERVED, file_name="f",
            sha256="x", rows=ROWS, accepted=ROWS, quarantined=0, unchanged=0, imported_at=uow.now,
        )  # fmt: skip
        session.add(batch)
        session.flush()
        for i in range(ROWS):
            account = make_account(session, customer_id=make_customer(session).id)
            make_standing(
                session, account_id=account.id, batch_id=batch.id, from_on=OBSERVED, dpd=2, arrears_amount=10_000,
                balance_amount=190_000 if large[i] else 20_000, limit_amount=200_000,
            )  # fmt: skip
            session.add(
                t.TrainingLabel(
                    label="cured_10d", account_id=account.id, observed_on=OBSERVED, horizon_days=10,
                    outcome=int(cured[i]), matured_on=OBSERVED + timedelta(days=13), origin="computed",
                    arm="champion" if worked[i] else "holdout", propensity=0.5, is_worked=bool(worked[i]),
                )
            )  # fmt: skip


@pytest.fixture
def models(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def test_the_road_from_our_own_experiment_to_scores_of_the_open_book(units: UnitsOfWork, models: ModelStore) -> None:
    make_experiment(units)
    trained = training.build(units, actor=SYSTEM, models=models, name="uplift", threads=1, min_events=20)
    told = trained.card["test"]["uplift"]
    assert told["average_effect_low"] < 0.25 < told["average_effect_high"]
    assert (trained.stage, trained.card["algorithm"]) == ("dev", "x_learner")
    with units.begin() as uow:
        user = make_user(uow.session, role=Role.STRATEGIST)
        case = make_case(uow.session, account=None, dpd=3)
        account = make_account(uow.session, customer_id=case.customer_id)
        make_episode(uow.session, account_id=account.id, case_id=case.id)
        batch_id = uow.session.scalars(sa.select(t.FeedBatch.id)).one()
        make_standing(uow.session, account_id=account.id, batch_id=batch_id, from_on=NOW.date(), dpd=3)
    with units.begin(Actor(user.id, user.username, Role.STRATEGIST)) as uow:
        model_stages.move(uow, name="uplift", version=trained.version, to=Stage.CHAMPION, note="few rows, known truth")
    with units.begin() as uow:
        scoring.score_open(uow, business_date=NOW.date(), models=models, threads=1)
    with units.database.reading() as session:
        score = session.scalars(sa.select(t.Score).where(t.Score.case_id == case.id)).one()
    assert (score.purpose, score.event_name, score.is_shadow) == ("uplift", "cured_10d", False)
    assert score.details is not None
    assert score.score == pytest.approx(1000 * score.details["uplift_worked"], abs=1)
    assert 0 < score.details["p_left_alone"] < 1


def test_a_book_without_a_hold_out_is_told_so(units: UnitsOfWork, models: ModelStore) -> None:
    make_experiment(units, hold_out=False)
    with pytest.raises(InvalidInput, match="compares one way of working with the hold-out"):
        training.build(units, actor=SYSTEM, models=models, name="uplift", threads=1, min_events=20)
