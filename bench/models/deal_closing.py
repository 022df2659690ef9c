"""Deal-closing: who answers an offer (real campaign), and response times risk (the town).

    python bench/models/deal_closing.py ../shared/data/bank_marketing

Part 1, UCI Bank Marketing: the published train and test files are the split (32,951 / 8,237); ``duration`` is known
after the call only and left out; with and without the five columns of the economy. Depth and rounds come from 5-fold
cross-validation on the train file, seed 0. Nothing in that data set tells who later defaulted, and no other real book
can be linked to it: there is no real figure of response times risk here, and none is made up.

Part 2, the town, where both are lived: "respond" = applies for credit anywhere within 14 days (the bureaus' books),
"default" = 90 days past due within 180 days. Customers are observed once, on the first day, if nothing of theirs is
overdue and the account is 90 days old. Learnt in towns 301-304, judged in towns 21-26, once. The offer is assumed:
1,000.00 lent, margin 150.00, LGD 60%, a contact costs 1.50.
"""

import argparse
import tempfile
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from collections_app.town.bureau import Bureaus
from collections_app.town.ledger import Status
from collections_app.town.town import Town
from models import booster as trees
from models.deal_closing import Offer, adverse_selection, offer_value, whitelist
from models.evaluate import Floats, Ints, auc, evaluate, interval, ks, logistic_line
from models.sample import folds
from models.schema import Direction
from models.woe import fit_woe, log_odds

MACRO = ("emp.var.rate", "cons.price.idx", "cons.conf.idx", "euribor3m", "nr.employed")
BASELINE = {"with": ("0.8075 / 0.523", "0.8183 / 0.546"), "without": ("0.7674 / 0.409", "0.7862 / 0.462")}
_PARAMS = {"objective": "binary:logistic", "tree_method": "hist", "eta": 0.05, "subsample": 0.8,
           "colsample_bytree": 0.8, "lambda": 5.0, "min_child_weight": 20, "nthread": 1, "seed": 0}  # fmt: skip
START, DAYS = date(2026, 1, 5), 180
RESPOND_DAYS, DEFAULT_DPD = 14, 90
OFFER = Offer(margin=15_000, exposure=100_000, loss_given_default=0.6, contact_cost=150)
LEARN, JUDGE = (301, 302, 303, 304), (21, 22, 23, 24, 25, 26)
CONTACTS, PASS = 0.2, 0.8


# -- a calibrated booster: size by cross-validation, Platt's line on out-of-fold log odds ------------------------


class Response:
    """Boosted trees of a size found by 5-fold cross-validation, calibrated; ``held`` are its out-of-fold chances."""

    def __init__(self, x: Floats, y: Ints) -> None:
        fold = folds(np.arange(len(y)), 5, 0)
        best: tuple[float, int, int, Floats] | None = None
        for depth in (2, 3, 4):
            params = {**_PARAMS, "max_depth": depth}
            curves = [
                trees.fit_watched((x[fold != f], y[fold != f]), (x[fold == f], y[fold == f]), params=params,
                                  rounds=800, patience=40)
                for f in range(5)
            ]  # fmt: skip
            shortest = min(len(c.losses) for c in curves)
            loss = np.mean([c.losses[:shortest] for c in curves], axis=0)
            rounds = int(loss.argmin()) + 1
            margin = np.zeros(len(y))
            for f, curve in enumerate(curves):
                margin[fold == f] = trees.margin(curve.booster, x[fold == f], rounds=rounds)
            if best is None or loss.min() < best[0]:
                best = (float(loss.min()), depth, rounds, margin)
        assert best is not None
        _, self.depth, self.rounds, margin = best
        self.line = logistic_line(y, margin)
        self.held = self._chance(margin)
        self.booster = trees.fit(x, y, params={**_PARAMS, "max_depth": self.depth}, rounds=self.rounds)

    def _chance(self, margin: Floats) -> Floats:
        return np.asarray(1 / (1 + np.exp(-(self.line[0] * margin + self.line[1]))))

    def of(self, x: Floats) -> Floats:
        """Return each row's chance."""
        return self._chance(trees.margin(self.booster, x))


# -- part 1: the real campaign ---------------------------------------------------------------------------------------


