"""What scores are worth where the truth is known: the town (docs/models/truth.md).

    python bench/models/town_value.py [--size 400] [--days 35] [--seeds 11 12 13 14 15]

Three questions. 1. Money per agent-hour when the floor's minutes go to the top of a list, by order of the list: the
same towns, the same minutes, the same reminders for everybody; only the order differs. 2. How well uplift and risk
rank what a call truly changes. 3. Self-cure learnt from customers nobody contacted, and from all, against the truth.

Models learn in other towns (seeds 101-104, 100 days, each line called with probability 0.15, 30% of the customers
never contacted) and are judged in the evaluation towns, once. Random numbers of the town are common: a person called
at the same hour answers alike in every world.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import polars as pl
from town_world import START, Morning, World, world

from collections_app.town.truth import call_truth, self_cure_chance
from models import family
from models.catalogue import recipe_of
from models.evaluate import Floats, Ints, auc
from models.feature_list import FEATURE_NAMES
from models.registry import Bundle
from models.sample import Sample
from models.uplift import Trial, UpliftModel, fit_uplift

TRAINING_SEEDS = (101, 102, 103, 104)
TRAINING_DAYS, SIZE = 100, 800
CALLED, SILENT = 0.15, 0.3
UPLIFT_DAYS, CURE_DAYS = 10, 10
MID_DPD = (10, 15, 20)
MINUTES_PER_OVERDUE = 0.12
"""Agent minutes a day for each customer of the town's size: about two of ten who may be called are."""
FEATURES = list(FEATURE_NAMES)


@dataclass
class Learnt:
    """The rows that the training towns gave, and the models learnt from them."""

    risk_rows: list[pl.DataFrame] = field(default_factory=list)
    trial_rows: list[pl.DataFrame] = field(default_factory=list)
    cure_rows: list[pl.DataFrame] = field(default_factory=list)


@dataclass(frozen=True)
class Models:
    """What the floor's orders are made from."""

    risk: Bundle
    uplift: UpliftModel
    self_cure: Bundle
    self_cure_all: Bundle


# -- training towns ------------------------------------------------------------------------------------------------


def live_training(seed: int, learnt: Learnt) -> None:
    """Live one training town; every second day, note rows with their features and, later, their outcomes."""
    rng = np.random.default_rng([seed, 5])
    with world(seed, size=SIZE, days=TRAINING_DAYS, silent=SILENT) as w:
        owner = w.town.people.accounts.owner
        seen_entry: set[tuple[int, int]] = set()
        trials, states, money = [], [], np.zeros((TRAINING_DAYS, len(owner)))
        for k in range(TRAINING_DAYS):
            day = START + timedelta(days=k)
            morning = w.open(day)
            called = rng.random(len(morning)) < CALLED
            overdue = np.flatnonzero(w.book.dpd > 0)
            at = w.book.dpd[overdue]
            fresh = np.array([(a, int(w.book.entry_on[a])) not in seen_entry for a in overdue.tolist()], dtype=bool)
            seen_entry.update((a, int(w.book.entry_on[a])) for a in overdue.tolist())
            noted = overdue[(fresh & (at <= 7)) | np.isin(at, MID_DPD)]
            if k < TRAINING_DAYS - UPLIFT_DAYS and k % 2 == 0 and k >= 10:
                trials.append((k, morning.account, called, morning.features(morning.account)))
            if noted.size:
                states.append((day, noted, w.book.entry_on[noted].copy(), fresh[np.isin(overdue, noted)],
                               w.silent[owner[noted]], w.features(noted, day)))  # fmt: skip
            w.call(morning, np.flatnonzero(called), minutes=np.inf)
            w.close(day)
            for cash in w.town.ledger.booked[day]:
                if cash.channel != "autopay" and cash.kind == "payment":
                    money[k, cash.account] += cash.amount
        w.open(START + timedelta(days=TRAINING_DAYS))
        for k, accounts, called, features in trials:
            paid = (money[k : k + UPLIFT_DAYS, accounts] > 0).any(axis=0)
            learnt.trial_rows.append(features.with_columns(called=pl.Series(called), paid=pl.Series(paid)))
        _settle_states(w, seed, states, learnt)


States = list[tuple[date, Ints, Ints, np.ndarray, np.ndarray, pl.DataFrame]]
"""Day, accounts, when their episodes began, which are seen for the first time, which are silent, their features."""


