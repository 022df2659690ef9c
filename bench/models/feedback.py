"""What does each outcome of collections, fed back, add to a B-card? On the real monthly panel, and in the town.

    python bench/models/feedback.py panel ../shared/data/credit_record_panel
    python bench/models/feedback.py town [--seeds 1] [--size 250] [--days 200]

Add-one: the base and one feedback feature. Drop-one: everything without it. Each card is fitted with five seeds and
fixed parameters (nothing is tuned); the figure is that of their mean log odds. Intervals: 95% bootstrap of the test
people, the same people for both cards of a difference.

panel: accounts good at the landmark (nothing 30 days late, not paid off), earlier spells of 30+ as the only feedback
there is; split by md5 of the ID (BASELINES.md c2, which is repeated first: WOE 0.7482, xgboost 0.7552).
town: days through the real platform (feeds, cases, calls, promises), observations every Sunday of accounts that are
known and good, features by the platform's own road; five folds of customers, each judged by cards of the others.
"""

import argparse
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import credit_panel
import numpy as np
import polars as pl
from feedback_town import observations

from models import booster
from models.booster import Matrix
from models.evaluate import Floats, Ints, auc, ks
from models.feature_list import FEATURE_NAMES, SPECS
from models.feedback_features import FEEDBACK_NAMES
from models.panel import PAID_OFF, landmark

SEEDS = range(5)
_PARAMS = {
    "objective": "binary:logistic", "tree_method": "hist", "max_depth": 3, "eta": 0.05, "subsample": 0.8,
    "colsample_bytree": 0.5, "lambda": 5.0, "min_child_weight": 10,
}  # fmt: skip
_ROUNDS = 150
_DRAWS = 300

PANEL_BASE = ("mob", "idle_3", "idle_6", "idle_share", "since_idle")
PANEL_FEEDBACK = {
    "spells": "earlier episodes", "worst_ever": "worst state of any", "since_late": "months since the cure",
    "late_ever": "months late in all",
}  # fmt: skip
_COLLECTIONS = ("attempts", "promises", "episodes")


@dataclass(frozen=True)
class Rows:
    """Learning and test rows: features by name, outcome, and who they are."""

    learn: pl.DataFrame
    learn_outcome: Ints
    test: pl.DataFrame
    test_outcome: Ints
    people: Ints

    def risk(self, names: Sequence[str], threads: int) -> Floats:
        """Return the mean log odds of five cards on the test rows."""
        matrices = [_matrix(frame, names) for frame in (self.learn, self.test)]
        return _risk(matrices[0], self.learn_outcome, matrices[1], tuple(0 for _ in names), threads)


@dataclass(frozen=True)
class Folded(Rows):
    """Every row is a test row once, judged by cards that learnt from the other four fifths of the people."""

    def risk(self, names: Sequence[str], threads: int) -> Floats:
        """Return the mean log odds of five cards on each row, out of fold."""
        matrix, signs = _matrix(self.test, names), tuple(int(SPECS[n].direction) for n in names)
        fold = (self.people * 2_654_435_761 % 2**32) % 5
        said = np.empty(len(matrix))
        for f in range(5):
            rest = fold != f
            said[~rest] = _risk(matrix[rest], self.test_outcome[rest], matrix[~rest], signs, threads)
        return said


def _matrix(frame: pl.DataFrame, names: Sequence[str]) -> Matrix:
    return frame.select(pl.col(names).cast(pl.Float32)).fill_null(float("nan")).to_numpy()


def _risk(learn: Matrix, outcome: Ints, test: Matrix, signs: tuple[int, ...], threads: int) -> Floats:
    said = []
    for seed in SEEDS:
        params = {**_PARAMS, "seed": seed, "nthread": threads, "monotone_constraints": signs}
        said.append(booster.margin(booster.fit(learn, outcome, params=params, rounds=_ROUNDS), test))
    return np.asarray(np.mean(said, axis=0))


