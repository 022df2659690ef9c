"""What each kind of model learns from: promises, calls, placements; and which model is ready to be built."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.contact import AttemptStatus, Channel, Mode
from collections_app.domain.errors import InvalidInput
from collections_app.domain.model_stages import Stage
from collections_app.domain.outcomes import Outcome
from collections_app.domain.permissions import SYSTEM, Actor, Role
from collections_app.domain.promises import PromiseStatus
from collections_app.services import model_readiness, samples, training
from collections_app.services.model_stages import move
from collections_app.services.observations import Observations, observe
from models.catalogue import recipe_of
from models.registry import ModelStore
from tests.card_books import OBSERVED, make_labelled_book
from tests.factories import TODAY, make_account, make_attempt, make_case, make_episode, make_point, make_standing

MADE = date(2026, 2, 2)
SAM = Actor(id=7, name="sam", role=Role.STRATEGIST)


@pytest.fixture
def models(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def seen(units: UnitsOfWork, name: str, **over: Any) -> Observations:
    with units.database.reading() as session:
        return observe(session, recipe_of(name), until=TODAY, **over)


def label(account_id: int, **over: Any) -> t.TrainingLabel:
    values: dict[str, Any] = {
        "label": "promise_kept", "account_id": account_id, "observed_on": MADE, "horizon_days": 5, "outcome": 1,
        "matured_on": MADE + timedelta(days=9), "origin": "computed",
    }  # fmt: skip
    return t.TrainingLabel(**{**values, **over})


def test_a_promise_is_learnt_with_its_own_terms_and_the_account_of_that_morning(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        session = uow.session
        case = make_case(session, account=False)
        account = make_account(session, customer_id=case.customer_id)
        make_standing(session, account_id=account.id, from_on=MADE - timedelta(days=10), dpd=9, is_ageing=True)
        # The payment of the day itself moved everything; the model must not see it.
        make_standing(session, account_id=account.id, from_on=MADE + timedelta(days=1), dpd=0, arrears_amount=0)
        made: dict[str, Any] = {
            "account_id": account.id, "case_id": case.id, "currency": "USD", "method": "x", "grace_days": 2,
            "tolerance_percent": 5, "created_on": MADE, "paid_amount": 0, "created_at": units.clock(),
        }  # fmt: skip
        session.add_all([
            t.Promise(**made, amount=1, due_on=MADE, status=PromiseStatus.SUPERSEDED, made_by="robot"),
            t.Promise(**made, amount=12_500, due_on=MADE + timedelta(days=5), status=PromiseStatus.KEPT,
                      made_by="agent", settled_on=MADE + timedelta(days=6)),
            t.Promise(**{**made, "created_on": MADE - timedelta(days=30)}, amount=5, due_on=MADE,
                      status=PromiseStatus.BROKEN, made_by="agent", settled_on=MADE - timedelta(days=20)),
            label(account.id),
        ])  # fmt: skip
    row = seen(units, "promise-keeping").rows.row(0, named=True)
    assert (row["promise_of_arrears"], row["promise_days_to_due"], row["promise_to_agent"]) == (0.5, 5, 1)
    assert (row["promises_60d"], row["promises_broken_12m"], row["promise_kept_ratio"]) == (1, 1, 0)
    assert (row["dpd"], row["arrears_amount"], row["outcome"]) == (19, 25_000, 1)


def test_calls_are_learnt_by_the_hour_at_the_customers_place(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        case = make_case(uow.session)
        point = make_point(uow.session, customer_id=case.customer_id)
        call: dict[str, Any] = {
            "case_id": case.id, "contact_point_id": point.id, "channel": Channel.VOICE, "mode": Mode.AI_VOICE,
            "status": AttemptStatus.DELIVERED,
        }  # fmt: skip
        for day, outcome in ((20, Outcome.NO_ANSWER), (21, Outcome.RPC), (22, Outcome.FAILED), (23, None)):
            sent = datetime(2026, 2, day, 1, 30, tzinfo=UTC)  # half past seven in the evening before, in Chicago
            settled = None if outcome is None else sent
            make_attempt(uow.session, **call, dispatched_at=sent, settled_at=settled, outcome=outcome)
    found = seen(units, "best-time")
    rows = found.rows.sort("on")
    assert rows["outcome"].to_list() == [0, 1]
    assert rows["slot_hour"].to_list() == [19, 19]
    assert rows["slot_weekday"].to_list() == [4, 5]
    assert rows["calls_30d"].to_list() == [0, 1]
    assert found.left_out == {"not settled": 1, "the number is dead": 1}


def test_a_model_without_anything_to_learn_from_says_what_it_lacks(units: UnitsOfWork) -> None:
    with pytest.raises(InvalidInput, match="no call of the last 180 days has an outcome"):
        seen(units, "best-time")
    with pytest.raises(InvalidInput, match=r"no rolled_m3 label has matured for source x; .* 33 days old"):
        seen(units, "c-m2", source="x")
    make_labelled_book(units, rows=4, matured_on=TODAY + timedelta(days=1))
    with pytest.raises(InvalidInput, match="no bad_30d label has matured; 4 are not mature yet"):
        seen(units, "c-card")


def test_self_cure_is_never_learnt_from_treated_customers(units: UnitsOfWork) -> None:
    make_labelled_book(units, rows=6)
    with units.begin() as uow:
        uow.session.execute(sa.update(t.TrainingLabel).values(label="cured_10d", arm="champion", is_worked=True))
    with pytest.raises(InvalidInput, match="6 cured_10d labels have matured, but none of a customer in the hold-out"):
        seen(units, "self-cure")
    with units.begin() as uow:
        held = sa.select(t.TrainingLabel.id).limit(2)
        uow.session.execute(
            sa.update(t.TrainingLabel).where(t.TrainingLabel.id.in_(held)).values(arm="holdout", is_worked=False)
        )
        uow.session.execute(sa.update(t.AccountStanding).values(dpd=3))
    assert seen(units, "self-cure").matured == 2


def test_uplift_is_learnt_from_customers_of_a_known_arm_only(units: UnitsOfWork) -> None:
    make_labelled_book(units, rows=6, dpd=3)
    with units.begin() as uow:
        uow.session.execute(sa.update(t.TrainingLabel).values(label="cured_10d"))
    with pytest.raises(InvalidInput, match="6 cured_10d labels have matured, none of them of a known arm"):
        seen(units, "uplift")
    with units.begin() as uow:
        drawn = sa.select(t.TrainingLabel.id).limit(4)
        uow.session.execute(
            sa.update(t.TrainingLabel).where(t.TrainingLabel.id.in_(drawn)).values(arm="champion", propensity=0.97)
        )
    found = seen(units, "uplift")
    assert (found.rows.height, found.left_out) == (4, {"arm not known": 2})


def test_rows_outside_the_population_are_counted(units: UnitsOfWork) -> None:
    make_labelled_book(units, rows=10, dpd=40)
    found = seen(units, "c-m1-entry")
    assert found.left_out == {"outside the population": 10}
    with pytest.raises(InvalidInput, match=r"10 labels have matured, but .*\(10 outside the population\)"):
        samples.draw(recipe_of("c-m1-entry"), found)


def days(*pairs: tuple[str, int]) -> Observations:
    """Return observations of people on days, without features."""
    recipe = recipe_of("c-card")
    rows = pl.DataFrame(
        {"customer": [p for p, _ in pairs], "observed_on": [OBSERVED + timedelta(days=d) for _, d in pairs]}
    ).with_columns(
        account_id=pl.int_range(pl.len()), account_ref=pl.lit("A"), outcome=pl.lit(0), value=pl.lit(None, pl.Float64),
        arrears_amount=pl.lit(5), month=pl.lit("2026-01"), country=pl.lit(None, pl.String), language=pl.lit("en"),
        product_family=pl.lit("card"), **{n: pl.lit(0.0) for n in recipe.features},
    )  # fmt: skip
    return Observations(rows, rows.height)


def test_out_of_time_the_last_days_are_the_test_and_their_people_are_not_learnt_from() -> None:
    drawn = samples.draw(recipe_of("c-card"), days(("a", 0), ("b", 5), ("a", 39), ("c", 40)), out_of_time=2)
    assert drawn.sample.is_test.tolist() == [False, True, True]
    assert drawn.left_out == {"earlier rows of people in the test": 1}
    learnt = set(drawn.sample.customer[~drawn.sample.is_test])
    assert learnt.isdisjoint(drawn.sample.customer[drawn.sample.is_test])
    assert drawn.sample.groups["country"].tolist() == ["unknown"] * 3
    assert drawn.sample.amount is not None


def test_a_test_that_takes_every_day_is_refused() -> None:
    with pytest.raises(InvalidInput, match="all 2 observations lie within 90 days"):
        samples.draw(recipe_of("c-card"), days(("a", 0), ("b", 5)), out_of_time=90)
    with pytest.raises(InvalidInput, match="exclude each other"):
        samples.draw(recipe_of("c-card"), days(("a", 0)), out_of_time=2, split=Path("x"))


@pytest.mark.parametrize(
    ("name", "over", "message"),
    [
        ("d-card", {}, "there is no model 'd-card'; there are c-card"),
        ("recovery", {"algorithm": "boosted"}, "recovery is trained as two_part, not as boosted"),
        ("b-survival", {"out_of_time": 30}, "learns from the monthly panel"),
    ],
)
def test_a_wrong_order_is_one_sentence(
    units: UnitsOfWork, models: ModelStore, name: str, over: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        training.build(units, actor=SYSTEM, models=models, name=name, **over)


def test_the_pipeline_tells_every_stage_and_a_trial_keeps_nothing(units: UnitsOfWork, models: ModelStore) -> None:
    make_labelled_book(units, rows=240)
    told: dict[str, Any] = {}
    made = training.build(units, actor=SYSTEM, models=models, name="c-card", algorithm="scorecard", min_events=20,
                          threads=1, keep=False, tell=told.__setitem__)  # fmt: skip
    assert tuple(told) == training.STAGES
    assert told["sample"]["rows"] == 240
    assert told["explore"]["features"]
    assert told["assess"]["test"]["auc"] == made.card["test"]["auc"]
    assert made.version == ""
    assert not (models.root / "c-card").exists()
    with units.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(t.ModelVersion)) == 0


def test_looking_at_the_sample_fits_nothing(units: UnitsOfWork) -> None:
    make_labelled_book(units, rows=200)
    told = training.sample_for(units, actor=SYSTEM, name="c-card")
    assert (told["sample"]["rows"], told["sample"]["label"]) == (200, "bad_30d")
    assert told["explore"]["features"][0]["name"] in recipe_of("c-card").features


def ready_in(session: Session, name: str) -> model_readiness.Readiness:
    return next(r for r in model_readiness.readiness(session, until=TODAY) if r.name == name)


def ready(units: UnitsOfWork, name: str) -> model_readiness.Readiness:
    with units.database.reading() as session:
        return ready_in(session, name)


def test_uplift_is_counted_in_each_arm(units: UnitsOfWork) -> None:
    make_labelled_book(units, rows=600, dpd=3)
    with units.begin() as uow:
        uow.session.execute(sa.update(t.TrainingLabel).values(label="cured_10d", arm="champion", propensity=0.97))
    assert ready(units, "uplift").advice.endswith("arms with outcomes: champion")
    with units.begin() as uow:
        held = sa.select(t.TrainingLabel.id).where(t.TrainingLabel.outcome == 1).limit(3)
        uow.session.execute(sa.update(t.TrainingLabel).where(t.TrainingLabel.id.in_(held)).values(arm="holdout"))
    told = ready(units, "uplift")
    assert (told.events, told.others, told.is_worth_trying) == (3, 0, False)
    assert told.advice == "wait: 0 of 72 outcomes without the event in the hold-out"
    with units.begin() as uow:
        half = sa.select(t.TrainingLabel.id).where(t.TrainingLabel.id % 3 == 0)
        uow.session.execute(sa.update(t.TrainingLabel).where(t.TrainingLabel.id.in_(half)).values(arm="holdout"))
    assert ready(units, "uplift").is_worth_trying
    with units.begin() as uow:
        uow.session.execute(sa.update(t.TrainingLabel).values(propensity=1.0))
    assert "600 outcomes carry no chance of being drawn" in ready(units, "uplift").advice


@pytest.mark.parametrize("name", ["b-survival", "b-sequence"])
def test_accounts_are_no_outcomes_of_a_panel(units: UnitsOfWork, name: str) -> None:
    assert ready(units, name).advice == "wait: the book is empty; this model learns from month ends of the ledger"
    with units.begin() as uow:
        case = make_case(uow.session, account=False)
        account = make_account(uow.session, customer_id=case.customer_id)
        assert ready_in(uow.session, name).advice == "wait: no account was ever 31 days past due"
        make_episode(uow.session, account_id=account.id, case_id=case.id, max_dpd=40)
    told = ready(units, name)
    assert (told.events, told.others, told.is_worth_trying) == (None, None, False)
    assert told.advice == f"not counted: collections model build {name} --dry-run tells"


def test_from_the_cold_start_to_a_model_of_its_own(units: UnitsOfWork, models: ModelStore) -> None:
    assert (ready(units, "c-card").works, ready(units, "c-card").advice) == (
        "none",
        "wait: 0 of 143 outcomes without the event",
    )
    generic = training.install_generic(units, actor=SYSTEM, models=models)
    assert (generic.stage, generic.card["algorithm"]) == ("dev", "expert")
    with units.begin(SAM) as uow:
        move(uow, name="c-card", version=generic.version, to=Stage.CHAMPION, note="judged and read")
    assert ready(units, "c-card").works == "generic"
    assert model_readiness.build_when_ready(units, actor=SYSTEM, models=models) == {"built": {}, "refused": {}}
    make_labelled_book(units, rows=480)
    assert ready(units, "c-card").advice == (
        "enough before the population is looked at: collections model build c-card --dry-run tells"
    )
    built = model_readiness.build_when_ready(units, actor=SYSTEM, models=models, threads=1)
    # Of the accounts of the book (DPD 1 to 59) too few are at DPD 1 to 9 for an entry card; that is told, not hidden.
    assert set(built["built"]) == {"c-card"}
    assert "c-m1-entry" in built["refused"]
    after = ready(units, "c-card")
    assert (after.works, after.candidates, after.advice) == ("generic", 1, "built: a person approves it")
    again = model_readiness.build_when_ready(units, actor=SYSTEM, models=models, threads=1)
    assert again["built"] == {}
