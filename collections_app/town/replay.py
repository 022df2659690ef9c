"""Days of the town through the real platform: feed in, day run, texts, robot calls, agents, evening.

What the town learns of the platform's work is read from what the platform recorded, once a day.
All clock times are UTC: the Chinese customers' day ends before the American one begins.
"""

import time as stopwatch
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Protocol

import numpy as np
import polars as pl

from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.outcomes import Outcome
from collections_app.queries import desks
from collections_app.services import receipts
from collections_app.services.dispatch import dispatch_due
from collections_app.town.behaviour import Touch
from collections_app.town.clock import TownClock
from collections_app.town.desk import Colleague, Desk
from collections_app.town.feeds import SOURCE
from collections_app.town.telephone import PROVIDER, TownSms
from collections_app.town.town import Town
from strategies.packs import PackLibrary

SATURDAY = 5
DAY_BEGINS = time(5)
EVENING = time(23, 55)
"""When the day's contact is over and the town lives the consequences."""


@dataclass(frozen=True)
class Hour:
    """What happens at a clock time: machines dispatch, and one of the two floors makes calls."""

    at: time
    floor: str | None = None


HOURS: tuple[Hour, ...] = (
    Hour(time(5, 10)),  # 13:10 in Shanghai
    Hour(time(6, 30), "asia"),
    Hour(time(10, 40), "asia"),  # after work in Shanghai
    Hour(time(16, 10)),  # before noon in New York, and the west is up
    Hour(time(16, 20), "america"),
    Hour(time(19, 30), "america"),
    Hour(time(23, 10), "america"),  # after work in New York
    Hour(time(23, 20)),
)
"""Calls of an agent per day = the blocks of its floor times the calls of a block."""
CALLS_PER_BLOCK = {"asia": 5, "america": 3}


class DayRun(Protocol):
    """Runs the platform's business day on the manifest of its feed."""

    def __call__(self, business_date: date, manifest: Any) -> dict[str, Any]:
        """Run the day."""
        ...


