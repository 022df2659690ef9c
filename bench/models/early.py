"""Do weekly cards with app events warn earlier than a monthly card of payment history? In the town, truth known.

    python bench/models/early.py [--seeds 1 2 3 4 5] [--size 2000] [--threads 1]

Five towns (seeds), each lived for 540 days; every account of the lender is watched, not only those in collections.
Cards learn on 70% of the customers (hash of the number) and on observations whose outcome windows end before day
330; they are judged on the other customers from day 330 on. Nothing is tuned: one fixed set of parameters for every
card (boosted trees, depth 3, 250 rounds, the monotone directions of the feature list). No bureau and no feedback in
any of them, so that what differs is what is named. Intervals: 95% bootstrap over the test customers of all towns.
There is no published baseline for such a card: the classic monthly card is the baseline.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl
from town_book import TownBook, is_observed, live

from models import booster
from models.evaluate import Floats, Ints, auc, ks
from models.event_features import EVENT_NAMES
from models.feature_list import FEATURE_NAMES, SPECS
from models.features import build_features

DAYS, BEGIN, LEARN_UNTIL = 540, 30, 330
WATCH_DAYS, BAD_DPD = 30, 7
ALERTS_A_MONTH = 0.10
_MONTH = 365.25 / 12
_PARAMS = {
    "objective": "binary:logistic", "tree_method": "hist", "max_depth": 3, "eta": 0.05, "subsample": 0.8,
    "colsample_bytree": 0.5, "lambda": 5.0, "min_child_weight": 30,
}  # fmt: skip
_ROUNDS = 250
CLASSIC = tuple(n for n in FEATURE_NAMES if SPECS[n].source not in ("signals", "attempts", "promises"))
WITH_EVENTS = (*CLASSIC, *EVENT_NAMES)
TRUTH = ("means", "will", "memory")
"""What only the town knows: the most that any card could learn on top of the history."""


@dataclass(frozen=True)
class Card:
    """A way to warn: what it reads, what it predicts (DPD reached within days), and how often it looks."""

    name: str
    features: tuple[str, ...]
    dpd: int
    days: int
    weekly: bool


CARDS = (
    Card("classic monthly (DPD 30 in 180 days)", CLASSIC, 30, 180, weekly=False),
    Card("same features, monthly, DPD 7 in 30 days", CLASSIC, BAD_DPD, 30, weekly=False),
    Card("same features, weekly", CLASSIC, BAD_DPD, 30, weekly=True),
    Card("high frequency: weekly, with app events", WITH_EVENTS, BAD_DPD, 30, weekly=True),
    Card("(ceiling: history and the hidden truth)", (*CLASSIC, *TRUTH), BAD_DPD, 30, weekly=True),
)
HIGH_FREQUENCY = 3


@dataclass(frozen=True)
class Look:
    """The good accounts of one observation day: features (a row each) and their account numbers."""

    row: int
    is_sunday: bool
    is_month_end: bool
    account: Ints
    features: pl.DataFrame


def looks(book: TownBook) -> Iterator[Look]:
    """Build features on every Sunday and month end, of accounts three months on book with nothing past due."""
    for row in range(BEGIN, DAYS):
        day = book.start + timedelta(days=row)
        if not is_observed(day):
            continue
        old = book.on_book <= day.toordinal() - 90
        good = np.flatnonzero((book.dpd[row] == 0) & book.active[row] & old)
        frame = build_features(book.frames, day).filter(pl.col("account_id").is_in(good.tolist()))
        account = frame["account_id"].to_numpy()
        truth = {
            "means": (book.ability - 1.5 * book.distress[row])[account], "will": book.willingness[account],
            "memory": book.forgetfulness[account],
        }  # fmt: skip
        known = frame.select(WITH_EVENTS).with_columns(pl.Series(name, values) for name, values in truth.items())
        yield Look(row, day.weekday() == 6, (day + timedelta(days=1)).day == 1, account, known.cast(pl.Float32))


def reached(book: TownBook, look: Look, *, dpd: int, days: int) -> Ints:
    """Tell whether each account gets to a DPD within the days after the look."""
    return (book.dpd[look.row + 1 : look.row + 1 + days, look.account] >= dpd).any(axis=0).astype(np.int64)


def is_test(owner: Ints) -> np.ndarray:
    """Put three customers in ten on the test side, by a fixed mix of their numbers."""
    return (owner * 2_654_435_761 % 2**32) % 10 < 3


def fit(card: Card, book: TownBook, seen: Sequence[Look], *, seed: int, threads: int) -> object:
    """Learn from the looks of the card's rhythm whose windows end before the test begins."""
    chosen = [k for k in seen if k.row + card.days < LEARN_UNTIL and (k.is_sunday if card.weekly else k.is_month_end)]
    learn = [~is_test(book.owner[k.account]) for k in chosen]
    matrix = np.vstack([_matrix(k, card)[rows] for k, rows in zip(chosen, learn, strict=True)])
    outcome = np.concatenate(
        [reached(book, k, dpd=card.dpd, days=card.days)[rows] for k, rows in zip(chosen, learn, strict=True)]
    )
    signs = tuple(int(SPECS[n].direction) if n in SPECS else 0 for n in card.features)
    params = {**_PARAMS, "seed": seed, "nthread": threads, "monotone_constraints": signs}
    return booster.fit(matrix, outcome, params=params, rounds=_ROUNDS)


