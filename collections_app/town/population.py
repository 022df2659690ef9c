"""Who lives in the town: customers with hidden traits, their accounts and their contact points.

Arrays rather than objects: one row per customer, account or contact point, so that a day of the whole
town is a handful of numpy operations. Nothing in here is ever written to the platform's database
except through the feeds; the traits go to ``truth.parquet`` only.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import IntEnum
from typing import Any

import numpy as np
import polars as pl

from collections_app.town.places import CN_REGIONS, US_REGIONS, NumberPlan, Region, names
from collections_app.town.streams import stream

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]

HISTORY_DAYS = 400  # how long the town lives before the platform meets it: 12 cycles and more
CUSTOMERS_PER_OVERDUE = 4.1  # found by running the ledger; a test holds the town to its promised size
CN_SHARE = 0.35


class Habit(IntEnum):
    """When a customer can be had on the telephone."""

    DAY_WORKER = 0
    AT_HOME = 1
    SHIFT_WORKER = 2


class PointTruth(IntEnum):
    """Whose number it really is, which the feed does not know."""

    OWN = 0
    HOUSEHOLD = 1
    WRONG = 2
    DEAD = 3


@dataclass(frozen=True)
class Customers:
    """One row per customer. The fields from ``ability`` on are hidden."""

    ref: list[str]
    name: list[str]
    is_cn: Bools
    language: list[str]
    regions: list[tuple[str, ...]]
    zones: list[tuple[str, ...]]
    home_zone: list[str]
    payday: Ints
    ability: Floats
    willingness: Floats
    forgetfulness: Floats
    multi_lending: Floats
    habit: Ints
    reach: Floats
    sms_pull: Floats
    robot_pull: Floats
    agent_pull: Floats
    promise_keeping: Floats
    dispute_rate: Floats
    patience: Floats
    bureau_knows: Ints

    def __len__(self) -> int:
        return len(self.ref)


@dataclass(frozen=True)
class Accounts:
    """One row per account; ``owner`` is the row of its customer."""

    ref: list[str]
    owner: Ints
    product: list[str]
    is_third_party: Bools
    instalment: Ints
    principal: Ints
    due_dom: Ints
    joined: Ints
    originated: list[date]

    def __len__(self) -> int:
        return len(self.ref)


@dataclass(frozen=True)
class Points:
    """One row per contact point, with its truth."""

    owner: Ints
    kind: list[str]
    value: list[str]
    declared_owner: list[str]
    rank: Ints
    truth: Ints
    consent_kind: list[str]
    consent_day: Ints


@dataclass(frozen=True)
class Population:
    """Everybody, with the days on which each is in distress and how often each applies for credit."""

    seed: int
    start: date
    first_day: int
    customers: Customers
    accounts: Accounts
    points: Points
    distress: Bools
    applications: Ints

    def day_row(self, ordinal: int) -> int:
        """Return the row of a day in ``distress`` and ``applications``."""
        return ordinal - self.first_day

    def ability_on(self, ordinal: int) -> Floats:
        """Return how well each customer can pay on a day; distress takes much of it."""
        return np.asarray(self.customers.ability - 1.5 * self.distress[self.day_row(ordinal)])

    def truth_frame(self) -> pl.DataFrame:
        """Return the hidden traits, one row per customer, for simulation and for judging models."""
        c = self.customers
        hidden = {name: getattr(c, name) for name in (
            "ability", "willingness", "forgetfulness", "multi_lending", "habit", "reach", "sms_pull",
            "robot_pull", "agent_pull", "promise_keeping", "dispute_rate", "patience", "payday")}  # fmt: skip
        spells = self.distress.sum(axis=0)
        return pl.DataFrame({"customer_ref": c.ref, "country": np.where(c.is_cn, "CN", "US"), **hidden,
                             "days_in_distress": spells})  # fmt: skip


def found(*, seed: int, size: int, start: date, days: int) -> Population:
    """Found a town in which about ``size`` customers are overdue on every day from ``start`` on."""
    count = round(size * CUSTOMERS_PER_OVERDUE)
    days = -(-days // 120) * 120  # so that a short replay is the beginning of a longer one
    customers = _people(seed, count)
    first = start.toordinal() - HISTORY_DAYS - 365
    span = HISTORY_DAYS + 365 + days + 2
    distress = _distress(seed, customers, span)
    return Population(
        seed=seed,
        start=start,
        first_day=first,
        customers=customers,
        accounts=_accounts(seed, customers, start, days),
        points=_points(seed, customers, start),
        distress=distress,
        applications=_applications(seed, customers, distress),
    )


def _people(seed: int, count: int) -> Customers:
    rng = stream(seed, "people")
    is_cn = rng.random(count) < CN_SHARE
    load = rng.gamma(1.6, 0.6, count)
    forget = rng.beta(2.0, 3.0, count)
    will = rng.normal(0.2, 0.9, count)
    regions = _regions(rng, is_cn)
    english = np.where(rng.random(count) < 0.08, "es-US", "en-US")
    return Customers(
        ref=[f"C{n:06d}" for n in range(1, count + 1)],
        name=names(seed, is_cn),
        is_cn=is_cn,
        language=np.where(is_cn, "zh-CN", english).tolist(),
        regions=[tuple(dict.fromkeys(r.code for r in rs)) for rs in regions],
        zones=[tuple(dict.fromkeys(r.zone for r in rs)) for rs in regions],
        home_zone=[rs[0].zone for rs in regions],
        payday=rng.choice(np.array([1, 5, 10, 15, 25]), count, p=[0.25, 0.1, 0.2, 0.25, 0.2]),
        # Part of the inability shows in nothing but the number of lenders: what a bureau can add.
        ability=rng.normal(0.6, 0.75, count) - 0.8 * (load - 0.96),
        willingness=will,
        forgetfulness=forget,
        multi_lending=load,
        habit=rng.choice(3, count, p=[0.58, 0.27, 0.15]),
        reach=rng.beta(4.0, 3.0, count),
        sms_pull=0.4 + 2.4 * forget * rng.uniform(0.5, 1.5, count),
        robot_pull=0.3 + 1.8 * forget * rng.uniform(0.4, 1.6, count),
        agent_pull=2.0 + 1.2 * np.clip(0.6 - will, 0.0, 2.0) * rng.uniform(0.5, 1.5, count),
        promise_keeping=rng.beta(4.0, 2.2, count),
        dispute_rate=rng.beta(1.0, 60.0, count),
        patience=rng.gamma(6.0, 1.0, count),
        bureau_knows=rng.choice(4, count, p=[0.80, 0.14, 0.02, 0.04]),
    )


def _regions(rng: np.random.Generator, is_cn: Bools) -> list[tuple[Region, ...]]:
    """Draw where each lives; a twelfth of the US customers kept the number of another state."""

    def draw(regions: tuple[Region, ...], n: int) -> Ints:
        weights = np.array([r.weight for r in regions])
        return rng.choice(len(regions), n, p=weights / weights.sum())

    home_us, other_us, home_cn = (draw(r, is_cn.size) for r in (US_REGIONS, US_REGIONS, CN_REGIONS))
    moved = rng.random(is_cn.size) < 1 / 12
    return [
        (CN_REGIONS[c],) if cn else (US_REGIONS[u], US_REGIONS[o]) if m else (US_REGIONS[u],)
        for cn, c, u, o, m in zip(is_cn, home_cn, home_us, other_us, moved, strict=True)
    ]


def _distress(seed: int, customers: Customers, span: int) -> Bools:
    """Draw spells without income; those with many lenders have more of them, and longer ones."""
    rng = stream(seed, "distress")
    count = len(customers)
    flags = np.zeros((span, count), dtype=bool)
    day = np.arange(span)[:, None]
    for _ in range(4):
        begins = rng.integers(-60, span, count)
        length = rng.gamma(2.0, 22.0, count) * (0.6 + 0.4 * customers.multi_lending)
        happens = rng.random(count) < np.clip(0.10 + 0.22 * customers.multi_lending, 0, 0.85)
        flags |= happens & (day >= begins) & (day < begins + length)
    return flags


def _applications(seed: int, customers: Customers, distress: Bools) -> Ints:
    """Draw applications for credit per day; they rise in the month before a spell of distress and in it."""
    rng = stream(seed, "applications")
    ahead = distress.copy()
    for shift in (7, 14, 21, 28):
        ahead[:-shift] |= distress[shift:]
    rate = customers.multi_lending[None, :] * (0.012 + 0.05 * ahead)
    return rng.poisson(rate).cumsum(axis=0).astype(np.int64)


def _accounts(seed: int, customers: Customers, start: date, days: int) -> Accounts:
    rng = stream(seed, "accounts")
    n = len(customers)
    owner = np.concatenate([np.arange(n), np.flatnonzero(rng.random(n) < 0.12)])
    cn = customers.is_cn[owner]
    product = np.where(rng.random(owner.size) < 0.6, "card", np.where(cn, "micro", "instalment"))
    usual = {
        ("card", False): 9_000,
        ("card", True): 63_000,
        ("instalment", False): 22_000,
        ("micro", True): 60_000,
    }
    scale = np.array([usual[p, c] for p, c in zip(product.tolist(), cn.tolist(), strict=True)])
    instalment = np.round(scale * rng.lognormal(0.0, 0.45, owner.size) / 100).astype(np.int64) * 100
    months = np.where(product == "card", 28, rng.integers(20, 48, owner.size))
    # Half were customers long before the history begins; the others join day by day, so that new ones
    # come in as others pay off or are charged off.
    joined = np.where(rng.random(owner.size) < 0.5, rng.integers(HISTORY_DAYS, 2_600, owner.size),
                      rng.integers(-days, HISTORY_DAYS, owner.size))  # fmt: skip
    return Accounts(
        ref=[f"A{k:06d}" for k in range(1, owner.size + 1)],
        owner=owner,
        product=product.tolist(),
        is_third_party=rng.random(owner.size) < 0.08,
        instalment=instalment,
        principal=instalment * months,
        due_dom=rng.integers(1, 29, owner.size),
        originated=[start - timedelta(days=int(d)) for d in joined],
        joined=start.toordinal() - joined,
    )


def _points(seed: int, customers: Customers, start: date) -> Points:
    rng = stream(seed, "points")
    plan = NumberPlan()
    where = {r.code: r for r in (*US_REGIONS, *CN_REGIONS)}
    rows: list[tuple[int, str, str, str, int, int, str, int]] = []
    for k in range(len(customers)):
        luck = rng.random(5)
        region = where[customers.regions[k][-1]]
        truth = int(np.searchsorted([0.84, 0.89, 0.95], luck[0], side="right"))
        consent = "prior_express" if luck[1] < 0.76 else "sms_direct" if luck[1] < 0.88 else ""
        given = start.toordinal() - int(rng.integers(5, 700))
        if luck[2] < 0.97:
            rows.append((k, "mobile", plan.deal(region), "debtor", 1, truth, consent, given))
        if luck[3] < 0.14:
            own = PointTruth.HOUSEHOLD if rng.random() < 0.4 else PointTruth.OWN
            number = plan.deal(where[customers.regions[k][0]])
            rows.append((k, "landline", number, "debtor", 2, int(own), "", 0))
        if luck[4] < 0.06:
            rows.append((k, "mobile", plan.deal(region), "third_party", 3, int(PointTruth.WRONG), "", 0))
        if luck[4] > 0.55:
            rows.append((k, "email", f"{customers.ref[k].lower()}@mail.example", "debtor", 4, 0, "", 0))
    owner, kind, value, declared, rank, truths, consents, days = zip(*rows, strict=True)
    return Points(np.array(owner), list(kind), list(value), list(declared), np.array(rank), np.array(truths),
                  list(consents), np.array(days))  # fmt: skip