@dataclass
class Replay:
    """The platform and the town, day after day. ``robot`` settles one claimed robot call."""

    town: Town
    units: UnitsOfWork
    clock: TownClock
    packs: PackLibrary
    run_day: DayRun
    robot: Callable[[int], None]
    sms: TownSms
    desk: Desk
    colleagues: list[Colleague]
    robot_lines: int = 35
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    totals: Counter[str] = field(default_factory=Counter)

    def day(self, business_date: date) -> None:
        """Live one day, from the feed at midnight to what people do in the evening."""
        self.open(business_date)
        for hour in HOURS:
            self.pass_hour(business_date, hour)
        self.close(business_date)

    def open(self, business_date: date) -> None:
        """Write the night's feed, run the platform's day, open the agents' lists."""
        with self._timed("feeds"):
            manifest = self.town.feeds.write(business_date)
        self.clock.set(business_date, DAY_BEGINS)
        with self._timed("day run"):
            done = self.run_day(business_date, manifest)
        for step in done["steps"]:
            self.seconds[f"  {step['name']}"] += step["seconds"]
            for name, value in step["result"].items():
                if isinstance(value, int):
                    self.totals[f"{step['name']}.{name}"] += value
        with self._timed("agents"):
            self.desk.open(business_date)

    def pass_hour(self, business_date: date, hour: Hour) -> None:
        """Do what the hour is for."""
        now = self.clock.set(business_date, hour.at)
        if hour.floor is not None:
            if business_date.weekday() >= SATURDAY:
                return  # the floors are closed; messages and the robot go on
            with self._timed("agents"):
                floor = [c for c in self.colleagues if c.is_chinese == (hour.floor == "asia")]
                stats = self.desk.work(floor, business_date, calls=CALLS_PER_BLOCK[hour.floor])
            self.totals.update({f"agents.{k}": v for k, v in stats.items()})
            return
        with self._timed("texts"):
            self._dispatch(robot=None, limit=10_000)
            self._receipts(now)
        with self._timed("robot calls"):
            self._dispatch(robot=self.robot, limit=self.robot_lines)

    def close(self, business_date: date) -> None:
        """Let people feel what reached them, and live the day."""
        with self._timed("town"):
            self.clock.set(business_date, EVENING)
            self._feel(business_date)
            self.town.behaviour.live(business_date)

    def _dispatch(self, *, robot: Callable[[int], None] | None, limit: int) -> None:
        stats = dispatch_due(
            self.units,
            gateway=self.sms,
            packs=self.packs,
            worker="town",
            robot=robot,
            limit=limit,
            voice_batch=50,  # the town's calls take no time, so the gate's word is fresh for all of them
        )
        self.totals.update({f"dispatch.{k}": v for k, v in stats.items()})

    def _receipts(self, now: datetime) -> None:
        """Carry the receipts back, and the STOP of those who have had enough."""
        reports = self.sms.receipts()
        if not reports:
            return
        with self.units.begin() as uow:
            self.totals["receipts"] += receipts.apply_receipts(uow, reports)
        with self.units.database.reading() as session:
            sent = desks.touches(session, source=SOURCE, from_at=now, to_at=now + timedelta(minutes=1))
        texted = sent.filter(pl.col("channel") == "sms").unique("customer_ref", maintain_order=True)
        who = customers_of(texted)
        stops = texted.filter(pl.Series(self.town.behaviour.stop_texts(now, who), dtype=pl.Boolean))
        for row in stops.iter_rows(named=True):
            self.clock.now = now + timedelta(minutes=3)
            with self.units.begin() as uow:
                receipts.receive_message(
                    uow,
                    provider=PROVIDER,
                    provider_ref=f"IN{row['attempt_id']}",
                    sender=row["value"],
                    body="STOP",
                )
            self.totals["stops"] += 1
        if stops.height:
            self._dispatch(robot=None, limit=100)  # the one confirmation that each of them gets
            self.clock.now = now

    def _feel(self, business_date: date) -> None:
        begins = datetime.combine(business_date, DAY_BEGINS, tzinfo=UTC)
        with self.units.database.reading() as session:
            made = desks.touches(session, source=SOURCE, from_at=begins, to_at=begins + timedelta(days=1))
            promised = desks.promises_made(session, source=SOURCE, on=business_date)
        reached = made.filter(pl.Series([self._reaches(v) for v in made["value"]], dtype=pl.Boolean))
        for touch, felt in TOUCHES.items():
            self.town.behaviour.feel(customers_of(reached.filter(felt)), touch)
        for row in promised.iter_rows(named=True):
            account = int(row["account_ref"][1:]) - 1
            self.town.behaviour.promise(account, row["amount"], row["due_on"])

    def _reaches(self, value: str) -> bool:
        """Tell whether a number is the customer's own or of the household, which passes the word on."""
        return bool(self.town.people.points.truth[self.desk.points[value]] <= 1)

    @contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        began = stopwatch.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] += stopwatch.perf_counter() - began


_VOICE, _BY_ROBOT = pl.col("channel") == "voice", pl.col("mode") == "ai_voice"
_OUTCOME = pl.col("outcome")
TOUCHES: dict[Touch, pl.Expr] = {
    Touch.SMS: (pl.col("channel") == "sms") & pl.col("status").is_in(["sent", "delivered"]),
    Touch.ROBOT: _VOICE & _BY_ROBOT & (Outcome.RPC.value == _OUTCOME),
    Touch.AGENT: _VOICE & ~_BY_ROBOT & (Outcome.RPC.value == _OUTCOME),
    Touch.VOICEMAIL: _VOICE & (Outcome.VOICEMAIL.value == _OUTCOME),
}
"""How a recorded attempt is felt: only what really left the house, and how it ended, counts."""


def customers_of(frame: pl.DataFrame) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the town's rows of the customers in a frame; their references are their numbers."""
    return frame["customer_ref"].str.slice(1).cast(pl.Int64).to_numpy() - 1