def _settle_states(w: World, seed: int, states: States, learnt: Learnt) -> None:
    """Give entries and midpoints their outcome: DPD 31 reached in 30 days; cured within ten days."""
    ends = {(account, entry): (end, why) for account, entry, end, why in w.book.ended}
    last = START.toordinal() + TRAINING_DAYS
    snapshots = pl.concat(w.book.told["snapshots"]).group_by("account_id", "business_date").agg(pl.col("dpd").max())
    rolled = snapshots.filter(pl.col("dpd") >= 31).group_by("account_id").agg("business_date")
    reached = {account: np.array([d.toordinal() for d in days]) for account, days in rolled.iter_rows()}
    for day, accounts, entries, fresh, silent, features in states:
        today = day.toordinal()
        bad, cured, known_bad, known_cure = [], [], [], []
        for a, entry in zip(accounts.tolist(), entries.tolist(), strict=True):
            end, why = ends.get((a, int(entry)), (0, ""))
            late = reached.get(a, np.zeros(0))
            rolls = bool(((late >= entry) & (late <= today + 30) & ((end == 0) | (late <= end))).any())
            bad.append(rolls or (why == "charged_off" and end <= today + 30))
            known_bad.append(today + 33 <= last)
            cured.append(end > 0 and why in ("cured", "paid_off") and end <= today + CURE_DAYS)
            known_cure.append(today + CURE_DAYS <= last)
        people = w.town.people.accounts.owner[accounts] + seed * 1_000_000
        rows = features.with_columns(
            customer=pl.Series(people), bad=pl.Series(bad), cured=pl.Series(cured), silent=pl.Series(silent),
        )  # fmt: skip
        mature, fresh_rows = np.array(known_bad), np.array(fresh) & np.array(known_cure)
        learnt.risk_rows.append(rows.filter(pl.Series(mature & ~silent)))
        learnt.cure_rows.append(rows.filter(pl.Series(fresh_rows)))


def sample_of(rows: pl.DataFrame, outcome: str) -> Sample:
    """Return a sample; three of ten people are held out for the card's own figures."""
    customer = rows["customer"].to_numpy()
    people, place = np.unique(customer, return_inverse=True)
    test = np.random.default_rng(0).random(len(people)) < 0.3
    return Sample(
        features=rows.select(FEATURES), outcome=rows[outcome].cast(pl.Int64).to_numpy(), customer=customer,
        is_test=test[place],
    )  # fmt: skip


def learn(threads: int) -> Models:
    """Live the training towns and learn every model from their rows."""
    learnt = Learnt()
    for seed in TRAINING_SEEDS:
        live_training(seed, learnt)
    risk, trial_rows, cure = (pl.concat(r) for r in (learnt.risk_rows, learnt.trial_rows, learnt.cure_rows))
    provenance = {"source": "training towns", "seeds": list(TRAINING_SEEDS)}

    def card(recipe: str, rows: pl.DataFrame, outcome: str) -> Bundle:
        return family.train(
            recipe_of(recipe), sample_of(rows, outcome), algorithm="boosted", provenance=provenance, threads=threads
        )

    trial = Trial(
        trial_rows["called"].to_numpy(), trial_rows["paid"].cast(pl.Float64).to_numpy(),
        np.full(trial_rows.height, CALLED),
    )  # fmt: skip
    effect = trial.outcome[trial.treated].mean() - trial.outcome[~trial.treated].mean()
    models = Models(
        risk=card("c-card", risk, "bad"),
        uplift=fit_uplift(matrix(trial_rows), trial, kind="x", threads=threads),
        self_cure=card("self-cure", cure.filter("silent"), "cured"),
        self_cure_all=card("self-cure", cure.filter(~pl.col("silent")), "cured"),
    )
    for name in ("risk", "self_cure", "self_cure_all"):
        bundle: Bundle = getattr(models, name)
        print(f"  {name}: {bundle.card.sample['rows']:,} rows, {bundle.card.sample['events']:,} events, "
              f"AUC {bundle.card.test['auc']:.3f}, KS {bundle.card.test['ks']:.3f} on held-out people")  # fmt: skip
    print(f"  uplift: {trial_rows.height:,} rows, {int(trial.treated.sum()):,} called; a call raises payment within "
          f"{UPLIFT_DAYS} days by {effect:+.4f} (base {trial.outcome[~trial.treated].mean():.4f})")  # fmt: skip
    return models


def matrix(features: pl.DataFrame) -> Floats:
    """Return the features in their frozen order; null becomes NaN."""
    return features.select(pl.col(FEATURES).cast(pl.Float64).fill_null(float("nan"))).to_numpy()


# -- evaluation towns ----------------------------------------------------------------------------------------------

Order = Callable[[Morning, World, Models], Floats]
"""Higher is called first."""


