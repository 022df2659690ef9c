"""A town with one floor of agents, driven directly: the nightly files are read, features built, calls placed.

Not the whole platform: no database, no gate, no allocation. Models see what the platform's would see, because the
raw frames are read from the same nightly files and ``models.features.build_features`` makes the features. What
people do comes from the town's own mind. Thousands of town days pass in minutes this way.
"""

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from collections_app.domain.outcomes import Disposition, Outcome
from collections_app.town.behaviour import Touch
from collections_app.town.feeds import SOURCE
from collections_app.town.population import PointTruth
from collections_app.town.town import Town
from models.evaluate import Floats, Ints
from models.features import build_features
from models.schema import FRAMES, RawFrames

START = date(2026, 1, 5)
YUAN_PER_DOLLAR = 7.0
"""Amounts are compared in US cents; the town's yuan are made seven to the dollar."""
NOON = time(12, 0)
UNANSWERED_MINUTES, WRAP_MINUTES = 1.0, 1.5
REST_DAYS, MOST_CALLS_7D = 2, 3
TEXT_EVERY_DAYS = 10
_FINAL = frozenset({Disposition.OPT_OUT, Disposition.ATTORNEY, Disposition.BANKRUPT, Disposition.DECEASED,
                    Disposition.DISPUTE})  # fmt: skip


class FeedBook:
    """What the nightly files told so far, as raw frames; ids are the town's rows."""

    def __init__(self, accounts: int) -> None:
        self.told: dict[str, list[pl.DataFrame]] = {name: [] for name in FRAMES}
        self.entry_on = np.zeros(accounts, dtype=np.int64)
        self.max_dpd = np.zeros(accounts, dtype=np.int64)
        self.dpd = np.zeros(accounts, dtype=np.int64)
        self.ended: list[tuple[int, int, int, str]] = []  # account, entry, end, reason

    def read(self, manifest: Path) -> None:
        """Take one night's files."""
        told = json.loads(manifest.read_text())
        day = date.fromisoformat(told["business_date"])
        for file in told["files"]:
            taker = getattr(self, f"_{file['entity']}", None)
            if taker is not None:
                taker(pl.read_csv(manifest.parent / file["file"], try_parse_dates=True, infer_schema_length=None), day)

    def _accounts(self, rows: pl.DataFrame, day: date) -> None:
        ids = _row_of("account_id")
        self.told["accounts"].append(rows.select(
            ids, _row_of("customer_id"), opened_on="origination_date", has_payment_feed=pl.lit(value=True),
            product_family="product_family", currency="ccy",
        ))  # fmt: skip
        self.told["snapshots"].append(rows.select(
            ids, business_date=pl.lit(day), dpd=pl.col("dpd_source"), balance_amount=pl.col("balance_total"),
            arrears_amount=pl.col("arrears_total"), limit_amount=pl.col("limit_or_principal"),
        ))  # fmt: skip
        account = rows.select(ids)["account_id"].to_numpy()
        dpd, status = rows["dpd_source"].to_numpy(), rows["status"].to_numpy()
        late = (dpd >= 1) & (status == "active")
        opened = account[late & (self.entry_on[account] == 0)]
        self.entry_on[opened] = day.toordinal()
        self.max_dpd[opened] = 0
        self.max_dpd[account[late]] = np.maximum(self.max_dpd[account[late]], dpd[late])
        reason = np.where(status == "charged_off", "charged_off", np.where(status == "closed", "paid_off", "cured"))
        over = ~late & (self.entry_on[account] > 0)
        for k, why in zip(account[over].tolist(), reason[over].tolist(), strict=True):
            self.ended.append((k, int(self.entry_on[k]), day.toordinal(), why))
        self.told["episodes"].append(pl.DataFrame({
            "account_id": account[over],
            "entry_on": [date.fromordinal(int(d)) for d in self.entry_on[account[over]]],
            "ended_on": [day] * int(over.sum()), "max_dpd": self.max_dpd[account[over]],
            "is_cured": reason[over] == "cured",
        }, schema_overrides={"entry_on": pl.Date, "ended_on": pl.Date}))  # fmt: skip
        self.entry_on[account[over]] = 0
        self.dpd[account] = np.where(late, dpd, 0)

    def _cycles(self, rows: pl.DataFrame, day: date) -> None:
        self.told["cycles"].append(rows.select(
            _row_of("account_id"), cycle_end_on="cycle_end_date", cycles_past_due="cycles_past_due",
            statement_amount="statement_amount", paid_amount="paid_amount",
        ))  # fmt: skip

    def _payments(self, rows: pl.DataFrame, day: date) -> None:
        sign = pl.when(pl.col("kind") == "reversal").then(-1).otherwise(1)
        self.told["payments"].append(rows.select(
            _row_of("account_id"), value_on="value_date", known_on=pl.lit(day), amount=sign * pl.col("amount"),
        ))  # fmt: skip

    def _signals(self, rows: pl.DataFrame, day: date) -> None:
        if "ml_id_all_orgs_12m" not in rows.columns:
            return  # the registry's receipt; the counting bureau's answers are used here
        counts = [c for c in rows.columns if c in FRAMES["signals"]]
        self.told["signals"].append(rows.select(
            _row_of("customer_id"), provider="provider", snapshot_on="snapshot_asof", received_on="received_on",
            usable_until="expires_on", hit_status="hit_status",
            **{c: pl.col(c).cast(pl.Float64) for c in counts if c.startswith("ml_")},
        ))  # fmt: skip

    def frames(self, accounts: Ints) -> RawFrames:
        """Return what is known of these accounts and their customers."""
        whole = {name: _whole(name, parts) for name, parts in self.told.items()}
        mine = (
            whole["accounts"]
            .unique("account_id", keep="last", maintain_order=True)
            .filter(pl.col("account_id").is_in(accounts.tolist()))
        )
        keep = {c: mine.select(c).unique() for c in ("account_id", "customer_id")}
        return RawFrames(**{
            name: mine if name == "accounts" else frame.join(
                keep["account_id" if "account_id" in frame.columns else "customer_id"],
                on="account_id" if "account_id" in frame.columns else "customer_id", how="semi",
            )
            for name, frame in whole.items()
        })  # fmt: skip


