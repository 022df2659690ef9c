"""Uplift and off-policy estimates on a real randomised trial: the Hillstrom e-mail test (64,000 customers).

    python bench/models/uplift.py ../shared/data/hillstrom_uplift

A third got the men's e-mail, a third the women's, a third none. Split: half to learn, half to judge,
``train_test_split(np.arange(64000), test_size=.5, random_state=0, stratify=segment)``. Learners have a fixed size
(models.uplift.Boosting), nothing is searched for; five learner seeds show how much of a figure is luck. Intervals:
95% bootstrap of the test rows (500 draws), the same rows for every ranking, so that differences are paired.
"""

import argparse
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.model_selection import train_test_split

from models.evaluate import Floats, Ints, interval
from models.off_policy import Log, PolicyValue, constant_policy, greedy_policy, value_of
from models.uplift import Trial, UpliftModel, auuc, by_tenth, fit_uplift, qini, qini_draws, value_of_top

ARMS = ("No E-Mail", "Mens E-Mail", "Womens E-Mail")
SEEDS = range(5)
BASELINE = {"visit": (10.617, 18.276, 15.140), "conversion": (0.573, 1.253, 0.884)}
_FEATURES = ("recency", "history", "mens", "womens", "newbie")
_CATEGORIES = ("zip_code", "channel")


def load(data: Path) -> tuple[Floats, Ints, pl.DataFrame, np.ndarray]:
    """Return the features (rows x 11), the arm of each row, the outcomes, and which rows are test."""
    book = pl.read_csv(data / "hillstrom.csv", schema_overrides={"spend": pl.Float64})
    dummies = book.select(_CATEGORIES).to_dummies()
    features = pl.concat([book.select(_FEATURES), dummies], how="horizontal").cast(pl.Float64).to_numpy()
    arm = book["segment"].replace_strict({name: k for k, name in enumerate(ARMS)}, return_dtype=pl.Int64).to_numpy()
    _, test = train_test_split(np.arange(book.height), test_size=0.5, random_state=0, stratify=arm)
    is_test = np.zeros(book.height, dtype=bool)
    is_test[test] = True
    return features, arm, book.select("visit", "conversion", "spend"), is_test


def trial_of(arm: Ints, outcome: Floats, mailed: tuple[int, ...]) -> tuple[Trial, np.ndarray]:
    """Return the trial of these e-mails against none, and which rows take part."""
    part = np.isin(arm, (0, *mailed))
    share = len(mailed) / (1 + len(mailed))
    return Trial(arm[part] != 0, outcome[part], np.full(int(part.sum()), share)), part


def rankings(features: Floats, outcome: Floats, arm: Ints, is_test: np.ndarray, mailed: tuple[int, ...]) -> None:
    """Print what a ranking by T-learner, X-learner and response adds over a random order, on the test rows."""
    trial, part = trial_of(arm, outcome, mailed)
    x, test = features[part], is_test[part]
    held = trial.rows(test)
    told: dict[str, list[Floats]] = {"T-learner": [], "X-learner": [], "response": []}
    for seed in SEEDS:
        for kind, name in (("t", "T-learner"), ("x", "X-learner")):
            model: UpliftModel = fit_uplift(x[~test], trial.rows(~test), kind=kind, seed=seed)
            told[name].append(model.uplift(x[test]))
            if kind == "t":
                told["response"].append(model.expected(x[test])[1])
    mean = {name: np.mean(said, axis=0) for name, said in told.items()}
    mean["random"] = np.random.default_rng(0).random(len(held.outcome))
    draws = qini_draws(mean, held, rng=np.random.default_rng(0))
    effect = held.outcome[held.treated].mean() - held.outcome[~held.treated].mean()
    print(f"  test rows {len(held.outcome):,}, average effect {effect:.5f}")
    for name, said in mean.items():
        span = interval(draws[name])
        against = interval(draws[name] - draws["response"])
        seeds = [qini(s, held) for s in told.get(name, [said])]
        print(
            f"  {name:10} Qini {qini(said, held):+.5f} [{span.low:+.5f}, {span.high:+.5f}]  AUUC {auuc(said, held):.5f}"
            f"  minus response [{against.low:+.5f}, {against.high:+.5f}]  one seed {min(seeds):+.5f}..{max(seeds):+.5f}"
        )
    print("  X-learner by tenth (predicted -> observed):")
    for row in by_tenth(mean["X-learner"], held):
        print(
            f"    {row['tenth']:>2} {row['predicted']:+.4f} -> {row['observed']:+.4f} "
            f"[{row['low']:+.4f}, {row['high']:+.4f}]"
        )
    for share in (0.3, 0.5):
        line = []
        for name, said in mean.items():
            found = value_of_top(said, held, share, rng=np.random.default_rng(0)).self_normalised
            line.append(f"{name} {found.value:.4f} [{found.interval.low:.4f}, {found.interval.high:.4f}]")
        print(f"  mail the top {share:.0%}: {'; '.join(line)}")