def _matrix(look: Look, card: Card) -> Floats:
    return look.features.select(card.features).fill_null(float("nan")).to_numpy()


@dataclass
class Judged:
    """Test rows of every town: customer, outcome, and each card's risk; and each card's alerts."""

    customer: list[Ints]
    outcome: list[Ints]
    on_month_end: list[np.ndarray]
    risk: list[list[Floats]]
    own: list[tuple[float, float]]
    caught: list[list[np.ndarray]]
    alerts: list[list[np.ndarray]]
    latency: list[list[np.ndarray]]


def judge(seed: int, size: int, threads: int, into: Judged) -> None:
    """Live a town, learn the cards, score the test rows, and let every card raise its alerts."""
    book = live(seed=seed, size=size, days=DAYS)
    seen = list(looks(book))
    models = [fit(card, book, seen, seed=seed, threads=threads) for card in CARDS]
    later = [k for k in seen if k.row >= LEARN_UNTIL and k.row + WATCH_DAYS < DAYS]
    risk = []
    for look in later:
        test = is_test(book.owner[look.account])
        said = [booster.margin(m, _matrix(look, card)[test]) for m, card in zip(models, CARDS, strict=True)]
        risk.append((look, look.account[test], said))
        into.customer.append(book.owner[look.account[test]] + seed * 1_000_000)
        into.outcome.append(reached(book, look, dpd=BAD_DPD, days=30)[test])
        into.on_month_end.append(np.full(int(test.sum()), look.is_month_end))
        into.risk.append(said)
    _judge_own_target(book, risk, into)
    for n, card in enumerate(CARDS):
        raised = _alerts(book, [(k, accounts, said[n]) for k, accounts, said in risk], card)
        caught, precise, latency = _leads(book, raised)
        into.caught[n].append(caught)
        into.alerts[n].append(precise)
        into.latency[n].append(latency)


def _judge_own_target(book: TownBook, risk: list[tuple[Look, Ints, list[Floats]]], into: Judged) -> None:
    """Hold the classic card against what it was made for, where its half year has passed."""
    own = CARDS[0]
    done = [(k, a, s[0]) for k, a, s in risk if k.is_month_end and k.row + own.days < DAYS]
    if not done:
        return
    truth = np.concatenate([reached(book, k, dpd=own.dpd, days=own.days)[np.isin(k.account, a)] for k, a, _ in done])
    said = np.concatenate([s for _, _, s in done])
    into.own.append((auc(truth, said), ks(truth, said)))


def _alerts(book: TownBook, said: list[tuple[Look, Ints, Floats]], card: Card) -> list[tuple[int, int]]:
    """Return (row, account) of alerts: the riskiest not on watch yet, as many a month for every card."""
    share = ALERTS_A_MONTH * (7 / _MONTH if card.weekly else 1.0)
    until = np.full(book.owner.size, -1)
    raised = []
    for look, accounts, risk in said:
        if not (look.is_sunday if card.weekly else look.is_month_end):
            continue
        free = until[accounts] < look.row
        count = round(share * accounts.size)
        worst = accounts[free][np.argsort(-risk[free], kind="stable")[:count]]
        until[worst] = look.row + WATCH_DAYS
        raised += [(look.row, a) for a in worst.tolist()]
    return raised


