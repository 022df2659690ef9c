"""The open book is scored once a day, by the champion, one score to a case."""

from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.errors import NotAllowed, NotConfigured
from collections_app.domain.model_stages import Stage
from collections_app.domain.permissions import SYSTEM, Actor, Role
from collections_app.services import model_stages, scoring, training
from models.registry import ModelStore
from tests.card_books import count, make_labelled_book
from tests.factories import TODAY, make_account, make_case, make_episode, make_standing

STRATEGIST = Actor(id=7, name="sam", role=Role.STRATEGIST)


@pytest.fixture
def models(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def crown(units: UnitsOfWork, models: ModelStore) -> str:
    """Train on a made book and let a person approve."""
    make_labelled_book(units, rows=900)
    model = training.build(units, actor=SYSTEM, models=models, name="c-card", min_events=60)
    with units.begin(STRATEGIST) as uow:
        model_stages.move(uow, name=model.name, version=model.version, to=Stage.CHAMPION, note="a made book")
    return model.version


def open_case(units: UnitsOfWork, *dpds: int) -> int:
    """Open a case with one overdue account, seen today, for each DPD."""
    with units.begin() as uow:
        session = uow.session
        case = make_case(session, account=False, dpd=max(dpds))
        batch_id = session.scalar(sa.select(t.FeedBatch.id).limit(1))
        if batch_id is None:
            batch = t.FeedBatch(
                source="test",
                entity="accounts",
                mapping="own",
                mapping_version=1,
                business_date=TODAY,
                file_name="f",
                sha256="y",
                rows=1,
                accepted=1,
                quarantined=0,
                unchanged=0,
                imported_at=uow.now,
            )
            session.add(batch)
            session.flush()
            batch_id = batch.id
        for dpd in dpds:
            account = make_account(session, customer_id=case.customer_id, dpd=dpd)
            make_episode(session, account_id=account.id, case_id=case.id)
            make_standing(
                session, account_id=account.id, batch_id=batch_id, from_on=TODAY, dpd=dpd,
                balance_amount=100_000, arrears_amount=10_000, limit_amount=200_000,
            )  # fmt: skip
        return case.id


def score(units: UnitsOfWork, models: ModelStore, on: date = TODAY) -> dict[str, object]:
    with units.begin() as uow:
        return scoring.score_open(uow, business_date=on, models=models)


def scores(units: UnitsOfWork) -> list[t.Score]:
    with units.database.reading() as session:
        return list(session.scalars(sa.select(t.Score).order_by(t.Score.case_id, t.Score.business_date)))


def test_without_a_champion_nothing_is_scored_and_the_reason_is_given(units: UnitsOfWork, models: ModelStore) -> None:
    open_case(units, 5)
    assert score(units, models) == {"scored": 0, "reason": "no approved c-card: train one and approve it"}


def test_a_score_says_what_it_is(units: UnitsOfWork, models: ModelStore) -> None:
    version = crown(units, models)
    case_id = open_case(units, 40)
    result = score(units, models)
    (row,) = scores(units)
    assert (result["scored"], result["model"]) == (1, f"c-card {version}")
    assert (row.case_id, row.event_name, row.horizon_days, row.business_date) == (
        case_id,
        "bad_30d",
        30,
        TODAY,
    )
    assert row.available_from == units.clock()
    assert 0 < row.p_event < 1
    assert row.band in {"S1", "S2", "S3", "S4", "S5"}
    assert "late_now" in row.reason_codes


def test_the_riskiest_account_speaks_for_the_case(units: UnitsOfWork, models: ModelStore) -> None:
    crown(units, models)
    both, one = open_case(units, 3, 55), open_case(units, 55)
    assert score(units, models)["accounts"] == 3
    by_case = {s.case_id: s for s in scores(units)}
    with units.database.reading() as session:
        account = session.get_one(t.Account, by_case[both].account_id)
    assert account.dpd == 55
    assert by_case[both].score == by_case[one].score


def test_a_later_customer_has_fewer_points(units: UnitsOfWork, models: ModelStore) -> None:
    crown(units, models)
    safe, risky = open_case(units, 2), open_case(units, 58)
    score(units, models)
    by_case = {s.case_id: s for s in scores(units)}
    assert by_case[safe].score > by_case[risky].score
    assert by_case[safe].p_event < by_case[risky].p_event
    assert by_case[safe].band < by_case[risky].band


def test_scoring_twice_adds_nothing_but_new_cases_join_the_run(units: UnitsOfWork, models: ModelStore) -> None:
    crown(units, models)
    open_case(units, 5)
    assert score(units, models)["scored"] == 1
    assert score(units, models)["scored"] == 0
    open_case(units, 9)
    assert score(units, models)["scored"] == 1
    with units.database.reading() as session:
        (run,) = session.scalars(sa.select(t.ScoreRun))
    assert run.rows == len(scores(units)) == 2


def test_the_next_day_is_scored_anew(units: UnitsOfWork, models: ModelStore) -> None:
    crown(units, models)
    open_case(units, 5)
    score(units, models)
    score(units, models, TODAY + timedelta(days=1))
    assert [s.business_date for s in scores(units)] == [TODAY, TODAY + timedelta(days=1)]


def test_a_closed_case_is_not_scored(units: UnitsOfWork, models: ModelStore) -> None:
    crown(units, models)
    case_id = open_case(units, 5)
    with units.begin() as uow:
        uow.session.get_one(t.Case, case_id).closed_on = TODAY
    assert score(units, models)["scored"] == 0


def test_drift_against_the_development_book_is_measured(units: UnitsOfWork, models: ModelStore) -> None:
    crown(units, models)
    for _ in range(30):
        open_case(units, 59)
    psi = score(units, models)["psi"]
    assert isinstance(psi, float)
    assert psi > 0.25


def test_a_damaged_bundle_is_one_sentence_and_no_score(units: UnitsOfWork, models: ModelStore) -> None:
    version = crown(units, models)
    open_case(units, 5)
    (models.root / "c-card" / version / "model.ubj").write_bytes(b"")
    with pytest.raises(NotConfigured, match=r"model\.ubj is cut or altered"):
        score(units, ModelStore(models.root))
    assert count(units, t.ScoreRun) == 0


def test_an_agent_may_not_start_a_scoring(units: UnitsOfWork, models: ModelStore) -> None:
    with units.begin(Actor(1, "ann", Role.AGENT, 1)) as uow, pytest.raises(NotAllowed):
        scoring.score_open(uow, business_date=TODAY, models=models)
