"""Lists by value: response and risk together, nobody who owes anything overdue, every value kept."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from collections_app.cli.offer import group
from collections_app.db import tables as t
from collections_app.db.session import Database
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.errors import Conflict, NotConfigured
from collections_app.domain.model_stages import Stage
from collections_app.domain.permissions import SYSTEM, Actor, Role
from collections_app.services import model_stages, offers, training
from models.deal_closing import Offer
from models.registry import ModelStore
from tests.factories import make_account, make_customer, make_episode, make_standing, make_user

OBSERVED = date(2025, 6, 30)
TODAY = datetime(2026, 3, 2, 12, tzinfo=UTC).date()
ROWS = 420
OFFER = Offer(margin=15_000, exposure=100_000, loss_given_default=0.6, contact_cost=150)


@dataclass
class Parts:
    """What the command asks its app for."""

    database: Database
    units: UnitsOfWork
    models: ModelStore


def make_campaign(units: UnitsOfWork) -> None:
    """Who has used up the limit answers offers more often, and fails more often: the trap."""
    rng = np.random.default_rng(9)
    used = rng.integers(0, 10, ROWS)
    responded = rng.random(ROWS) < 0.1 + 0.08 * used
    failed = rng.random(ROWS) < 0.05 + 0.07 * used
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
                session, account_id=account.id, batch_id=batch.id, from_on=OBSERVED, dpd=0, arrears_amount=0,
                balance_amount=10_000 + 18_000 * int(used[i]), limit_amount=200_000,
            )  # fmt: skip
            for label, outcome, days in (("responded_30d", responded[i], 30), ("bad30_6m", failed[i], 180)):
                session.add(
                    t.TrainingLabel(
                        label=label, account_id=account.id, observed_on=OBSERVED, horizon_days=days,
                        outcome=int(outcome), matured_on=OBSERVED + timedelta(days=days + 3), origin="lender",
                    )
                )  # fmt: skip
        late = session.scalars(sa.select(t.Account).order_by(t.Account.id)).first()
        assert late is not None
        other = make_account(session, customer_id=late.customer_id, account_ref="overdue")
        make_episode(session, account_id=other.id)


def put_to_work(units: UnitsOfWork, models: ModelStore, person: Actor, name: str) -> None:
    made = training.build(
        units, actor=SYSTEM, models=models, name=name, algorithm="boosted", min_events=20, threads=1
    )  # fmt: skip
    with units.begin(person) as uow:
        model_stages.move(uow, name=name, version=made.version, to=Stage.CHAMPION, note="a made book")


def test_a_list_is_made_by_value_and_leaves_out_who_owes_anything(units: UnitsOfWork, tmp_path: Path) -> None:
    models = ModelStore(tmp_path)
    make_campaign(units)
    with units.begin() as uow:
        user = make_user(uow.session, role=Role.STRATEGIST)
    person = Actor(user.id, user.username, Role.STRATEGIST)
    put_to_work(units, models, person, "deal-closing")
    with units.begin() as uow, pytest.raises(NotConfigured, match="by response alone the worst risks come first"):
        offers.make_list(uow, business_date=TODAY, models=models, offer=OFFER, capacity=50)
    put_to_work(units, models, person, "b-classic")
    with units.begin() as uow:
        told = offers.make_list(uow, business_date=TODAY, models=models, offer=OFFER, capacity=50, threads=1)
    assert told["accounts"] == ROWS - 1  # one owes something on another account
    assert told["is_corrected"]
    assert 0 < told["listed"] <= min(50, told["passed"])
    with units.database.reading() as session:
        scores = session.scalars(sa.select(t.Score).where(t.Score.purpose == "response")).all()
    assert len(scores) == ROWS - 1
    listed = [s for s in scores if s.details and s.details["is_listed"]]
    assert len(listed) == told["listed"]
    assert sum(s.details["value_minor"] for s in listed if s.details) == told["value_minor"] > 0
    # The likeliest answers come from those who fail: they are not on the list.
    likeliest = sorted(scores, key=lambda s: -s.p_event)[:30]
    assert not {s.account_id for s in likeliest} & {s.account_id for s in listed}
    out = tmp_path / "list.csv"
    app = Parts(units.database, units, models)
    said = CliRunner().invoke(group, ["export", "--date", TODAY.isoformat(), "--out", str(out)], obj=app)
    assert said.exit_code == 0
    written = pl.read_csv(out)
    assert written["value_minor"].sum() == told["value_minor"]
    assert written["value_minor"].is_sorted(descending=True)
    words = [
        "make",
        "--margin",
        "15000",
        "--exposure",
        "100000",
        "--lgd",
        "0.6",
        "--contact-cost",
        "150",
        "--capacity",
        "5",
        "--json",
        "--date",
    ]
    again = CliRunner().invoke(group, [*words, (TODAY + timedelta(days=1)).isoformat()], obj=app)
    assert json.loads(again.output)["listed"] == 5
    with units.begin() as uow, pytest.raises(Conflict, match="has made its list"):
        offers.make_list(uow, business_date=TODAY, models=models, offer=OFFER, capacity=50)