def _leads(book: TownBook, raised: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return for every bad start of a test customer the days of warning (-1 = none), for every alert whether it came
    true in 30 days, and for every bad start after a spell without income the days from its beginning to the alert."""
    last = DAYS - WATCH_DAYS
    by_account: dict[int, list[int]] = {}
    for row, account in raised:
        by_account.setdefault(account, []).append(row)
    late = book.dpd >= BAD_DPD
    test = np.flatnonzero(is_test(book.owner))
    leads, latency = [], []
    for account in test.tolist():
        for start in (np.flatnonzero(late[1:, account] & ~late[:-1, account]) + 1).tolist():
            if not LEARN_UNTIL + WATCH_DAYS <= start < last or not book.active[start, account]:
                continue
            hits = [r for r in by_account.get(account, ()) if start - WATCH_DAYS <= r < start]
            leads.append(start - hits[0] if hits else -1)
            lean = book.distress[max(0, start - 45) : start, account]
            if lean.any() and not lean[0]:
                onset = max(0, start - 45) + int(lean.argmax())
                after = [r for r in hits if r >= onset]
                latency.append(after[0] - onset if after else -1)
    came_true = [bool(late[row + 1 : row + 1 + WATCH_DAYS, a].any()) for row, a in raised]
    return np.array(leads), np.array(came_true), np.array(latency)


def report(judged: Judged, seeds: Sequence[int]) -> None:
    """Print ranking, alerts and days of warning with intervals."""
    customer, outcome = np.concatenate(judged.customer), np.concatenate(judged.outcome)
    month_end = np.concatenate(judged.on_month_end)
    risk = [np.concatenate([r[n] for r in judged.risk]) for n in range(len(CARDS))]
    for name, rows in (("month ends", month_end), ("all Sundays and month ends", np.ones(len(outcome), dtype=bool))):
        print(f"\nDPD 7 within 30 days, {name}: {rows.sum():,} test rows, {outcome[rows].sum():,} events")
        for n, card in enumerate(CARDS):
            said = _ranking(customer[rows], outcome[rows], risk[n][rows], risk[HIGH_FREQUENCY][rows])
            print(f"  {card.name:45s} {said}")
    own = np.array(judged.own)
    means, spread = own.mean(axis=0), f"{own[:, 0].min():.3f}-{own[:, 0].max():.3f}"
    print(f"\nclassic card on its own target: AUC {means[0]:.4f} (towns {spread}), KS {means[1]:.3f}")
    print(f"\nalerts at equal volume ({ALERTS_A_MONTH:.0%} of good accounts a month), {len(seeds)} towns")
    for n, card in enumerate(CARDS):
        print(f"  {card.name:45s} {_warned(judged, n)}")


def _ranking(customer: Ints, outcome: Ints, risk: Floats, best: Floats) -> str:
    rng = np.random.default_rng(0)
    people, place = np.unique(customer, return_inverse=True)
    aucs, kss, gaps = [], [], []
    for _ in range(100):
        weight = np.bincount(rng.integers(0, people.size, people.size), minlength=people.size)
        rows = np.repeat(np.arange(outcome.size), weight[place])
        aucs.append(auc(outcome[rows], risk[rows]))
        kss.append(ks(outcome[rows], risk[rows]))
        gaps.append(auc(outcome[rows], best[rows]) - aucs[-1])
    (a, b), (c, d), (e, f) = (np.quantile(v, [0.025, 0.975]) for v in (aucs, kss, gaps))
    return (f"AUC {auc(outcome, risk):.4f} [{a:.3f}, {b:.3f}]  KS {ks(outcome, risk):.3f} [{c:.3f}, {d:.3f}]  "
            f"high frequency adds {auc(outcome, best) - auc(outcome, risk):+.4f} [{e:+.3f}, {f:+.3f}]")  # fmt: skip


def _warned(judged: Judged, n: int) -> str:
    leads, alerts = np.concatenate(judged.caught[n]), np.concatenate(judged.alerts[n])
    latency = np.concatenate(judged.latency[n])
    towns = [float((x >= 0).mean()) for x in judged.caught[n]]
    hit = leads[leads >= 0]
    low, mid, high = np.quantile(hit, [0.25, 0.5, 0.75])
    quick = latency[latency >= 0]
    return (
        f"alerts {alerts.size:,}, true {alerts.mean():.1%}; of {leads.size:,} bad starts warned "
        f"{(leads >= 0).mean():.1%} (towns {min(towns):.1%}-{max(towns):.1%}),\n{'':48s}"
        f"lead median {mid:.0f} days (quarters {low:.0f}, {high:.0f}), 7 or more {(leads >= 7).mean():.1%}, "
        f"14 or more {(leads >= 14).mean():.1%}; after income stopped: warned {(latency >= 0).mean():.1%}, "
        f"median after {np.median(quick):.0f} days"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--size", type=int, default=2_000)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    many: list[list[np.ndarray]] = [[] for _ in CARDS]
    judged = Judged([], [], [], [], [], many, [[] for _ in CARDS], [[] for _ in CARDS])
    for seed in asked.seeds:
        judge(seed, asked.size, asked.threads, judged)
        print(f"town {seed} done", flush=True)
    report(judged, asked.seeds)


if __name__ == "__main__":
    main()