def _risk(m: Morning, models: Models) -> Floats:
    return family.predict(models.risk, m.features(m.account), threads=1, exact_reasons=False).p_event


def _uplift(m: Morning, models: Models) -> Floats:
    return models.uplift.uplift(matrix(m.features(m.account)))


def _truth(m: Morning, w: World) -> Floats:
    at = w.instants(m.customer, m.day)
    return call_truth(w.town.behaviour, m.account, m.point, day=m.day, at=at, days=UPLIFT_DAYS).uplift


ORDERS: dict[str, Order] = {
    "random": lambda m, w, x: np.random.default_rng([m.day.toordinal(), w.town.people.seed]).random(len(m)),
    "DPD, latest first": lambda m, w, x: m.dpd + 1e-9 * m.arrears,
    "amount": lambda m, w, x: m.arrears,
    "C-card, riskiest first": lambda m, w, x: _risk(m, x),
    "C-card, safest first": lambda m, w, x: -_risk(m, x),
    "C-card risk x amount": lambda m, w, x: _risk(m, x) * m.arrears,
    "uplift": lambda m, w, x: _uplift(m, x),
    "uplift x amount": lambda m, w, x: _uplift(m, x) * m.arrears,
    "true uplift x amount": lambda m, w, x: _truth(m, w) * m.arrears,
}


def live(seed: int, order: Order | None, models: Models, *, size: int, days: int) -> World:
    """Live one evaluation town with one order of the list; None: nobody calls."""
    with world(seed, size=size, days=days) as w:
        for k in range(days):
            day = START + timedelta(days=k)
            morning = w.open(day)
            if order is not None and len(morning):
                line = np.argsort(-order(morning, w, models), kind="stable")
                w.call(morning, line, minutes=size * MINUTES_PER_OVERDUE)
            w.close(day)
        return w


def money_table(models: Models, seeds: Sequence[int], size: int, days: int) -> None:
    """Print money per agent-hour by order, and what it adds over random and DPD order, paired by town."""
    alone = np.array([live(s, None, models, size=size, days=days).collected for s in seeds])
    made: dict[str, np.ndarray] = {}
    hours: dict[str, np.ndarray] = {}
    for name, order in ORDERS.items():
        worlds = [live(s, order, models, size=size, days=days) for s in seeds]
        hours[name] = np.array([w.minutes / 60 for w in worlds])
        made[name] = np.array([w.collected for w in worlds]) / 100
        calls = np.mean([w.calls for w in worlds])
        print(f"    {name}: {made[name].mean():,.0f} dollars, {hours[name].mean():.1f} agent-hours, {calls:,.0f} calls",
              flush=True)  # fmt: skip
    print(f"  without agents {alone.mean() / 100:,.0f} dollars a town; 95% t-intervals over {len(seeds)} towns, paired")
    print(f"  {'order':24} {'per hour':>9} {'extra per hour':>22} {'minus random':>24} {'minus DPD order':>24}")
    rate = {n: made[n] / hours[n] for n in made}
    extra = {n: (made[n] - alone / 100) / hours[n] for n in made}
    for name in made:
        cells = [spread(extra[name]), spread(extra[name] - extra["random"]),
                 spread(extra[name] - extra["DPD, latest first"])]  # fmt: skip
        print(f"  {name:24} {rate[name].mean():9,.1f} " + " ".join(f"{c:>24}" for c in cells))


def spread(values: np.ndarray) -> str:
    """Write a mean with its 95% t-interval over towns."""
    from scipy.stats import t

    if np.ptp(values) == 0:
        return f"{values.mean():+.1f}"
    reach = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():+.1f} [{values.mean() - reach:+.1f}, {values.mean() + reach:+.1f}]"


