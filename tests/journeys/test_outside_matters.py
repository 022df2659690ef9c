"""The sources' own case: two customers alike inside, 5 against 12 institutions outside in twelve months.

They must get different bands and different strategies, through the real day: the vendor's answer in the feed, the
score, the queue, the treatment; with a card learnt where the outside matters, and with the expert's card before
anything was learnt.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.model_stages import Stage
from collections_app.domain.permissions import SYSTEM, Actor, Role
from collections_app.jobs.daily import Day
from collections_app.jobs.runner import run_day
from collections_app.services import model_stages, training
from models.registry import ModelStore
from strategies.book import DEFAULT_BOOK, load_book
from strategies.packs import DEFAULT_PACKS, load_packs
from tests.conftest import FixedClock
from tests.factories import make_user
from tests.feeds import Rows, account, customer, point, write_feed

TODAY = date(2026, 3, 4)
LONG_AGO = TODAY - timedelta(days=40)
ROWS = 560
FEW, MANY = 5, 12


@dataclass
class House:
    """The platform's business day on a test database; nobody is drawn into the hold-out."""

    units: UnitsOfWork
    clock: FixedClock
    folder: Path
    strategist: Actor

    def __post_init__(self) -> None:
        self.book = replace(load_book(DEFAULT_BOOK), arms={"champion": 1.0})
        self.packs, self.models = load_packs(DEFAULT_PACKS), ModelStore(self.folder / "models")

    def day(self, day: date, **entities: Rows) -> None:
        """Import the day's feed and run the day."""
        self.clock.now = datetime.combine(day, time(12), UTC)
        manifest = write_feed(self.folder, day, **entities)
        run_day(self.units, Day(day, self.book, self.packs, self.models, (manifest,)))

    def approve(self, model: training.TrainedModel) -> None:
        with self.units.begin(self.strategist) as uow:
            model_stages.move(uow, name=model.name, version=model.version, to=Stage.CHAMPION, note="alarms looked at")

    def verdict(self, name: str, on: date) -> dict[str, Any]:
        """Return what the day decided about a customer: score, band, reasons, queue, who works it, next step."""
        with self.units.database.reading() as session:
            case = session.scalars(
                sa.select(t.Case).join(t.Customer, t.Customer.id == t.Case.customer_id)
                .where(t.Customer.customer_ref == name)
            ).one()  # fmt: skip
            score = session.scalars(
                sa.select(t.Score).where(t.Score.case_id == case.id, t.Score.business_date == on)
            ).one()
            decided = {
                d.kind: d.result
                for d in session.scalars(
                    sa.select(t.Decision).where(t.Decision.case_id == case.id, t.Decision.business_date == on)
                )
            }
        return {
            "score": score.score, "band": score.band, "reasons": score.reason_codes,
            "queue": decided["queueing"]["queue"], "works": decided["queueing"]["works"],
            "step": decided["treatment"]["step"],
        }  # fmt: skip


@pytest.fixture
def house(units: UnitsOfWork, clock: FixedClock, tmp_path: Path) -> House:
    with units.begin() as uow:
        user = make_user(uow.session, role=Role.STRATEGIST)
        return House(units, clock, tmp_path, Actor(user.id, user.username, Role.STRATEGIST))


def overdue(name: str, since: date, *, arrears: int = 25_000) -> dict[str, Any]:
    return account(f"{name}-1", customer=name, due=since, arrears=arrears, dpd_source="")


def cycles(name: str, until: date) -> list[dict[str, Any]]:
    """Half a year of statements, all paid in time."""
    return [
        {"account_id": f"{name}-1", "cycle_end_date": (until - timedelta(days=30 * month)).isoformat(),
         "cycles_past_due": 0, "statement_amount": 100_000, "paid_amount": 60_000}
        for month in range(1, 7)
    ]  # fmt: skip


