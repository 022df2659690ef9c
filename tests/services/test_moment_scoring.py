"""A promise is scored once, as it was made; the hours of a day are asked anew each day."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.errors import NotConfigured
from collections_app.domain.promises import PromiseStatus
from collections_app.services import moment_scoring
from models import boosted
from models.catalogue import recipe_of
from models.registry import Bundle, ModelStore
from models.sample import Sample
from tests.factories import TODAY, make_case, make_point, make_standing
from tests.model_books import register

ROWS = 1_200


def trained(name: str, told: dict[str, Any], likely: Any) -> Bundle:
    """Train a model on made rows: ``told`` are the features that say something, ``likely`` the chance of the event."""
    recipe = recipe_of(name)
    rng = np.random.default_rng(2)
    told = {"ml_status": rng.choice([1.0, -1.0], ROWS)} | told
    features = pl.DataFrame({n: told.get(n, rng.normal(size=ROWS)) for n in recipe.features})
    sample = Sample(
        features=features.with_columns(pl.all().cast(pl.Float64)),
        outcome=(rng.uniform(size=ROWS) < likely).astype(np.int64), customer=np.arange(ROWS),
        is_test=np.arange(ROWS) % 3 == 0,
    )  # fmt: skip
    few = boosted.Tuning(depths=(2,), folds=3, rounds=40, eta=0.2)
    return boosted.train(recipe, sample, provenance={}, threads=1, tuning=few)


@pytest.fixture(scope="module")
def best_time() -> Bundle:
    hour = np.random.default_rng(0).integers(8, 21, ROWS)
    return trained("best-time", {"slot_hour": hour}, np.where(hour >= 19, 0.8, 0.1))


@pytest.fixture(scope="module")
def promise_keeping() -> Bundle:
    days = np.random.default_rng(1).integers(1, 30, ROWS)
    return trained("promise-keeping", {"promise_days_to_due": days}, np.where(days <= 5, 0.9, 0.3))


@pytest.fixture
def models(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def score(units: UnitsOfWork, models: ModelStore, on: date = TODAY) -> dict[str, Any]:
    with units.begin() as uow:
        return moment_scoring.score_moments(uow, business_date=on, models=models, threads=1)


def scores(units: UnitsOfWork) -> list[t.Score]:
    with units.database.reading() as session:
        return list(session.scalars(sa.select(t.Score).order_by(t.Score.id)))


def callable_case(units: UnitsOfWork, **point: Any) -> int:
    with units.begin() as uow:
        case = make_case(uow.session)
        make_point(uow.session, customer_id=case.customer_id, **point)
        return case.id


def promise(units: UnitsOfWork, *, made_on: date, due_in: int, status: PromiseStatus = PromiseStatus.OPEN) -> int:
    """Make a case with one promise, on an account of which all is known."""
    with units.begin() as uow:
        case = make_case(uow.session)
        account_id = uow.session.scalars(sa.select(t.Episode.account_id).where(t.Episode.case_id == case.id)).one()
        make_standing(uow.session, account_id=account_id, from_on=made_on - timedelta(days=5), dpd=12)
        uow.session.add(
            t.Promise(
                account_id=account_id, case_id=case.id, amount=10_000, currency="USD", method="transfer",
                due_on=made_on + timedelta(days=due_in), grace_days=2, tolerance_percent=5, status=status,
                made_by="agent", created_on=made_on, paid_amount=0,
                created_at=datetime(made_on.year, made_on.month, made_on.day, 15, tzinfo=UTC),
            )
        )  # fmt: skip
        return case.id


def test_the_best_hour_of_a_day_is_told_with_every_other(
    units: UnitsOfWork, models: ModelStore, best_time: Bundle
) -> None:
    register(units, models, best_time)
    case_id = callable_case(units)
    callable_case(units, quality="disconnected")  # nobody can be called there
    assert score(units, models) == {"scored": 1, "best_time": 1}
    (row,) = scores(units)
    assert (row.case_id, row.purpose) == (case_id, "best_time")
    assert row.details is not None
    assert row.details["best_hour"] == 19
    assert set(row.details["hours"]) == {"9", "12", "14", "17", "19"}
    assert row.p_event == pytest.approx(row.details["hours"]["19"], abs=1e-4)


def test_hours_are_asked_once_a_day_and_anew_the_next(
    units: UnitsOfWork, models: ModelStore, best_time: Bundle
) -> None:
    register(units, models, best_time)
    callable_case(units)
    assert [score(units, models)["scored"] for _ in range(2)] == [1, 0]
    assert score(units, models, TODAY + timedelta(days=1))["scored"] == 1


def test_an_open_promise_is_scored_once_after_it_was_made(
    units: UnitsOfWork, models: ModelStore, promise_keeping: Bundle
) -> None:
    register(units, models, promise_keeping)
    yesterday = TODAY - timedelta(days=1)
    soon, late = promise(units, made_on=yesterday, due_in=3), promise(units, made_on=yesterday, due_in=20)
    promise(units, made_on=TODAY, due_in=3)  # its day is not over
    promise(units, made_on=yesterday, due_in=3, status=PromiseStatus.KEPT)
    assert score(units, models) == {"scored": 2, "promise": 2}
    by_case = {s.case_id: s for s in scores(units)}
    assert set(by_case) == {soon, late}
    assert by_case[soon].p_event > by_case[late].p_event
    assert by_case[soon].score > by_case[late].score
    assert by_case[soon].details == {"made_on": yesterday.isoformat()}
    assert score(units, models) == {"scored": 0}
    assert score(units, models, TODAY + timedelta(days=1)) == {"scored": 1, "promise": 1}


def test_without_a_champion_no_moment_is_scored(units: UnitsOfWork, models: ModelStore, best_time: Bundle) -> None:
    register(units, models, best_time, stage="challenger")
    callable_case(units)
    assert score(units, models) == {"scored": 0}
    assert scores(units) == []


def test_a_champion_that_cannot_work_stops_the_step_and_a_shadow_is_told(
    units: UnitsOfWork, models: ModelStore, best_time: Bundle
) -> None:
    register(units, models, best_time)
    register(units, models, best_time, version="cut", stage="shadow")
    callable_case(units)
    (models.root / "best-time" / "cut" / "model.ubj").unlink()
    assert "model.ubj is missing" in score(units, ModelStore(models.root))["failed"]["best-time cut"].replace(
        str(models.root / "best-time" / "cut") + "/", ""
    )
    (models.root / "best-time" / "v1" / "model.ubj").unlink()
    with pytest.raises(NotConfigured, match="is missing"):
        score(units, ModelStore(models.root))