def campaign(data: Path) -> None:
    """Print AUC and KS of the response models beside the published baselines."""
    train, test = (
        pl.read_csv(data / f"bank_marketing_{part}.csv", infer_schema_length=None, null_values=["NA"])
        for part in ("train", "test")
    )
    y = [(part["y"] == "yes").cast(pl.Int64).to_numpy() for part in (train, test)]
    print(f"bank marketing: {train.height:,} to learn, {test.height:,} to judge, {y[1].mean():.2%} said yes")
    for label, drop in (("with", ()), ("without", MACRO)):
        names = [c for c in train.columns if c not in ("y", "duration", *drop)]
        coded = coded_together(train.select(names), test.select(names))
        fit = fit_woe(coded[0], y[0], dict.fromkeys(names, Direction.FREE), seed=0)
        woe = 1 / (1 + np.exp(-log_odds(fit, coded[1])))
        dummies = dummies_together(train.select(names), test.select(names))
        model = Response(dummies[0], y[0])
        for name, p, base in (("WoE scorecard", woe, BASELINE[label][0]),
                              ("boosted trees", model.of(dummies[1]), BASELINE[label][1])):  # fmt: skip
            m = evaluate(y[1], p, rng=np.random.default_rng(0))
            print(f"  {label:7} macro, {name}: AUC {m.auc:.4f} [{m.auc_interval.low:.3f}, {m.auc_interval.high:.3f}] "
                  f"KS {m.ks:.3f} [{m.ks_interval.low:.3f}, {m.ks_interval.high:.3f}]; baseline AUC / KS {base}; "
                  f"calibration slope {m.calibration_slope:.2f}")  # fmt: skip
        print(f"          scorecard of {len(fit.bins)} features; trees depth {model.depth}, {model.rounds} rounds")


def coded_together(train: pl.DataFrame, test: pl.DataFrame) -> list[pl.DataFrame]:
    """Number the words of the train file's text columns by the alphabet; the outcome has no say in it."""
    words = {c: sorted(train[c].unique().to_list()) for c, d in train.schema.items() if d == pl.String}
    coding = [
        pl.col(c).replace_strict({w: float(k) for k, w in enumerate(ws)}, default=None, return_dtype=pl.Float64)
        for c, ws in words.items()
    ]
    return [part.with_columns(coding).cast(pl.Float64) for part in (train, test)]


def dummies_together(train: pl.DataFrame, test: pl.DataFrame) -> list[Floats]:
    """Give each word of the train file's text columns a column of its own."""
    words = {c: sorted(train[c].unique().to_list()) for c, d in train.schema.items() if d == pl.String}
    columns = [
        (pl.col(c) == w).cast(pl.Float64).alias(f"{c}={w}") for c, ws in words.items() for w in ws
    ] + [pl.col(c).cast(pl.Float64) for c in train.columns if c not in words]  # fmt: skip
    return [part.select(columns).to_numpy() for part in (train, test)]


# -- part 2: response times risk where both are lived ------------------------------------------------------------------


def observe(seed: int, size: int) -> tuple[Floats, Ints, Ints]:
    """Live one town; return what a lender sees of good customers on the first day, who applied, who defaulted."""
    with tempfile.TemporaryDirectory(prefix="deal-") as folder:
        town = Town.found(seed=seed, size=size, start=START, days=DAYS, feed_folder=Path(folder))
        people, ledger = town.people, town.ledger
        account = np.unique(people.accounts.owner, return_index=True)[1]
        owner, today = people.accounts.owner, START.toordinal()
        late = np.isin(owner[account], town.overdue_customers())
        old = people.accounts.joined[account] <= today - 90
        chosen = account[~late & old & (ledger.status[account] == Status.ACTIVE)]
        x = _seen(town, chosen, today)
        defaulted = np.zeros(len(chosen), dtype=bool)
        for k in range(DAYS):
            town.behaviour.live(START + timedelta(days=k))
            defaulted |= ledger.days_past_due(today + k + 1)[chosen] >= DEFAULT_DPD
        rows = people.applications[:, owner[chosen]]
        row = people.day_row(today)
        applied = rows[row + RESPOND_DAYS - 1] > rows[row - 1]
    return x, applied.astype(np.int64), defaulted.astype(np.int64)


def _seen(town: Town, accounts: Ints, today: int) -> Floats:
    """Return twelve statements in short, age, use, and the counting bureau's word where it knows the customer."""
    people, ledger = town.people, town.ledger
    history = [ledger.cycles_of(int(a), 12) for a in accounts]
    late = np.array([[late for _, late, _ in h][-12:] + [np.nan] * (12 - len(h)) for h in history], dtype=float)
    owner = people.accounts.owner[accounts]
    counts = Bureaus(people).multi_lending(owner, today - 1)
    known = people.customers.bureau_knows[owner] == 0
    outside = [np.where(known, values, np.nan) for values in counts.values()]
    inside = [np.nansum(late > 0, axis=1), np.nanmax(np.column_stack([late, np.zeros(len(late))]), axis=1),
              today - people.accounts.joined[accounts], ledger.balance[accounts] / people.accounts.principal[accounts],
              people.customers.bureau_knows[owner] != 0]  # fmt: skip
    return np.column_stack([*inside, *outside]).astype(np.float64)