def told_as(value: PolicyValue) -> str:
    """Write the three estimates of a policy in one line."""
    parts = {"IPS": value.ips, "SNIPS": value.self_normalised, "DR": value.doubly_robust}
    return "; ".join(
        f"{name} {t.value:.5f} [{t.interval.low:.5f}, {t.interval.high:.5f}]" for name, t in parts.items() if t
    )


def policies(features: Floats, outcome: Floats, arm: Ints, is_test: np.ndarray, name: str) -> None:
    """Print the value of simple policies and of a learnt one, told from the randomised log alone."""
    rng, third = np.random.default_rng(0), np.full(len(arm), 1 / 3)
    print(f"  whole log, {len(arm):,} rows, known propensity 1/3 (published arm means in brackets):")
    for action, label in enumerate(ARMS):
        value = value_of(Log(arm, outcome, third), constant_policy(len(arm), 3, action), rng=rng)
        known = f"({BASELINE[name][action]:.3f}%)" if name in BASELINE else ""
        print(f"    all {label:14} {told_as(value)} {known}")
    learn, test = ~is_test, is_test
    expected = np.zeros((int(test.sum()), 3))
    for mail in (1, 2):
        trial, part = trial_of(arm, outcome, (mail,))
        model = fit_uplift(features[part & learn], trial.rows(learn[part]), kind="t", seed=0)
        expected[:, 0], expected[:, mail] = model.expected(features[test])
    log = Log(arm[test], outcome[test], third[test])
    print(f"  test half, {int(test.sum()):,} rows; reward model learnt on the other half:")
    chosen = expected.argmax(axis=1)
    shares = ", ".join(f"{ARMS[a]} {np.mean(chosen == a):.1%}" for a in range(3))
    for label, policy in (
        ("all Mens E-Mail", constant_policy(len(chosen), 3, 1)),
        ("learnt policy", greedy_policy(chosen, 3)),
    ):
        value = value_of(log, policy, rng=np.random.default_rng(0), expected=expected)
        print(f"    {label:15} {told_as(value)}; effective rows {value.effective_rows:,.0f}")
    print(f"    the learnt policy mails: {shares}; its model promised {expected.max(axis=1).mean():.5f}")


def main(data: Path) -> None:
    """Print everything."""
    features, arm, outcomes, is_test = load(data)
    print(f"{len(arm):,} rows, {int(is_test.sum()):,} of them test; learner seeds {list(SEEDS)}, rankings averaged")
    for name in ("visit", "conversion", "spend"):
        outcome = outcomes[name].cast(pl.Float64).to_numpy()
        for mailed, label in (((1,), "men's e-mail"), ((2,), "women's e-mail")):
            print(f"{name}, {label} against none")
            rankings(features, outcome, arm, is_test, mailed)
        print(f"{name}, off-policy")
        policies(features, outcome, arm, is_test, name)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the Hillstrom data set")
    main(parser.parse_args().data)
