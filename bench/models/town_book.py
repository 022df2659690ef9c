"""The whole book of a town, day by day, as raw frames: what a lender that tells everything of everybody would send.

No platform and no database: the lender's own old desk collects, people live, and every evening is written down.
``models.features.build_features`` cuts the frames at the day it is asked for, as it does for the platform.
"""

import tempfile
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from collections_app.domain.customer_events import CustomerEventKind
from collections_app.town.ledger import Status
from collections_app.town.streams import stream
from collections_app.town.town import OLD_DESK, Town
from models.evaluate import Ints
from models.schema import FRAMES, RawFrames

START = date(2026, 1, 4)
_KINDS = [kind.value for kind in CustomerEventKind]
_NIGHT_ENDS = 6
_EPOCH = date(1970, 1, 1).toordinal()
_CASH = {"payment": 1, "reversal": -1}


@dataclass(frozen=True)
class TownBook:
    """Frames of everything told, and by day (row) and account (column) the DPD and whether the account is active.

    Row n is the morning of ``start + n`` days. What follows ``active`` but for the owner and
    the first day is the hidden truth, by account: ``distress`` (no income on that day), means, will and memory.
    """

    start: date
    frames: RawFrames
    dpd: Ints
    active: np.ndarray[Any, np.dtype[np.bool_]]
    distress: np.ndarray[Any, np.dtype[np.bool_]]
    owner: Ints
    on_book: Ints
    ability: np.ndarray[Any, np.dtype[np.float64]]
    willingness: np.ndarray[Any, np.dtype[np.float64]]
    forgetfulness: np.ndarray[Any, np.dtype[np.float64]]

    def row(self, day: date) -> int:
        """Return the row of a day."""
        return (day - self.start).days


def live(*, seed: int, size: int, days: int) -> TownBook:
    """Live ``days`` days after the town's history and write everything down."""
    with tempfile.TemporaryDirectory() as folder:
        town = Town.found(seed=seed, size=size, start=START, days=days, feed_folder=Path(folder))
    ledger, owner = town.ledger, town.people.accounts.owner
    dpd, active, snapshots, events = [], [], [], []
    for n in range(days):
        day = START + timedelta(days=n)
        dpd.append(ledger.days_past_due(day.toordinal()))
        active.append((ledger.status == Status.ACTIVE) & (town.people.accounts.joined <= day.toordinal()))
        snapshots.append(_snapshot(town, day, dpd[-1]))
        town.behaviour.live(day)
        events.append(_events(town, day))
        rng = stream(seed, "old desk", day.toordinal())
        overdue = town.overdue_customers()
        for touch, share in OLD_DESK:
            town.behaviour.feel(overdue[rng.random(overdue.size) < share], touch)
    first = town.people.day_row(START.toordinal())
    past_due = np.array(dpd)
    return TownBook(
        start=START, frames=_frames(town, pl.concat(snapshots), pl.concat(events), past_due),
        dpd=past_due, active=np.array(active), distress=town.people.distress[first : first + days][:, owner],
        owner=owner, on_book=town.people.accounts.joined, ability=town.people.customers.ability[owner],
        willingness=town.people.customers.willingness[owner],
        forgetfulness=town.people.customers.forgetfulness[owner],
    )  # fmt: skip


def _snapshot(town: Town, day: date, dpd: Ints) -> pl.DataFrame:
    """Write down how the accounts stand on the days on which cards look at them."""
    schema = dict(FRAMES["snapshots"])
    if not is_observed(day):
        return pl.DataFrame(schema=schema)
    return pl.DataFrame(
        {
            "account_id": np.arange(dpd.size), "business_date": [day] * dpd.size, "dpd": dpd,
            "balance_amount": town.ledger.balance, "arrears_amount": town.ledger.arrears,
            "limit_amount": town.people.accounts.principal,
        },
        schema=schema,
    )  # fmt: skip


def is_observed(day: date) -> bool:
    """Tell whether cards look at the book: on Sundays, and on the last day of a month."""
    return day.weekday() == 6 or (day + timedelta(days=1)).day == 1


def _events(town: Town, day: date) -> pl.DataFrame:
    """Sum a day's events by account and kind."""
    drawn = town.behaviour.app.days[day.toordinal()]
    single = pl.DataFrame(
        {"account_id": drawn.account, "kind": np.array(_KINDS)[drawn.kind], "hour": drawn.hour,
         "amount": np.maximum(drawn.amount, 0)}
    )  # fmt: skip
    summed = single.group_by("account_id", "kind", maintain_order=True).agg(
        events=pl.len(), night_events=(pl.col("hour") < _NIGHT_ENDS).sum(), amount=pl.col("amount").sum()
    )
    told = summed.with_columns(occurred_on=pl.lit(day), known_on=pl.lit(day + timedelta(days=1)))
    return told.select(pl.col(c).cast(dtype) for c, dtype in FRAMES["events"].items())


def _frames(town: Town, snapshots: pl.DataFrame, events: pl.DataFrame, dpd: Ints) -> RawFrames:
    accounts = town.people.accounts
    ids = np.arange(len(accounts))
    return RawFrames.of(
        accounts=pl.DataFrame(
            {"account_id": ids, "customer_id": accounts.owner, "opened_on": accounts.originated,
             "has_payment_feed": [True] * ids.size}, schema=dict(FRAMES["accounts"]),
        ),
        snapshots=snapshots, cycles=_cycles(town), payments=_payments(town), episodes=_episodes(town, dpd),
        event_feeds=pl.DataFrame({"account_id": ids, "events_from": [START] * ids.size}), events=events,
    )  # fmt: skip


def _cycles(town: Town) -> pl.DataFrame:
    """Return every statement; the ledger keeps them by month (row) and account, -1 = none."""
    ledger, accounts = town.ledger, town.people.accounts
    month, account = np.nonzero(ledger.cycles_past_due >= 0)
    ends = ledger.month_start[month] + accounts.due_dom[account] - 1
    return pl.DataFrame(
        {
            "account_id": account, "cycle_end_on": pl.Series(ends - _EPOCH, dtype=pl.Int32).cast(pl.Date),
            "cycles_past_due": ledger.cycles_past_due[month, account], "statement_amount": accounts.instalment[account],
            "paid_amount": ledger.cycle_paid[month, account],
        },
        schema=dict(FRAMES["cycles"]),
    )  # fmt: skip


def _payments(town: Town) -> pl.DataFrame:
    rows = [
        (cash.account, cash.value_on, day + timedelta(days=1), _CASH[cash.kind] * cash.amount)
        for day, booked in town.ledger.booked.items()
        for cash in booked
    ]
    return pl.DataFrame(rows, schema=dict(FRAMES["payments"]), orient="row")


def _episodes(town: Town, dpd: Ints) -> pl.DataFrame:
    """Return the spells of DPD 1 and more that ended while we watched."""
    late = np.vstack([np.zeros((1, dpd.shape[1]), dtype=bool), dpd >= 1])
    change = np.diff(late.astype(np.int8), axis=0)
    rows = []
    for account in np.flatnonzero((change == -1).any(axis=0)).tolist():
        begins, ends = np.flatnonzero(change[:, account] == 1), np.flatnonzero(change[:, account] == -1)
        for begin, end in zip(begins.tolist(), ends.tolist(), strict=False):
            most = int(dpd[begin:end, account].max())
            rows.append((account, START + timedelta(days=begin), START + timedelta(days=end), most, True))
    return pl.DataFrame(rows, schema=dict(FRAMES["episodes"]), orient="row")