def _row_of(column: str) -> pl.Expr:
    """Return the town's row of a reference: they are numbered from one."""
    return (pl.col(column).str.slice(1).cast(pl.Int64) - 1).alias(column)


def _whole(name: str, parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Concatenate what was told and give it the frame's columns; what no file tells stays unknown."""
    rows = pl.concat(parts, how="diagonal_relaxed") if parts else pl.DataFrame()
    if len(parts) > 1:
        parts[:] = [rows]
    return rows.select(
        (pl.col(c) if c in rows.columns else pl.lit(None)).cast(dtype).alias(c) for c, dtype in FRAMES[name].items()
    ) if parts else pl.DataFrame(schema=dict(FRAMES[name]))  # fmt: skip


@dataclass(frozen=True)
class Morning:
    """The desk of a day: one line per customer who may be called, with the account that speaks for the case."""

    day: date
    customer: Ints
    account: Ints
    point: Ints
    dpd: Ints
    arrears: Floats  # US cents
    features: Callable[[Ints], pl.DataFrame]

    def __len__(self) -> int:
        return len(self.customer)


@dataclass
class World:
    """One town from its first day on, with a floor of agents; ``silent`` customers are never contacted at all."""

    town: Town
    silent: np.ndarray
    book: FeedBook = field(init=False)
    minutes: float = 0.0
    calls: int = 0
    collected: float = 0.0

    def __post_init__(self) -> None:
        people = len(self.town.people.customers)
        self.book = FeedBook(len(self.town.people.accounts))
        self.call_days: list[list[int]] = [[] for _ in range(people)]
        self.texted_on = np.zeros(people, dtype=np.int64)
        self.never = np.zeros(people, dtype=bool)
        self.points = _first_phone(self.town)
        self.promises: list[tuple[int, int, int, int]] = []  # account, made on, due on, amount

    def open(self, day: date) -> Morning:
        """Read the night's files and lay out who may be called: one month overdue at most, rested, no promise open."""
        self.book.read(self.town.feeds.write(day))
        self._judge_promises(day)
        owner, today = self.town.people.accounts.owner, day.toordinal()
        late = np.flatnonzero((self.book.dpd >= 1) & (self.book.dpd <= 30))
        money = self.town.ledger.arrears[late] / self.rate()[owner[late]]
        speaks = late[np.lexsort((-money, -self.book.dpd[late], owner[late]))]
        customer, first = np.unique(owner[speaks], return_index=True)
        account = speaks[first]
        waits = np.zeros(len(self.never), dtype=bool)
        waits[owner[self.town.behaviour.promise_due >= today]] = True
        rested = np.array([self._rested(int(c), today) for c in customer], dtype=bool)
        may = rested & ~self.never[customer] & ~self.silent[customer] & ~waits[customer] & (self.points[customer] >= 0)
        customer, account = customer[may], account[may]
        return Morning(
            day, customer, account, self.points[customer], self.book.dpd[account],
            self.town.ledger.arrears[account] / self.rate()[customer], lambda wanted: self.features(wanted, day),
        )  # fmt: skip

    def features(self, accounts: Ints, day: date) -> pl.DataFrame:
        """Build the features of these accounts as known this morning, in the order of ``accounts``."""
        built = build_features(self.book.frames(accounts), day)
        return pl.DataFrame({"account_id": accounts}).join(built, on="account_id", how="left", maintain_order="left")

    def call(self, morning: Morning, order: Ints, *, minutes: float) -> Ints:
        """Call down the list until the floor's minutes are used; return the lines that were called."""
        spent, called = 0.0, []
        for line in order.tolist():
            if spent >= minutes:
                break
            spent += self._one(morning, line)
            called.append(line)
        self.minutes += spent
        self.calls += len(called)
        return np.array(called, dtype=np.int64)

    def close(self, day: date) -> None:
        """Send the reminders that everybody gets, let people live the day, count what came in."""
        self._remind(day)
        self.town.behaviour.live(day)
        rate, owner = self.rate(), self.town.people.accounts.owner
        for cash in self.town.ledger.booked[day]:
            if cash.channel != "autopay":
                sign = -1 if cash.kind == "reversal" else 1
                self.collected += sign * cash.amount / rate[owner[cash.account]]

    def rate(self) -> Floats:
        """Return each customer's units of currency to the dollar."""
        return np.where(self.town.people.customers.is_cn, YUAN_PER_DOLLAR, 1.0)

    def instants(self, customers: Ints, day: date) -> list[datetime]:
        """Return noon of the day on the customers' own clocks."""
        zones = self.town.people.customers.home_zone
        return [datetime.combine(day, NOON, ZoneInfo(zones[int(c)])).astimezone(UTC) for c in customers]

    # -- the floor ---------------------------------------------------------------------------------

    def _rested(self, customer: int, today: int) -> bool:
        calls = self.call_days[customer]
        return not calls or (calls[-1] <= today - REST_DAYS and sum(d > today - 7 for d in calls) < MOST_CALLS_7D)

    def _one(self, morning: Morning, line: int) -> float:
        mind, day = self.town.behaviour, morning.day
        customer, account, point = (int(v[line]) for v in (morning.customer, morning.account, morning.point))
        at = self.instants(np.array([customer]), day)[0]
        self.call_days[customer].append(day.toordinal())
        met = mind.answer(point, at)
        said = Disposition.NONE
        minutes = UNANSWERED_MINUTES
        if met is Outcome.RPC:
            mind.feel(np.array([customer]), Touch.AGENT)
            answer = mind.converse(customer, int(self.town.ledger.arrears[account]), at)
            said, minutes = answer.disposition, answer.talk_seconds / 60 + WRAP_MINUTES
            if said is Disposition.PTP:
                due = day + timedelta(days=answer.promise_days)
                mind.promise(account, answer.promise_amount, due)
                self.promises.append((account, day.toordinal(), due.toordinal(), answer.promise_amount))
            self.never[customer] |= said in _FINAL
        elif met is Outcome.VOICEMAIL and self._reaches(point):
            mind.feel(np.array([customer]), Touch.VOICEMAIL)
        self._log(customer, day, met, said)
        return minutes

    def _log(self, customer: int, day: date, met: Outcome, said: Disposition) -> None:
        answered = met in (Outcome.RPC, Outcome.ANSWERED_UNVERIFIED, Outcome.WRONG_PARTY, Outcome.THIRD_PARTY)
        self.book.told["attempts"].append(pl.DataFrame({
            "customer_id": [customer], "at_on": [day], "settled_on": [day], "is_connect": [answered],
            "is_rpc": [met is Outcome.RPC], "is_refusal": [said is Disposition.REFUSED],
            "is_dead_end": [met in (Outcome.FAILED, Outcome.WRONG_PARTY)],
        }))  # fmt: skip

    def _reaches(self, point: int) -> bool:
        return bool(self.town.people.points.truth[point] <= PointTruth.HOUSEHOLD)

    def _remind(self, day: date) -> None:
        """Text every overdue customer every ten days, whoever is called: the same in every world."""
        today = day.toordinal()
        overdue = self.town.overdue_customers()
        texted = overdue[~self.silent[overdue] & (self.texted_on[overdue] <= today - TEXT_EVERY_DAYS)]
        texted = texted[self.points[texted] >= 0]
        self.texted_on[texted] = today
        reached = texted[self.town.people.points.truth[self.points[texted]] <= PointTruth.HOUSEHOLD]
        self.town.behaviour.feel(reached, Touch.SMS)

    def _judge_promises(self, day: date) -> None:
        """Settle promises three days after they were due, by the payments told since they were made."""
        ripe = [p for p in self.promises if p[2] + 3 <= day.toordinal()]
        if not ripe:
            return
        self.promises = [p for p in self.promises if p[2] + 3 > day.toordinal()]
        made = pl.DataFrame(ripe, schema=["account_id", "made", "due", "amount"], orient="row")
        paid = _whole("payments", self.book.told["payments"]).with_columns(
            on=pl.col("value_on").to_physical().cast(pl.Int64) + date(1970, 1, 1).toordinal()
        )
        sums = (
            made.join(paid.select("account_id", "on", paid="amount"), on="account_id", how="left")
            .group_by("account_id", "made", "due", "amount")
            .agg(pl.col("paid").filter(pl.col("on").is_between(pl.col("made"), pl.col("due") + 1)).sum())
        )
        kept = pl.col("paid") >= 0.95 * pl.col("amount")
        self.book.told["promises"].append(
            sums.select("account_id", settled_on=pl.lit(day - timedelta(days=1)), is_kept=kept, is_broken=~kept)
        )


def _first_phone(town: Town) -> Ints:
    """Return each customer's first telephone declared as the debtor's own, -1 where there is none."""
    p = town.people.points
    phones = np.full(len(town.people.customers), -1)
    declared = np.array([o == "debtor" and k in ("mobile", "landline")
                         for o, k in zip(p.declared_owner, p.kind, strict=True)])  # fmt: skip
    rows = np.flatnonzero(declared)
    rows = rows[np.lexsort((p.rank[rows], p.owner[rows]))][::-1]
    phones[p.owner[rows]] = rows  # the last writer is the lowest rank
    return phones


@contextmanager
def world(seed: int, *, size: int, days: int, silent: float = 0.0) -> Iterator[World]:
    """Found a town in a folder that vanishes; a share of its customers is drawn never to be contacted."""
    with tempfile.TemporaryDirectory(prefix=f"{SOURCE}-{seed}-") as folder:
        town = Town.found(seed=seed, size=size, start=START, days=days, feed_folder=Path(folder))
        people = len(town.people.customers)
        hushed = np.random.default_rng([seed, 77]).random(people) < silent
        yield World(town, hushed)
