"""The sequence model learns from the ledger's month ends and scores accounts that are no cases."""

from datetime import date
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
from collections_app.domain.errors import InvalidInput
from collections_app.domain.permissions import SYSTEM
from collections_app.services import training
from collections_app.services.panel_scoring import score_panels
from collections_app.services.panel_training import panel_sample
from models.catalogue import recipe_of
from models.registry import ModelStore
from tests.factories import make_account, make_customer
from tests.model_books import register

RECIPE = recipe_of("b-sequence")
END = date(2026, 2, 28)
MONTHS = 18


def make_book(units: UnitsOfWork, accounts: int) -> set[int]:
    """Make accounts of which a third drift: some days late more often than not, and sometimes thirty; return those."""
    rng = np.random.default_rng(3)
    begun = add_months(END, 1).replace(day=1)
    with units.begin() as uow:
        rows, drifters = [], set()
        for i in range(accounts):
            owner = make_customer(uow.session).id
            account = make_account(uow.session, customer_id=owner, opened_on=date(2024, 9, 1), dpd=0).id
            if drifts := i % 3 == 0:
                drifters.add(account)
            for k in range(MONTHS):
                late = rng.uniform() < (0.7 if drifts else 0.05)
                dpd = 33 if drifts and k > 3 and rng.uniform() < 0.08 else int(rng.integers(5, 25)) if late else 0
                rows.append((account, add_months(begun, k - MONTHS), dpd))
        spans = pl.DataFrame(rows, schema=["account_id", "from_on", "dpd"], orient="row")
        bulk.insert(
            uow.session, table_of(t.AccountStanding),
            spans.with_columns(
                known_from=pl.col("from_on").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
                is_ageing=pl.lit(value=False), arrears_amount=pl.lit(0), balance_amount=pl.lit(1000),
                status=pl.lit("active"),
            ),
        )  # fmt: skip
    return drifters


def test_the_ledger_gives_histories_that_end_at_the_observation(units: UnitsOfWork) -> None:
    make_book(units, 30)
    with units.database.reading() as session:
        sample, _ = panel_sample(session, RECIPE, until=END)
    assert sample.features.columns == list(RECIPE.features)
    steps = sample.features.select(pl.col(RECIPE.features).list.len())
    assert (steps["state"] == steps["dpd"]).all()
    assert (steps["dpd"] == steps["mob"]).all()
    # Accounts at risk have never been thirty days late, so no step of theirs tells what is to be predicted.
    assert sample.features["dpd"].list.max().max() < 30  # type: ignore[operator]
    with pytest.raises(InvalidInput, match="a card needs at least 100"):
        training.build(units, actor=SYSTEM, models=ModelStore(Path("unused")), name="b-sequence")


@pytest.mark.sequence
def test_it_is_built_by_one_command_and_scores_accounts_without_a_case(units: UnitsOfWork, tmp_path: Path) -> None:
    drifters = make_book(units, 150)
    store = ModelStore(tmp_path)
    built = training.build(
        units, actor=SYSTEM, models=store, name="b-sequence", threads=1, min_events=8, keep=True
    )  # fmt: skip
    assert (built.name, built.stage, built.card["algorithm"]) == ("b-sequence", "dev", "sequence")
    assert built.card["test"]["auc"] > 0.6
    register(units, store, store.load(f"b-sequence/{built.version}"), version="at-work")
    with units.begin() as uow:
        told = score_panels(uow, business_date=date(2026, 3, 2), models=store, threads=1)
    assert told["behaviour_sequence"] == told["scored"] > 0
    with units.database.reading() as session:
        scores = list(session.scalars(sa.select(t.Score)))
    assert len(scores) == told["scored"]
    assert {(s.case_id, s.purpose, s.event_name, s.horizon_days) for s in scores} == {
        (None, "behaviour_sequence", "first_30", 180)
    }
    drifting = [s.account_id in drifters for s in scores]
    assert np.mean([s.p_event for s, d in zip(scores, drifting, strict=True) if d]) > 1.5 * np.mean(
        [s.p_event for s, d in zip(scores, drifting, strict=True) if not d]
    )