def compare(
    rows: Rows, base: Sequence[str], feedback: Mapping[str, str], fit: Callable[[Sequence[str]], Floats]
) -> None:
    """Print add-one and drop-one of every feedback feature."""
    outcome, draws = rows.test_outcome, _draws(rows.people)
    without, full = fit(base), fit((*base, *feedback))
    print(f"  test rows {outcome.size:,}, events {outcome.sum():,} ({outcome.mean():.2%}), "
          f"people {np.unique(rows.people).size:,}; learning rows {rows.learn_outcome.size:,}")  # fmt: skip
    print(f"  base ({len(base)} features)                 {_said(outcome, without)}")
    print(f"  base and all feedback              {_said(outcome, full)}  adds {_gap(outcome, without, full, draws)}")
    for name, words in feedback.items():
        told = f"{rows.test[name].is_not_null().mean():.0%} told"
        add = _gap(outcome, without, fit((*base, name)), draws)
        rest = tuple(n for n in feedback if n != name)
        drop = _gap(outcome, fit((*base, *rest)), full, draws)
        print(f"    {words:32s} {told:>10s}  alone adds {add}   beyond the others {drop}")


def _draws(people: Ints) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    distinct, place = np.unique(people, return_inverse=True)
    counts = [
        np.bincount(rng.integers(0, distinct.size, distinct.size), minlength=distinct.size) for _ in range(_DRAWS)
    ]
    return [np.repeat(np.arange(people.size), c[place]) for c in counts]


def _said(outcome: Ints, risk: Floats) -> str:
    return f"AUC {auc(outcome, risk):.4f}  KS {ks(outcome, risk):.3f}"


def _gap(outcome: Ints, first: Floats, second: Floats, draws: list[np.ndarray]) -> str:
    gaps = [auc(outcome[d], second[d]) - auc(outcome[d], first[d]) for d in draws]
    low, high = np.quantile(gaps, [0.025, 0.975])
    return f"{auc(outcome, second) - auc(outcome, first):+.4f} [{low:+.4f}, {high:+.4f}]"


def panel(data: Path, threads: int) -> None:
    """Judge earlier episodes as feedback on the real panel."""
    split = credit_panel.load(data, "id")
    print(f"real panel, split {split.recipe}")
    for at, window in ((5, 12), (11, 12)):
        learn, test = (landmark(p, event_state=1, at_mob=at, window=window, everybody=True)
                       for p in (split.train, split.test))  # fmt: skip
        everyone = _panel_rows(learn, test)
        names = [c for c in learn.columns if c not in ("account_id", "customer", "month", "state", "outcome")]
        all_told = _said(everyone.test_outcome, everyone.risk(names, threads))
        print(f"\nseen {at + 1} months, 30+ in the {window} after; everybody, all history (c2 where 6 months):")
        print(f"  {all_told}, test rows {everyone.people.size:,}")
        good = (pl.col("state") <= 0) & (pl.col("state") != PAID_OFF)
        rows = _panel_rows(learn.filter(good), test.filter(good))
        print("accounts good at the landmark")
        compare(rows, PANEL_BASE, PANEL_FEEDBACK, lambda n, r=rows: r.risk(n, threads))


def _panel_rows(learn: pl.DataFrame, test: pl.DataFrame) -> Rows:
    return Rows(learn, learn["outcome"].to_numpy(), test, test["outcome"].to_numpy(), test["account_id"].to_numpy())


def town(seeds: Sequence[int], size: int, days: int, threads: int) -> None:
    """Judge the feed's nine features on towns that went through the platform."""
    found = []
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            found.append(observations(Path(folder), seed=seed, size=size, days=days))
        print(f"town {seed}: {found[-1].height:,} observations", flush=True)
    judge(pl.concat(found), threads)


def judge(book: pl.DataFrame, threads: int) -> None:
    """Print what the feed adds to the observations of towns."""
    bases = {
        "no word of collections in the base": [n for n in FEATURE_NAMES if SPECS[n].source not in _COLLECTIONS],
        "the C-card's features in the base (episodes, attempts, promises)": list(FEATURE_NAMES),
    }
    for label in ("bad7_30d", "bad30_60d"):
        seen = book.filter(pl.col(label).is_not_null())
        rows = Folded(seen, seen[label].to_numpy(), seen, seen[label].to_numpy(), seen["customer"].to_numpy())
        for words, base in bases.items():
            print(f"\ntown, {label}: {words}")
            compare(rows, base, {n: n for n in FEEDBACK_NAMES}, lambda n, r=rows: r.risk(n, threads))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("panel").add_argument("data", type=Path)
    lived = commands.add_parser("town")
    lived.add_argument("--seeds", type=int, nargs="+", default=[1])
    lived.add_argument("--size", type=int, default=250)
    lived.add_argument("--days", type=int, default=200)
    asked = parser.parse_args()
    if asked.command == "panel":
        panel(asked.data, asked.threads)
    else:
        town(asked.seeds, asked.size, asked.days, asked.threads)


if __name__ == "__main__":
    main()
