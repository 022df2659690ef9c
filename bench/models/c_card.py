"""The C-card on real books: boosted trees, scorecard and the expert's cold-start card, beside what was published.

    nice python bench/models/c_card.py ../shared/data [--only uci panel lendingclub] [--threads 1]

UCI Taiwan goes through the real intake (bench/models/splits.py). Intervals: 95% bootstrap of the test people, 500
draws, seed 0. Boosted trees are trained with three seeds; the first is the one reported, the others show the spread.
Test rows are touched once; nothing was chosen on them.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import splits

from models import expert, family
from models.catalogue import Recipe, recipe_of
from models.evaluate import Floats, Ints, auc, evaluate, interval, ks, logistic_line
from models.registry import Bundle
from models.sample import Sample, folds
from models.woe import Fit, fit_woe
from models.woe import log_odds as woe_log_odds

SEEDS = (0, 1, 2)
CARD = recipe_of("c-card")
PUBLISHED = {
    "uci overdue": (
        "PAY_0 alone AUC 0.6749 KS 0.3494; WOE scorecard, engineered, no demographics AUC 0.7264 KS 0.3595 Brier "
        "0.2115; xgboost likewise AUC 0.7355 [0.716, 0.756] KS 0.3699 Brier 0.2100"
    ),
    "uci whole": (
        "PAY_0 alone AUC 0.6883 KS 0.3696; WOE scorecard, engineered, no demographics AUC 0.7683 KS 0.4202 Brier "
        "0.1369; xgboost likewise AUC 0.7803 [0.769, 0.793] KS 0.4227 Brier 0.1346"
    ),
}


def report(title: str, recipe: Recipe, sample: Sample, *, threads: int) -> dict[str, Bundle]:
    """Train and print every algorithm on one sample."""
    test = sample.is_test
    outcome, people = sample.outcome[test], sample.customer[test]
    print(f"\n## {title}")
    print(f"{int((~test).sum()):,} rows to learn ({sample.outcome[~test].mean():.1%} with the event), "
          f"{int(test.sum()):,} to test ({outcome.mean():.1%}), {len(np.unique(people)):,} people tested")  # fmt: skip
    for name, base in PUBLISHED.items():
        if title.startswith(name):
            print(f"published, same split: {base}")
    rows = sample.features.filter(test)
    said: dict[str, Floats] = {"days past due alone": rows["dpd"].to_numpy().astype(np.float64)}
    bundles: dict[str, Bundle] = {}
    for algorithm in ("boosted", "scorecard"):
        started = time.perf_counter()
        bundles[algorithm] = family.train(recipe, sample, algorithm=algorithm, provenance={}, threads=threads)
        said[algorithm] = family.predict(bundles[algorithm], rows, threads=threads, exact_reasons=False).p_event
        print(f"{algorithm} trained in {time.perf_counter() - started:.1f} s")
    said["expert (cold start)"] = family.predict(expert.load(), rows).p_event
    print("\n| model | AUC | KS | Brier | calibration slope | rank breaks of 9 |\n|---|---|---|---|---|---|")
    for name, p in said.items():
        print(_line(name, outcome, p, people, is_chance=name != "days past due alone"))
    spread = [
        family.predict(family.train(recipe, sample, seed=s, provenance={}, threads=threads), rows,
                       threads=threads, exact_reasons=False).p_event
        for s in SEEDS[1:]
    ]  # fmt: skip
    both = [said["boosted"], *spread]
    print(f"boosted over seeds {SEEDS}: AUC {', '.join(f'{auc(outcome, p):.4f}' for p in both)}; "
          f"KS {', '.join(f'{ks(outcome, p):.4f}' for p in both)}")  # fmt: skip
    print(_difference(outcome, said["boosted"], said["scorecard"], people))
    for algorithm, bundle in bundles.items():
        print(f"{algorithm}: {bundle.card.recipe}")
        for alarm in bundle.card.alarms:
            print(f"  alarm: {alarm}")
    return bundles


def _line(name: str, outcome: Ints, p: Floats, people: Ints, *, is_chance: bool) -> str:
    chance = p if is_chance else (np.argsort(np.argsort(p)) + 0.5) / len(p)
    m = evaluate(outcome, chance, rng=np.random.default_rng(0), people=people)
    if not is_chance:
        drawn = f"{auc(outcome, p):.4f} | {ks(outcome, p):.4f} | - | - | - |"
        return f"| {name} | {drawn}"
    return (
        f"| {name} | {m.auc:.4f} [{m.auc_interval.low:.3f}, {m.auc_interval.high:.3f}] "
        f"| {m.ks:.4f} [{m.ks_interval.low:.3f}, {m.ks_interval.high:.3f}] | {m.brier:.4f} "
        f"| {m.calibration_slope:.2f} | {m.rank_breaks} |"
    )


def _difference(outcome: Ints, first: Floats, second: Floats, people: Ints) -> str:
    """Tell boosted minus scorecard on the same draws of people."""
    rng = np.random.default_rng(0)
    known, person = np.unique(people, return_inverse=True)
    order = np.argsort(person, kind="stable")
    starts = np.searchsorted(person[order], np.arange(len(known) + 1))
    aucs, kss = [], []
    for _ in range(500):
        drawn = rng.integers(0, len(known), len(known))
        rows = np.concatenate([order[starts[d] : starts[d + 1]] for d in drawn])
        y = outcome[rows]
        aucs.append(auc(y, first[rows]) - auc(y, second[rows]))
        kss.append(ks(y, first[rows]) - ks(y, second[rows]))
    a, k = interval(np.array(aucs)), interval(np.array(kss))
    by_auc, by_ks = auc(outcome, first) - auc(outcome, second), ks(outcome, first) - ks(outcome, second)
    return (
        f"boosted minus scorecard: AUC {by_auc:+.4f} [{a.low:+.3f}, {a.high:+.3f}], "
        f"KS {by_ks:+.4f} [{k.low:+.3f}, {k.high:+.3f}]"
    )


def lendingclub(data: Path) -> None:
    """Print the small book: loans once late, five-fold cross-validation, since 215 rows carry no test part."""
    book = splits.lendingclub(data, "late")
    names = (*splits.INSIDE, *splits.PRICE, *splits.OUTSIDE)
    print(f"\n## {book.words}")
    print(f"{len(book.outcome)} loans, {int(book.outcome.sum())} charged off. Features date from the application: the "
          "file tells nothing of the overdue time itself. Five folds, ten times over (seeds 0 to 9); all figures are "
          "out of fold.")  # fmt: skip
    aucs, kss = [], []
    for seed in range(10):
        fold, p = folds(np.arange(len(book.outcome)), 5, seed), np.empty(len(book.outcome))
        for f in range(5):
            held = fold == f
            fit = _fitted(book, names, ~held)
            p[held] = woe_log_odds(fit, book.rows.filter(held)) if fit else 0.0
        slope, intercept = logistic_line(book.outcome, p)
        chance = 1 / (1 + np.exp(-(slope * p + intercept)))
        m = evaluate(book.outcome, chance, rng=np.random.default_rng(seed), draws=100)
        aucs.append(auc(book.outcome, p))
        kss.append(m.ks)
        if seed == 0:
            one = evaluate(book.outcome, p, rng=np.random.default_rng(0))
    print(f"scorecard: AUC mean {np.mean(aucs):.3f} (from {min(aucs):.3f} to {max(aucs):.3f} over seeds), "
          f"KS mean {np.mean(kss):.3f}; bootstrap of seed 0: AUC [{one.auc_interval.low:.3f}, "
          f"{one.auc_interval.high:.3f}]")  # fmt: skip


def _fitted(book: splits.Columns, names: tuple[str, ...], rows: np.ndarray) -> Fit | None:  # type: ignore[type-arg]
    from models.sample import SampleError
    from models.schema import Direction

    try:
        return fit_woe(book.rows.filter(rows), book.outcome[rows], dict.fromkeys(names, Direction.FREE), seed=0)
    except SampleError:
        return None


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the shared data sets")
    parser.add_argument("--only", nargs="+", choices=("uci", "panel", "lendingclub"),
                        default=["uci", "panel", "lendingclub"])  # fmt: skip
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    if "uci" in asked.only:
        folder = asked.data / "uci_taiwan_default"
        book = splits.uci_book(folder)
        overdue = splits.uci(folder, "split_seed0_overdue.csv", book)
        report("uci overdue: accounts with PAY_0 >= 1, default next month (split_seed0_overdue.csv)", CARD, overdue,
               threads=asked.threads)  # fmt: skip
        whole = splits.uci(folder, "split_seed0_whole.csv", book)
        everyone = replace(CARD, dpd=(0, None), population="all accounts")
        bundles = report("uci whole: all accounts, default next month (split_seed0_whole.csv)", everyone, whole,
                         threads=asked.threads)  # fmt: skip
        late = whole.is_test & (whole.features["dpd"] >= 1).to_numpy()
        for name, bundle in bundles.items():
            p = family.predict(bundle, whole.features.filter(late), exact_reasons=False).p_event
            print(_line(f"whole-book {name} on its {late.sum():,} overdue test rows (published: WOE 0.7273, xgboost "
                        "0.7413)", whole.outcome[late], p, whole.customer[late], is_chance=True))  # fmt: skip
    if "panel" in asked.only:
        report("credit_record_panel: account-months 30 to 149 days past due, worse within three months (by applicant)",
               replace(CARD, event="worse_3m", horizon_days=90), splits.panel(asked.data / "credit_record_panel"),
               threads=asked.threads)  # fmt: skip
    if "lendingclub" in asked.only:
        lendingclub(asked.data / "lendingclub")


if __name__ == "__main__":
    main()
