"""What do outside signals add? The same books with and without enquiries and accounts opened elsewhere.

    nice python bench/models/outside.py ../shared/data [--splits 20]

Repeated stratified 70/30 splits (seeds 0, 1, 2 ...). Two models see the same rows: a WoE scorecard (models.woe) and
boosted trees of fixed size (depth 2, 150 rounds, eta 0.05: nothing is tuned). A difference is paired within a
split; its interval is Nadeau and Bengio's corrected resampled t (1/k + test/train), because splits of one book overlap.

Only the LendingClub files hold such signals. Their features date from the application, so this is what
multi-lending tells about an application and, for the loans once late, about those that came to collections.
"""

import argparse
from pathlib import Path

import numpy as np
import splits
from scipy import stats

from models import booster as trees
from models.evaluate import Floats, auc, ks
from models.sample import SampleError
from models.schema import Direction
from models.woe import fit_woe, log_odds

_TEST = 0.3
_PARAMS = {
    "objective": "binary:logistic", "tree_method": "hist", "eta": 0.05, "max_depth": 2, "subsample": 0.8,
    "colsample_bytree": 0.8, "lambda": 5.0, "min_child_weight": 10, "nthread": 1,
}  # fmt: skip
_ROUNDS = 150


def measure(book: splits.Columns, names: tuple[str, ...], *, count: int) -> dict[str, Floats]:
    """Return AUC and KS of both models on the test part of each split (splits x 2)."""
    said: dict[str, list[tuple[float, float]]] = {"scorecard": [], "boosted": []}
    for seed in range(count):
        test = _stratified(book.outcome, seed)
        y = book.outcome[test]
        try:
            fit = fit_woe(book.rows.filter(~test), book.outcome[~test], dict.fromkeys(names, Direction.FREE), seed=seed)
            risk = log_odds(fit, book.rows.filter(test))
        except SampleError:
            risk = np.zeros(len(y))  # nothing told the outcomes apart: everybody is alike
        said["scorecard"].append((auc(y, risk), ks(y, risk)))
        matrix = book.matrix(names).astype(np.float32)
        model = trees.fit(matrix[~test], book.outcome[~test], params={**_PARAMS, "seed": seed}, rounds=_ROUNDS)
        risk = trees.margin(model, matrix[test])
        said["boosted"].append((auc(y, risk), ks(y, risk)))
    return {name: np.array(values) for name, values in said.items()}


def _stratified(outcome: np.ndarray, seed: int) -> np.ndarray:  # type: ignore[type-arg]
    rng, test = np.random.default_rng(seed), np.zeros(len(outcome), dtype=np.bool_)
    for value in (0, 1):
        rows = rng.permutation(np.flatnonzero(outcome == value))
        test[rows[: round(_TEST * len(rows))]] = True
    return test


def corrected(difference: Floats) -> tuple[float, float, float]:
    """Return mean and 95% interval of paired differences over overlapping splits (Nadeau and Bengio 2003)."""
    k, mean = len(difference), float(difference.mean())
    error = float(np.sqrt(difference.var(ddof=1) * (1 / k + _TEST / (1 - _TEST))))
    half = float(stats.t.ppf(0.975, k - 1)) * error
    return mean, mean - half, mean + half


def compare(book: splits.Columns, inside: tuple[str, ...], outside: tuple[str, ...], words: str, count: int) -> None:
    """Print both models without and with the outside signals, and the paired difference in points."""
    without, with_them = measure(book, inside, count=count), measure(book, (*inside, *outside), count=count)
    for name in without:
        line = f"| {words} | {name} "
        for column, metric in enumerate(("AUC", "KS")):
            a, b = without[name][:, column], with_them[name][:, column]
            mean, low, high = (100 * v for v in corrected(b - a))
            line += f"| {metric} {a.mean():.3f} to {b.mean():.3f}: {mean:+.1f} points [{low:+.1f}, {high:+.1f}] "
        print(line + "|")


def main() -> None:
    """Measure every book that has outside signals."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the shared data sets")
    parser.add_argument("--splits", type=int, default=20)
    asked = parser.parse_args()
    folder = asked.data / "lendingclub"
    books = [
        (splits.lendingclub(folder, "all"), splits.OUTSIDE),
        (splits.lendingclub(folder, "late"), splits.OUTSIDE),
        (splits.openintro(folder), splits.OPENINTRO_OUTSIDE),
    ]
    for book, outside in books:
        print(f"\n## {book.words}\n{len(book.outcome):,} loans, {int(book.outcome.sum()):,} with the event; "
              f"{asked.splits} splits\noutside: {', '.join(outside)}\n")  # fmt: skip
        print("| inside | model | AUC without to with | KS without to with |\n|---|---|---|---|")
        compare(book, splits.INSIDE, outside, "application", asked.splits)
        compare(book, (*splits.INSIDE, *splits.PRICE), outside, "application and the lender's price", asked.splits)


if __name__ == "__main__":
    main()
