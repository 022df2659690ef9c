"""A town that goes through the real platform day by day, and what its B-cards could have seen every Sunday."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import sqlalchemy as sa

from collections_app.db import bulk
from collections_app.db.migrate import upgrade
from collections_app.db.session import Database
from collections_app.db.tables import Account
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.jobs.daily import Day
from collections_app.jobs.runner import run_day
from collections_app.queries.as_of import standing_spans
from collections_app.queries.feature_frames import frames_at
from collections_app.queries.good_accounts import not_overdue
from collections_app.services import robocalls
from collections_app.town.clock import TownClock
from collections_app.town.desk import Desk, hire
from collections_app.town.replay import Replay
from collections_app.town.telephone import TownSms, callees
from collections_app.town.town import Town
from models.features import build_features
from models.labels_behaviour import SPANS, BehaviourLabel, outcomes
from models.registry import ModelStore
from models.schema import BEHAVIOUR_FRAMES
from strategies.book import DEFAULT_BOOK, load_book
from strategies.packs import DEFAULT_PACKS, load_packs
from voice.telephony.simulator import SimulatedCarrier

START = date(2026, 1, 5)
FIRST_WEEK = 7
"""Before that hardly an episode is over."""
AGENTS_PER_CUSTOMER = 0.01
LABELS = (
    BehaviourLabel("bad7_30d", bad_dpd=7, days=30, cadence="week"),
    BehaviourLabel("bad30_60d", bad_dpd=30, days=60, cadence="week"),
)


def observations(folder: Path, *, seed: int, size: int, days: int) -> pl.DataFrame:
    """Live the days; return a row per good account and Sunday: all features, the outcomes (null = not over yet)."""
    database = Database(f"sqlite:///{folder / f'town_{seed}.db'}")
    try:
        live(database, folder, seed=seed, size=size, days=days)
        return observed(database, seed=seed, end=START + timedelta(days=days - 1))
    finally:
        database.engine.dispose()


def live(database: Database, folder: Path, *, seed: int, size: int, days: int) -> None:
    """Let the platform work for the town; told every month how far it is, for it takes a second a day."""
    upgrade(database)
    replay = _replay(database, folder, seed=seed, size=size, days=days)
    for n in range(days):
        replay.day(START + timedelta(days=n))
        if n % 30 == 29:
            print(f"town {seed}: day {n + 1}", flush=True)


def _replay(database: Database, folder: Path, *, seed: int, size: int, days: int) -> Replay:
    clock = TownClock(datetime.combine(START - timedelta(days=1), datetime.min.time(), tzinfo=UTC))
    units = UnitsOfWork(database, clock)
    packs, book = load_packs(DEFAULT_PACKS), load_book(DEFAULT_BOOK)
    town = Town.found(seed=seed, size=size, start=START, days=days, feed_folder=folder / "feeds")
    points = {value: n for n, value in enumerate(town.people.points.value)}
    carrier = SimulatedCarrier(callees(points, town.behaviour, clock))
    store = ModelStore(folder / "models")
    return Replay(
        town=town, units=units, clock=clock, packs=packs,
        run_day=lambda day, manifest: run_day(units, Day(day, book, packs, store, (manifest,))),
        robot=lambda attempt_id: robocalls.run_call(units, attempt_id=attempt_id, carrier=carrier),
        sms=TownSms(points, town.behaviour), desk=Desk(units, packs, town.behaviour, clock, points),
        colleagues=hire(units, count=max(2, round(size * AGENTS_PER_CUSTOMER)), chinese_share=0.35,
                        password="a password of the town"),
    )  # fmt: skip


def observed(database: Database, *, seed: int, end: date) -> pl.DataFrame:
    """Return the observations of a town that was lived until a day."""
    parts = []
    first = START + timedelta(days=6 - START.weekday() + 7 * FIRST_WEEK)
    with database.reading() as session:
        owners = bulk.read(session, _owners(), {"account_id": pl.Int64, "customer_id": pl.Int64})
        for week in range((end - first).days // 7 + 1):
            on = first + timedelta(weeks=week)
            if on + timedelta(days=LABELS[0].days) > end:
                break
            good = not_overdue(session, on)
            staged = bulk.stage(session, "bench_good", good, index=("account_id",))
            spans = standing_spans(session, staged, until=end).select(*SPANS)
            asked = good.with_columns(row=pl.col("account_id"), observed_on=pl.lit(on))
            frames, anchor = frames_at(session, asked, also=BEHAVIOUR_FRAMES)
            told = build_features(frames, anchor).filter(pl.col("dpd") == 0)  # as it was believed on that day
            for label in LABELS:
                known = on + timedelta(days=label.days) <= end
                came = outcomes(good, spans, label, on=on).select("account_id", pl.col("outcome").alias(label.name))
                told = told.join(came if known else came.clear(), on="account_id", how="left")
            parts.append(told.with_columns(week=pl.lit(week)))
    found = pl.concat(parts).join(owners, on="account_id")
    return found.with_columns(customer=pl.col("customer_id") + seed * 10_000_000)


def _owners() -> sa.Select[int, int]:
    return sa.select(Account.id.label("account_id"), Account.customer_id)