def answer(name: str, lenders: int, on: date) -> dict[str, Any]:
    """Return the bureau's answer: so many institutions in twelve months, half of them in the last six."""
    row: dict[str, Any] = {
        "customer_id": name, "provider": "bureau", "snapshot_asof": (on - timedelta(days=1)).isoformat(),
        "received_on": on.isoformat(), "hit_status": "hit", "purpose_code": "post_loan",
        "consent_id": f"contract/{name}", "expires_on": (on + timedelta(days=60)).isoformat(),
    }  # fmt: skip
    for window, share in (("7d", 0.0), ("15d", 0.0), ("1m", 0.1), ("3m", 0.25), ("6m", 0.5), ("12m", 1.0)):
        row[f"ml_id_all_orgs_{window}"] = row[f"ml_id_all_apps_{window}"] = int(lenders * share)
    return row


def feed_of(people: dict[str, int], since: date, on: date, *, prefix: str) -> dict[str, Rows]:
    """Return the first feed of these customers, alike but for their institutions outside."""
    return {
        "customers": [customer(n) for n in people],
        "accounts": [overdue(n, since) for n in people],
        "contact_points": [point(n, f"+1512{prefix}{i:04d}") for i, n in enumerate(people)],
        "cycles": [row for n in people for row in cycles(n, on)],
        "signals": [answer(n, lenders, on) for n, lenders in people.items()],
    }


def live_a_book(house: House) -> None:
    """Forty days ago customers fell overdue; the more lenders outside, the fewer of them paid. That is the truth."""
    rng = np.random.default_rng(11)
    lenders = rng.integers(0, 16, ROWS)
    bad = rng.random(ROWS) < 1 / (1 + np.exp(-(lenders - 8) / 1.5))
    names = [f"old{k}" for k in range(ROWS)]
    people = dict(zip(names, lenders.tolist(), strict=True))
    house.day(LONG_AGO, **feed_of(people, LONG_AGO - timedelta(days=1), LONG_AGO, prefix="556"))
    paid = [n for n, b in zip(names, bad, strict=True) if not b]
    house.day(
        LONG_AGO + timedelta(days=12),
        accounts=[account(f"{n}-1", customer=n, due=None, arrears=0) for n in paid],
    )


def twins_of(house: House) -> tuple[dict[str, Any], dict[str, Any]]:
    """Let the twins fall overdue and return what the day decides about each."""
    people = {"few": FEW, "many": MANY}
    house.day(TODAY, **feed_of(people, TODAY - timedelta(days=5), TODAY, prefix="557"))
    return house.verdict("few", TODAY), house.verdict("many", TODAY)


def assert_they_part(few: dict[str, Any], many: dict[str, Any]) -> None:
    assert few["score"] > many["score"]
    assert (few["band"], many["band"]) == (min(few["band"], many["band"]), max(few["band"], many["band"]))
    assert few["band"] != many["band"]
    assert (few["queue"], few["works"]) == ("self_cure", "nobody")
    assert (many["queue"], many["works"]) == ("early_risk", "agent")
    assert few["step"] == "none" != many["step"]
    assert "many_lenders" in many["reasons"]


def test_a_card_learnt_where_the_outside_matters_parts_the_twins(house: House) -> None:
    live_a_book(house)
    house.day(TODAY - timedelta(days=1), accounts=[])
    trained = training.build(
        house.units, actor=SYSTEM, models=house.models, name="c-card", min_events=20, threads=1
    )  # fmt: skip
    house.approve(trained)
    assert_they_part(*twins_of(house))


def test_the_experts_card_parts_the_twins_before_anything_was_learnt(house: House) -> None:
    house.approve(training.install_generic(house.units, actor=SYSTEM, models=house.models))
    assert_they_part(*twins_of(house))


def test_without_any_card_the_day_does_not_tell_them_apart_by_score(house: House) -> None:
    """The check of the check: the same twins without a model stand in the same queue."""
    house.day(
        TODAY, **feed_of({"few": FEW, "many": MANY}, TODAY - timedelta(days=5), TODAY, prefix="557")
    )  # fmt: skip
    with house.units.database.reading() as session:
        queues = set(session.scalars(sa.select(t.QueueEntry.queue).where(t.QueueEntry.removed_on.is_(None))))
        assert session.scalar(sa.select(sa.func.count()).select_from(t.Score)) == 0
    assert queues == {"robot"}