def town_offers(size: int) -> None:
    """Print adverse selection and what each kind of list earns in the towns it was not learnt in."""
    learn = [observe(seed, size) for seed in LEARN]
    x, applied, defaulted = (np.concatenate([part[k] for part in learn]) for k in range(3))
    respond, risk = Response(x, applied), Response(x, defaulted)
    yes = applied == 1
    shift = adverse_selection(risk.held[yes], respond.held[yes], defaulted[yes])
    own = Response(x[yes], defaulted[yes])
    print(f"town, {len(x):,} good customers to learn from: {applied.mean():.1%} respond, {defaulted.mean():.2%} "
          f"default; of the responders {defaulted[yes].mean():.2%}")  # fmt: skip
    print(
        f"  adverse selection among {shift.rows:,} responders: PD(x) expects {shift.expected:.4f}, observed "
        f"{shift.observed:.4f} [{shift.interval.low:.4f}, {shift.interval.high:.4f}]; shown: {shift.is_shown}"
    )
    print(f"  logit PD(x|respond) = {shift.intercept:+.3f} {shift.slope:+.3f} logit PD(x) {shift.response:+.3f} "
          f"[{shift.response_interval.low:+.3f}, {shift.response_interval.high:+.3f}] logit P(respond)")  # fmt: skip
    limit = float(np.quantile(risk.held, PASS))
    earned: dict[str, list[float]] = {}
    seen: list[tuple[Floats, Floats, Floats, Ints, Ints]] = []
    for seed in JUDGE:
        z, said, lost = observe(seed, size)
        p, pd = respond.of(z), risk.of(z)
        corrected = shift.correct(pd, p)
        seen.append((p, pd, corrected, said, lost))
        worth = np.rint(said * np.where(lost == 1, -OFFER.loss_given_default * OFFER.exposure, OFFER.margin))
        worth = worth.astype(np.int64) - OFFER.contact_cost
        capacity, passes = round(CONTACTS * len(z)), pd <= limit
        orders = {
            "random": np.random.default_rng(seed).permutation(len(z)) + 1,
            "response": np.rint(p * 1e6).astype(np.int64),
            "response, B-card pass": np.where(passes, np.rint(p * 1e6).astype(np.int64), 0),
            "value, PD of everybody": offer_value(p, pd, OFFER),
            "value, PD corrected": offer_value(p, corrected, OFFER),
            "value, PD of responders": offer_value(p, own.of(z), OFFER),
        }
        for name, value in orders.items():
            gate = passes if name.startswith("value") else np.ones(len(z), dtype=bool)
            listed = whitelist(value, gate, capacity=capacity)
            earned.setdefault(name, []).append(float(worth[listed].sum()) / 100)
    report(seen, earned)


def report(seen: Sequence[tuple[Floats, Floats, Floats, Ints, Ints]], earned: dict[str, list[float]]) -> None:
    """Print the response and risk models of the judged towns, and the money of each list per town."""
    p, pd, corrected, said, lost = (np.concatenate([s[k] for s in seen]) for k in range(5))
    yes = said == 1
    print(f"  judged in {len(seen)} towns, {len(p):,} customers: response AUC {auc(said, p):.4f} KS {ks(said, p):.3f}; "
          f"risk AUC {auc(lost, pd):.4f} KS {ks(lost, pd):.3f}")  # fmt: skip
    print(f"  responders: defaulted {lost[yes].mean():.4f}, PD of everybody says {pd[yes].mean():.4f}, "
          f"corrected {corrected[yes].mean():.4f}")  # fmt: skip
    print(f"  earned per town with {CONTACTS:.0%} of the customers contacted at most (95% over towns, minus response):")
    rng = np.random.default_rng(0)
    for name, values in earned.items():
        money = np.array(values)
        gap = money - np.array(earned["response"])
        span = interval(np.array([gap[rng.integers(0, len(gap), len(gap))].mean() for _ in range(1000)]))
        print(f"    {name:24} {money.mean():10,.0f}   {gap.mean():+10,.0f} [{span.low:+,.0f}, {span.high:+,.0f}]")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the Bank Marketing data set")
    parser.add_argument("--size", type=int, default=1_500, help="size of each town")
    chosen = parser.parse_args()
    campaign(chosen.data)
    town_offers(chosen.size)
