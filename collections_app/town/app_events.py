"""What people do in the lender's app and with their card, day after day; it says more than they would.

Nothing here looks ahead: a day's events are drawn from what a person is on that day (means, will, memory,
distress), from how near the bill is and whether one is overdue. Who cannot pay looks at the bill again and
again without paying, at night more than by day, spends less, and takes the card off the account: weeks before
the account is late. Who forgets does not look at all.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from collections_app.domain.customer_events import CustomerEventKind
from collections_app.town.ledger import Ledger, Status
from collections_app.town.population import Bools, Floats, Ints, Population
from collections_app.town.streams import stream

KEPT_DAYS = 30
"""The lender sends this many days of history of an account that is new to the platform."""
_HOUR = 3600
KINDS = tuple(CustomerEventKind)
_CODE = {kind: n for n, kind in enumerate(KINDS)}

Drawn = tuple[CustomerEventKind, Ints]


@dataclass(frozen=True)
class Day:
    """One row per event: the account, the kind's number in KINDS, the second of the UTC day, the hour by the person's
    clock, the amount (-1 = none)."""

    account: Ints
    kind: Ints
    second: Ints
    hour: Ints
    amount: Ints


@dataclass
class AppEvents:
    """The town's app: which cards are bound, and the events of the last ``KEPT_DAYS`` days."""

    town: Population
    ledger: Ledger
    is_bound: Bools = field(init=False)
    days: dict[int, Day] = field(init=False, default_factory=dict)
    _zone: Ints = field(init=False)
    _zones: list[ZoneInfo] = field(init=False)

    def __post_init__(self) -> None:
        names, place = np.unique(np.array(self.town.customers.home_zone), return_inverse=True)
        self._zones = [ZoneInfo(name) for name in names.tolist()]
        self._zone = place[self.town.accounts.owner]
        self.is_bound = stream(self.town.seed, "cards").random(len(self.town.accounts)) < 0.8

    def live(self, day: date) -> None:
        """Let people use the app for a day, at its end: what was paid on it is known. Distant days leave no trace."""
        ordinal = day.toordinal()
        if ordinal < self.town.start.toordinal() - KEPT_DAYS:
            return
        rng = stream(self.town.seed, "app", ordinal)
        strain, near = self._strain(ordinal), self._nearness(day)
        night = 0.05 + 0.5 * strain
        drawn = [*self._logins(rng, strain, near), *self._cards(rng, strain, near)]
        self.days[ordinal] = self._dated(rng, drawn, self._spends(rng, strain), night, day)
        self.days.pop(ordinal - KEPT_DAYS, None)

    def frame(self, accounts: Ints, first_time: Ints, yesterday: date) -> pl.DataFrame:
        """Return yesterday's events of the accounts, and the days before of those told of for the first time."""
        last = yesterday.toordinal()
        parts = [self._rows(last, accounts), *(self._rows(n, first_time) for n in range(last - KEPT_DAYS + 1, last))]
        return pl.concat(parts)

    def _rows(self, ordinal: int, accounts: Ints) -> pl.DataFrame:
        day = self.days.get(ordinal)
        chosen = np.flatnonzero(np.isin(day.account, accounts)) if day is not None else np.zeros(0, dtype=np.int64)
        if day is None or not chosen.size:
            return pl.DataFrame(schema={"event_id": pl.String, "account_id": pl.String, "kind": pl.String,
                                        "occurred_at": pl.String, "amount": pl.Int64})  # fmt: skip
        midnight = datetime.combine(date.fromordinal(ordinal), time.min, tzinfo=UTC)
        at = pl.Series(day.second[chosen] * 1_000_000).cast(pl.Duration("us")) + midnight
        amount = day.amount[chosen]
        return pl.DataFrame(
            {
                "event_id": [f"E{ordinal}-{n:05d}" for n in chosen.tolist()],
                "account_id": [self.town.accounts.ref[k] for k in day.account[chosen].tolist()],
                "kind": [KINDS[k].value for k in day.kind[chosen].tolist()],
                "occurred_at": at.dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "amount": pl.Series(amount).replace(-1, None),
            }
        )

    # -- what a day is like ----------------------------------------------------------------------

    def _strain(self, ordinal: int) -> Floats:
        """Return how tight money is, 0 to 1, by account."""
        ability = self.town.ability_on(ordinal)[self.town.accounts.owner]
        return np.asarray(1.0 / (1.0 + np.exp(1.0 + 1.5 * ability)))

    def _nearness(self, day: date) -> Floats:
        """Return how near the next bill is: 1 on its day, less than a tenth two weeks before."""
        return np.asarray(np.exp(-((self.town.accounts.due_dom - day.day) % 30) / 6.0))

    def _active(self) -> Bools:
        lives = self.town.accounts.joined <= self.ledger.day.toordinal()
        return np.asarray(lives & (self.ledger.status == Status.ACTIVE))

    def _logins(self, rng: np.random.Generator, strain: Floats, near: Floats) -> list[Drawn]:
        c, owner = self.town.customers, self.town.accounts.owner
        will, forget = c.willingness[owner], c.forgetfulness[owner]
        overdue = self.ledger.is_overdue()
        shy = np.where(overdue, 1.0 / (1.0 + np.exp(-0.5 - will)), 1.0)  # the unwilling stay away from what they owe
        rate = np.exp(-1.5 - 1.6 * forget) * (1.0 + 1.5 * near * (1.0 - forget) + 1.5 * strain) * shy
        logins = rng.poisson(rate * self._active())
        looks = np.clip(0.05 + 0.2 * near + 0.8 * strain + 0.25 * overdue, 0.0, 0.9)
        views = rng.binomial(logins, looks)
        # Who paid in the app was there.
        booked = self.ledger.booked[self.ledger.day]
        paid = np.array([b.account for b in booked if b.kind == "payment" and b.channel == "app"], dtype=np.int64)
        logins[paid] += 1
        views[paid] += 1
        return [(CustomerEventKind.LOGIN, logins), (CustomerEventKind.REPAY_PAGE, views)]

    def _cards(self, rng: np.random.Generator, strain: Floats, near: Floats) -> list[Drawn]:
        will = self.town.customers.willingness[self.town.accounts.owner]
        off = 0.0004 + 0.15 * near * strain**2 / (1.0 + np.exp(will))
        luck, active = rng.random(off.size), self._active()
        unbound = active & self.is_bound & (luck < off)
        bound = active & ~self.is_bound & (luck < 0.02 * (1.0 - strain))
        self.is_bound = (self.is_bound & ~unbound) | bound
        return [(CustomerEventKind.CARD_BOUND, bound.astype(np.int64)),
                (CustomerEventKind.CARD_UNBOUND, unbound.astype(np.int64))]  # fmt: skip

    def _spends(self, rng: np.random.Generator, strain: Floats) -> Ints:
        cards = self._active() & ~self.ledger.is_loan & ~self.ledger.is_overdue()
        return np.asarray(rng.poisson(0.4 * np.exp(-3.0 * strain) * cards), dtype=np.int64)

    def _dated(self, rng: np.random.Generator, drawn: list[Drawn], spends: Ints, night: Floats, day: date) -> Day:
        """Give each event an hour of its person's clock, and a spend its amount; in order of time."""
        counts = [*drawn, (CustomerEventKind.SPEND, spends)]
        account = np.concatenate([np.repeat(np.arange(n.size), n) for _, n in counts])
        kind = np.concatenate([np.full(int(n.sum()), _CODE[k]) for k, n in counts])
        local = np.where(
            rng.random(account.size) < night[account],
            rng.integers(0, 6 * _HOUR, account.size),
            rng.integers(7 * _HOUR, 23 * _HOUR, account.size),
        )
        noon = datetime.combine(day, time(12))
        ahead = np.array([int((z.utcoffset(noon) or timedelta()).total_seconds()) for z in self._zones])
        second = (local - ahead[self._zone[account]]) % (24 * _HOUR)
        usual = self.town.accounts.instalment[account] / 8
        money = np.maximum(usual * rng.lognormal(-0.2, 0.7, account.size), 100).astype(np.int64)
        amount = np.where(kind == _CODE[CustomerEventKind.SPEND], money, -1)
        order: np.ndarray[Any, np.dtype[np.int64]] = np.argsort(second, kind="stable")
        return Day(account[order], kind[order], second[order], local[order] // _HOUR, amount[order])
