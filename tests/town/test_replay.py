"""A few days of a small town through the real platform, on whatever database the suite runs on."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from collections_app.db.session import Database
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.jobs.daily import Day
from collections_app.jobs.runner import run_day
from collections_app.queries import desks, road
from collections_app.services import robocalls
from collections_app.town.clock import TownClock
from collections_app.town.desk import Desk, hire
from collections_app.town.feeds import SOURCE
from collections_app.town.replay import Replay, customers_of
from collections_app.town.telephone import TownSms, callees
from collections_app.town.town import Town
from models.registry import ModelStore
from strategies.book import DEFAULT_BOOK, load_book
from strategies.packs import DEFAULT_PACKS, load_packs
from voice.telephony.simulator import SimulatedCarrier

START = date(2026, 8, 24)  # a Monday
DAYS = 4


def replay_of(database: Database, folder: Path) -> Replay:
    clock = TownClock(datetime(2026, 8, 23, 12, tzinfo=UTC))
    units = UnitsOfWork(database, clock)
    packs, book = load_packs(DEFAULT_PACKS), load_book(DEFAULT_BOOK)
    town = Town.found(seed=7, size=60, start=START, days=DAYS, feed_folder=folder / "feeds")
    points = {v: n for n, v in enumerate(town.people.points.value)}
    carrier = SimulatedCarrier(callees(points, town.behaviour, clock))
    return Replay(
        town=town,
        units=units,
        clock=clock,
        packs=packs,
        run_day=lambda day, manifest: run_day(units, Day(day, book, packs, ModelStore(folder / "models"), (manifest,))),
        robot=lambda attempt_id: robocalls.run_call(units, attempt_id=attempt_id, carrier=carrier),
        sms=TownSms(points, town.behaviour),
        desk=Desk(units, packs, town.behaviour, clock, points),
        colleagues=hire(units, count=3, chinese_share=0.35, password="a password of the town"),
    )


def test_days_of_the_town_leave_their_traces_in_every_room(database: Database, tmp_path: Path) -> None:
    lived = replay_of(database, tmp_path)
    for n in range(DAYS):
        lived.day(START + timedelta(days=n))

    figures_of_every_room(lived)
    assert lived.totals["intake.dpd_mismatches"] == 0
    the_town_feels_what_was_recorded_and_nothing_else(lived)
    promises_are_known_to_those_who_made_them(lived)
    no_agent_holds_the_case_of_another(lived)


def figures_of_every_room(lived: Replay) -> None:
    with lived.units.database.reading() as session:
        figures = road.get_road_figures(session)
    assert figures.quarantined == 0
    assert figures.cases_open > 40
    assert figures.assignments_open > 0
    assert figures.attempts["sms"].get("delivered", 0) > 0
    assert figures.attempts["agent"].get("delivered", 0) > 0
    assert sum(figures.promises.values()) > 0
    assert "sending" not in {status for by in figures.attempts.values() for status in by}


def the_town_feels_what_was_recorded_and_nothing_else(lived: Replay) -> None:
    begins = datetime.combine(START, datetime.min.time(), tzinfo=UTC)
    with lived.units.database.reading() as session:
        made = desks.touches(session, source=SOURCE, from_at=begins, to_at=begins + timedelta(days=DAYS))
    left_house = made.filter(pl.col("status").is_in(["sent", "delivered"]))
    # The old desk's last touches have half faded by now: who is this tired was reached by us.
    tired = {n for n, weight in enumerate(lived.town.behaviour.fatigue.tolist()) if weight > 1.0}
    assert tired
    assert len(tired - set(customers_of(left_house).tolist())) <= len(tired) // 10


def promises_are_known_to_those_who_made_them(lived: Replay) -> None:
    with lived.units.database.reading() as session:
        days = [START + timedelta(days=n) for n in range(DAYS)]
        made = [desks.promises_made(session, source=SOURCE, on=day) for day in days]
    promised = pl.concat(made)["account_ref"].str.slice(1).cast(pl.Int64).to_numpy() - 1
    assert promised.size
    assert (lived.town.behaviour.promise_due[promised] > 0).all()


def no_agent_holds_the_case_of_another(lived: Replay) -> None:
    with lived.units.database.reading() as session:
        work = desks.open_work(session, source=SOURCE)
    assert work["case_id"].is_unique().all()
    assert set(work["agent_id"]) <= {c.agent_id for c in lived.colleagues}
