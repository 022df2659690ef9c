"""Survival models learn from the ledger's month ends and score accounts that are no cases."""

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa

from collections_app.db import bulk
from collections_app.db import tables as t
from collections_app.db.base import table_of
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.calendars import add_months
from collections_app.domain.errors import InvalidInput, NotConfigured
from collections_app.domain.permissions import SYSTEM
from collections_app.services import training
from collections_app.services.panel_scoring import score_panels
from collections_app.services.panel_training import panel_sample
from models import family
from models.catalogue import Recipe, recipe_of
from models.registry import Bundle, ModelStore
from models.sample import Sample
from tests.factories import make_account, make_customer
from tests.model_books import register
from tests.panel_books import made_panel, sample_of

RECIPE = recipe_of("b-survival")
END = date(2026, 3, 31)
MONTHS = 24


def make_book(units: UnitsOfWork, accounts: int) -> list[int]:
    """Make accounts, three to two people, whose idle months go with falling late less often; return their ids."""
    rng = np.random.default_rng(3)
    with units.begin() as uow:
        people = [make_customer(uow.session).id for _ in range(accounts * 2 // 3)]
        ids = [
            make_account(uow.session, customer_id=people[i % len(people)], opened_on=date(2024, 3, 1), dpd=0).id
            for i in range(accounts)
        ]
        begun = add_months(END, 1).replace(day=1)
        firsts = [add_months(begun, k - MONTHS) for k in range(MONTHS)]
        rows = []
        for i, account in enumerate(ids):
            careful, is_closed = i % 2, False
            for month, day in enumerate(firsts):
                draw = rng.uniform()
                is_closed = is_closed or (month > 3 and draw > 0.97)
                dpd = 40 if draw < (0.005 if careful else 0.05) and month and not is_closed else 0
                balance = 0 if is_closed or (careful and rng.uniform() < 0.6) else 1000
                rows.append((account, day, dpd, balance, "closed" if is_closed else "active"))
        spans = pl.DataFrame(rows, schema=["account_id", "from_on", "dpd", "balance_amount", "status"], orient="row")
        bulk.insert(
            uow.session, table_of(t.AccountStanding),
            spans.with_columns(
                known_from=pl.col("from_on").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
                is_ageing=pl.lit(value=False), arrears_amount=pl.lit(0),
            ),
        )  # fmt: skip
    return ids


def sample(units: UnitsOfWork, recipe: Recipe = RECIPE, **over: object) -> tuple[Sample, dict[str, object]]:
    with units.database.reading() as session:
        return panel_sample(session, recipe, **({"until": END} | over))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    rows = sample_of(RECIPE, made_panel(600, 24))
    return family.train(RECIPE, rows, algorithm="hazard_woe", provenance={}, threads=1, min_events=20)


def scores(units: UnitsOfWork) -> list[t.Score]:
    with units.database.reading() as session:
        return list(session.scalars(sa.select(t.Score).order_by(t.Score.id)))


def score(units: UnitsOfWork, store: ModelStore, on: date, **over: int) -> dict[str, object]:
    with units.begin() as uow:
        return score_panels(uow, business_date=on, models=store, threads=1, **over)


def test_the_ledger_gives_a_sample_whose_people_are_on_one_side(units: UnitsOfWork) -> None:
    make_book(units, 60)
    rows, provenance = sample(units)
    assert rows.course is not None
    assert rows.features.columns == list(RECIPE.features)
    assert provenance["observed_to"] == "2026-03-31"
    assert set(rows.customer[rows.is_test]).isdisjoint(rows.customer[~rows.is_test])
    assert rows.is_test.any()
    assert {0, 1, 2} == set(rows.course.cause.tolist())
    assert (rows.course.followed >= rows.course.duration).all()
    event = (rows.course.cause == 1) & (rows.course.duration <= 12)
    assert rows.outcome.tolist() == event.astype(int).tolist()


def test_of_a_large_book_whole_people_are_drawn(units: UnitsOfWork) -> None:
    make_book(units, 90)
    whole, _ = sample(units)
    part, told = sample(units, most_accounts=45)
    assert told["share_of_people"] == 0.5
    assert set(part.customer.tolist()) < set(whole.customer.tolist())
    assert sample(units, most_accounts=45)[0].features.equals(part.features)


def test_what_happens_after_the_day_is_not_in_the_sample(units: UnitsOfWork) -> None:
    ids = make_book(units, 60)
    before, _ = sample(units, until=date(2026, 1, 31))
    with units.begin() as uow:
        uow.session.execute(
            sa.update(t.AccountStanding)
            .where(t.AccountStanding.from_on > date(2026, 1, 31), t.AccountStanding.account_id.in_(ids))
            .values(dpd=300, known_from=datetime(2026, 2, 1, tzinfo=UTC))
        )
    after, _ = sample(units, until=date(2026, 1, 31))
    assert before.features.equals(after.features)
    assert before.outcome.tolist() == after.outcome.tolist()


def test_a_book_that_cannot_teach_is_refused(units: UnitsOfWork) -> None:
    with pytest.raises(InvalidInput, match="month ends of the ledger"):
        sample(units)
    with pytest.raises(InvalidInput, match="bad_30d is no event of a panel"):
        sample(units, recipe_of("c-card"))


def test_the_one_command_builds_a_survival_model_from_the_ledger(units: UnitsOfWork, tmp_path: Path) -> None:
    make_book(units, 200)
    stages: list[str] = []
    built = training.build(
        units, actor=SYSTEM, models=ModelStore(tmp_path), name="b-survival", algorithm="hazard_woe", threads=1,
        min_events=10, tell=lambda stage, _: stages.append(stage),
    )  # fmt: skip
    assert stages == list(training.STAGES)
    assert built.stage == "dev"
    assert built.card["algorithm"] == "hazard_woe"
    assert set(built.card["test"]["by_horizon"]) == {"1", "3", "6", "12"}
    assert built.card["figures"]["curves"]["by_month"]["series"]
    looked = training.sample_for(units, actor=SYSTEM, name="b-survival")["explore"]
    assert looked["events"] > 0
    assert [f["iv"] for f in looked["features"]] == sorted((f["iv"] for f in looked["features"]), reverse=True)


def test_accounts_at_risk_get_a_curve_once_a_month(units: UnitsOfWork, tmp_path: Path, bundle: Bundle) -> None:
    make_book(units, 40)
    store = ModelStore(tmp_path)
    register(units, store, bundle)
    register(units, store, bundle, version="v2", stage="shadow")
    told = score(units, store, date(2026, 4, 2), chunk=15)
    assert told["survival"] == told["beside"] == told["scored"]
    made = scores(units)
    assert len(made) == 2 * told["scored"]  # type: ignore[operator]
    first = made[0]
    assert (first.case_id, first.purpose, first.event_name, first.horizon_days) == (None, "survival", "first_30", 365)
    assert first.details is not None
    assert set(first.details) == {f"{c}_{m}m" for c in ("event", "paid_off") for m in (1, 3, 6, 12)}
    assert first.details["event_12m"] == pytest.approx(first.p_event, abs=1e-5)
    assert {s.is_shadow for s in made} == {False, True}
    assert score(units, store, date(2026, 4, 20)) == {"scored": 0}  # March was scored already


def test_only_accounts_never_seen_late_and_not_closed_are_scored(
    units: UnitsOfWork, tmp_path: Path, bundle: Bundle
) -> None:
    make_book(units, 40)
    store = ModelStore(tmp_path)
    register(units, store, bundle)
    score(units, store, END)
    with units.database.reading() as session:
        standing = t.AccountStanding
        gone = set(
            session.scalars(sa.select(standing.account_id).where(sa.or_(standing.dpd > 0, standing.status == "closed")))
        )
        everybody = set(session.scalars(sa.select(standing.account_id)))
    assert {s.account_id for s in scores(units)} == everybody - gone


def test_a_champion_that_cannot_work_stops_the_run_and_a_shadow_does_not(
    units: UnitsOfWork, tmp_path: Path, bundle: Bundle
) -> None:
    make_book(units, 40)
    store = ModelStore(tmp_path)
    register(units, store, bundle, version="v2", stage="shadow")
    assert score(units, store, END) == {"scored": 0}  # without a champion nobody works
    register(units, store, bundle)
    (tmp_path / "b-survival" / "v2" / "hazards.json").write_bytes(b"{}")
    fresh = ModelStore(tmp_path)
    assert "hazards.json is cut or altered" in str(score(units, fresh, END)["failed"])
    (tmp_path / "b-survival" / "v1" / "hazards.json").write_bytes(b"{}")
    with pytest.raises(NotConfigured, match=r"hazards\.json is cut or altered"):
        score(units, ModelStore(tmp_path), date(2026, 4, 30))
