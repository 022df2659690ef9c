"""How long training takes beside plain XGBoost: the same rows, 300 trees of depth 6, the same threads.

    plain      QuantileDMatrix + xgboost.train on all learning rows, no constraints; once before and once after
    whole      boosted.train: the matrix, monotone constraints, calibration on held-out people, test figures with
               intervals, exploration, frozen bins, the card

    python bench/train_speed.py --rows 100000 --rows 1000000 --threads 1

Judged by CPU seconds, because the wall of a shared machine says little.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from models import boosted, booster
from models.catalogue import recipe_of
from models.feature_list import FEATURE_NAMES
from models.sample import Sample

FEATURES = tuple(FEATURE_NAMES[:60])
TREES = {"objective": "binary:logistic", "tree_method": "hist", "max_depth": 6, "eta": 0.1, "subsample": 0.8,
         "colsample_bytree": 0.5, "lambda": 5.0, "min_child_weight": 20}  # fmt: skip
_STATUS = Path("/proc/self/status")


def made_sample(rows: int) -> Sample:
    """Make rows of 60 features, one in seven values missing, with an event that a few of them explain."""
    rng = np.random.default_rng(7)
    values = rng.normal(size=(rows, len(FEATURES))).astype(np.float32)
    odds = values[:, :12] @ rng.normal(size=12).astype(np.float32) * 0.4 - 1
    outcome = (rng.uniform(size=rows) < 1 / (1 + np.exp(-odds))).astype(np.int64)
    values[rng.uniform(size=values.shape) < 1 / 7] = np.nan
    features = pl.DataFrame(values, schema=list(FEATURES)).fill_nan(None)
    features = features.with_columns(
        dpd=pl.Series(rng.integers(1, 90, rows), dtype=pl.Float32),
        ml_status=pl.Series(np.full(rows, -1.0), dtype=pl.Float32),  # nobody had a hit: no second, fallback model
    )
    return Sample(features=features, outcome=outcome, customer=np.arange(rows), is_test=np.arange(rows) % 10 == 0)


def timed(name: str, rows: int, work: Callable[[], Any]) -> float:
    Path("/proc/self/clear_refs").write_text("5")
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
    peak = int(lines["VmHWM"].split()[0]) / 1024
    print(f"{rows:>10,} {name:<22} {wall:>8.2f} s {cpu:>8.2f} CPU s {peak:>7,.0f} MiB", flush=True)
    return cpu


def main(rows: int, threads: int) -> None:
    sample = made_sample(rows)
    recipe = replace(recipe_of("c-card"), features=FEATURES)
    learn = ~sample.is_test
    matrix = sample.features.select(FEATURES).to_numpy()[learn]
    outcome = sample.outcome[learn]
    params = {**TREES, "nthread": threads, "seed": 0}
    plain = timed("plain", rows, lambda: booster.fit(matrix, outcome, params=params, rounds=300))
    fixed = boosted.Tuning(depths=(6,), folds=10, rounds=300, eta=0.1)
    whole = timed("whole", rows, lambda: boosted.train(recipe, sample, provenance={}, threads=threads, tuning=fixed))
    again = timed("plain, again", rows, lambda: booster.fit(matrix, outcome, params=params, rounds=300))
    print(f"{'':>10} whole training takes {whole / ((plain + again) / 2):.2f} x plain (CPU seconds)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, action="append")
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    for number in chosen.rows or [100_000]:
        main(number, chosen.threads)