def truth_tables(models: Models, seeds: Sequence[int], size: int, days: int) -> None:
    """Print how scores rank the true uplift, and self-cure against the hidden truth."""
    ranks: dict[str, list[float]] = {"uplift (X-learner)": [], "risk": [], "DPD": [], "arrears": []}
    level: list[tuple[float, float]] = []
    cures: list[pl.DataFrame] = []
    for seed in seeds:
        rows, cure = _observe(seed, models, size=size, days=days)
        level.append((float(rows["uplift"].mean()), float(rows["truth"].mean())))
        for name, column in zip(ranks, ("uplift", "risk", "dpd", "arrears"), strict=True):
            ranks[name].append(float(rows.select(pl.corr(column, "truth", method="spearman")).item()))
        cures.append(cure)
    print("  rank correlation (Spearman) with what a call today truly changes in the chance of a payment in 10 days:")
    for name, values in ranks.items():
        print(f"    {name:20} {np.mean(values):+.3f}  (towns: {min(values):+.3f}..{max(values):+.3f})")
    print(f"    mean uplift told {np.mean([a for a, _ in level]):.4f}, true {np.mean([b for _, b in level]):.4f}")
    cure = pl.concat(cures)
    print(f"  self-cure within {CURE_DAYS} days, {cure.height:,} entries nobody contacted: "
          f"observed {cure['cured'].mean():.4f}, true chance {cure['truth'].mean():.4f}")  # fmt: skip
    outcome = cure["cured"].cast(pl.Int64).to_numpy()
    for column, label in (("hold_out", "learnt on the hold-out"), ("treated", "learnt on contacted customers"),
                          ("truth", "the truth itself")):  # fmt: skip
        p, truth = cure[column].to_numpy(), cure["truth"].to_numpy()
        error, together = np.abs(p - truth).mean(), np.corrcoef(p, truth)[0, 1]
        print(f"    {label:30} mean {p.mean():.4f}, bias {np.mean(p - truth):+.4f}, mean error {error:.4f}, "
              f"correlation {together:.3f}, AUC {auc(outcome, p):.4f}")  # fmt: skip


def _observe(seed: int, models: Models, *, size: int, days: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Live a town where a third is left alone; note scores beside truths, and what became of the hold-out's entries."""
    calls, entries, seen = [], [], set()
    rng = np.random.default_rng([seed, 6])
    with world(seed, size=size, days=days, silent=SILENT) as w:
        for k in range(days):
            day = START + timedelta(days=k)
            morning = w.open(day)
            if k >= 10 and k % 5 == 0:
                calls.append(pl.DataFrame({
                    "uplift": _uplift(morning, models), "risk": _risk(morning, models), "dpd": morning.dpd,
                    "arrears": morning.arrears, "truth": _truth(morning, w),
                }))  # fmt: skip
            overdue = np.flatnonzero(w.book.dpd > 0)
            key = [(a, int(w.book.entry_on[a])) for a in overdue.tolist()]
            fresh = np.array([e not in seen for e in key], dtype=bool)
            seen.update(key)
            alone = w.silent[w.town.people.accounts.owner[overdue]]
            noted = overdue[fresh & alone & (w.book.dpd[overdue] <= 7)]
            if 1 <= k < days - CURE_DAYS and noted.size:
                entries.append(_entry_rows(w, noted, day, models))
            w.call(morning, rng.permutation(len(morning)), minutes=size * MINUTES_PER_OVERDUE)
            w.close(day)
        w.open(START + timedelta(days=days))
        ends = {(a, entry): end for a, entry, end, why in w.book.ended if why != "charged_off"}
    cure = pl.concat(entries)
    keys = zip(cure["account"].to_list(), cure["entry"].to_list(), cure["day"].to_list(), strict=True)
    cured = [ends.get((a, entry), 10**9) <= day + CURE_DAYS for a, entry, day in keys]
    return pl.concat(calls), cure.with_columns(cured=pl.Series(cured))


def _entry_rows(w: World, accounts: Ints, day: date, models: Models) -> pl.DataFrame:
    features = w.features(accounts, day)
    return pl.DataFrame({
        "account": accounts, "entry": w.book.entry_on[accounts], "day": [day.toordinal()] * len(accounts),
        "hold_out": family.predict(models.self_cure, features, threads=1, exact_reasons=False).p_event,
        "treated": family.predict(models.self_cure_all, features, threads=1, exact_reasons=False).p_event,
        "truth": self_cure_chance(w.town.behaviour, accounts, day=day, days=CURE_DAYS),
    })  # fmt: skip


def main(seeds: Sequence[int], size: int, days: int, threads: int) -> None:
    """Print everything."""
    began = time.perf_counter()
    print(f"learning in towns {list(TRAINING_SEEDS)}, {TRAINING_DAYS} days each")
    models = learn(threads)
    print(f"  {time.perf_counter() - began:.0f} s")
    print(f"2-3. truth in towns {list(seeds)}, {days} days each")
    truth_tables(models, seeds, size, days)
    print(f"  {time.perf_counter() - began:.0f} s")
    print(f"1. money per agent-hour, towns {list(seeds)}, {days} days, {size * MINUTES_PER_OVERDUE:.0f} minutes a day")
    money_table(models, seeds, size, days)
    print(f"{time.perf_counter() - began:.0f} s in all")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=400)
    parser.add_argument("--days", type=int, default=35)
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13, 14, 15])
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    main(chosen.seeds, chosen.size, chosen.days, chosen.threads)
