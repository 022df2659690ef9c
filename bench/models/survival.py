"""How soon an account falls late: survival models against Kaplan-Meier and Cox on a monthly panel.

    nice python bench/models/survival.py ../shared/data/credit_record_panel [--part PART] [--seeds 5]

``months``: one row per account and month at risk, the event next month (baselines c1 and c3 of BASELINES.md).
``horizons``: an observation every six months from month 5 on; P(event by 1..12 months) from what was known then.
``competing``: what taking a pay-off for censoring does to the incidence of the event.

Depth, rounds, laws and bins come from folds of the training people; test rows are touched once. Seeds repeat the
final fit of the boosted models with the parameters of seed 0. Intervals are 95% bootstraps that draw whole people;
differences to Cox are on the same draws.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from credit_panel import SplitPanel, load

from models import booster as trees
from models.catalogue import recipe_of
from models.evaluate import Floats, Ints, auc, bootstrap, ks
from models.panel import HISTORY, codes, matrix, observations
from models.registry import Calibration
from models.sample import Course, Sample
from models.survival import aft, cox, hazard, metrics, pooled
from models.survival.curves import Curves, Periods, incidence, naive, repeated
from models.survival.hazard import Cause
from models.survival.nonparametric import Step, aalen_johansen, followed, kaplan_meier
from models.survival.spells import COMPETING, EVENT, Spells

SPLITS: tuple[Literal["applicant", "id"], ...] = ("applicant", "id")
EVENTS = {1: "first 30+", 2: "first 60+"}
BASELINE = {("applicant", 1): "c3 xgboost 0.6857", ("applicant", 2): "c3 xgboost 0.8863",
            ("id", 1): "c1 WOE 0.6903 KS 0.295, xgboost 0.6954 KS 0.312",
            ("id", 2): "c1 WOE 0.8659 KS 0.684, xgboost 0.9016 KS 0.706"}  # fmt: skip
MONTHS, REPORTED = 12, (3, 6, 12)
DRAWS = 200
SEED = 0


def say(text: str) -> None:
    """Print at once: a run takes minutes."""
    print(text, flush=True)


# --- next month ------------------------------------------------------------------------------------------------------


def next_month(split: SplitPanel, event: int, seeds: int, baseline: str) -> None:
    """Compare the hazard of the next month with the published baseline of the same rows."""
    learn, test = (observations(p, event_state=event) for p in (split.train, split.test))
    x, z = (matrix(f, HISTORY).astype(np.float32) for f in (learn, test))
    periods = Periods.of(codes(learn, "duration"), codes(learn, "cause"), 1)
    outcome = ((codes(test, "duration") == 1) & (codes(test, "cause") == EVENT)).astype(np.int64)
    people = codes(test, "customer")
    say(f"\n## {EVENTS[event]}, next month; {split.recipe}")
    say(f"{len(x):,} rows to learn; test {len(z):,} rows, {outcome.sum():,} events, {len(np.unique(people)):,} people; "
        f"baseline AUC {baseline}")  # fmt: skip
    age = [HISTORY.index("mob")]
    small = pooled.fit(x[:, age], ("mob",), periods, EVENT, months=1, seed=SEED)
    row("months on book alone", outcome, small.hazard(small.woe(z[:, age], ("mob",)))[:, 0], people)
    woe = pooled.fit(x, HISTORY, periods, EVENT, months=1, seed=SEED)
    row("pooled logit on evidence", outcome, woe.hazard(woe.woe(z, HISTORY))[:, 0], people)
    first = hazard.fit(x, periods, EVENT, codes(learn, "customer"), months=1, seed=SEED, threads=1)
    fits = [first.booster, *(again(x, periods, first, s) for s in range(1, seeds))]
    said = [rate(first.line, trees.margin(b, repeated(z, [1]))) for b in fits]
    row("boosted hazard, seed 0", outcome, said[0], people)
    aucs = np.array([auc(outcome, p) for p in said])
    say(f"{'':26} {seeds} seeds: AUC {aucs.mean():.4f}, from {aucs.min():.4f} to {aucs.max():.4f}; "
        f"depth {first.params['max_depth']}, {first.params['rounds']} rounds")  # fmt: skip


def row(name: str, outcome: Ints, p: Floats, people: Ints) -> None:
    """Print AUC and KS with intervals over people, and expected beside observed."""
    aucs, kss = bootstrap(outcome, p, rng=np.random.default_rng(SEED), draws=500, people=people)
    (a, b), (c, d) = (np.quantile(v, [0.025, 0.975]) for v in (aucs, kss))
    say(f"{name:26} AUC {auc(outcome, p):.4f} [{a:.3f}, {b:.3f}]  KS {ks(outcome, p):.3f} [{c:.3f}, {d:.3f}]  "
        f"expected {p.mean():.3%}, observed {outcome.mean():.3%}")  # fmt: skip


def again(x: Floats, periods: Periods, cause: Cause, seed: int, kind: int = EVENT) -> "trees.Booster":
    """Fit a cause once more with another seed, all else as it was chosen."""
    params = {k: v for k, v in cause.params.items() if k != "rounds"} | {"seed": seed}
    design = np.column_stack([x[periods.row], periods.ahead.astype(np.float32)])
    y = (periods.cause == kind).astype(np.int64)
    return trees.fit(design, y, params=params, rounds=int(cause.params["rounds"]))


def rate(line: Calibration, margin: Floats) -> Floats:
    """Return the calibrated hazard."""
    return np.asarray(1 / (1 + np.exp(-(line.slope * margin + line.intercept))))


# --- by horizon ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Task:
    """Observations in two parts: what was known, and how each went on."""

    x: Floats
    z: Floats
    learn: pl.DataFrame
    test: pl.DataFrame
    before: Spells
    after: Spells
    people: Ints


def task_of(split: SplitPanel, event: int) -> Task:
    """Observe every six months from month 5 on."""
    learn, test = (observations(p, event_state=event, every=6, first_mob=5) for p in (split.train, split.test))
    before, after = (Spells.of(f["duration"].to_numpy(), f["cause"].to_numpy()) for f in (learn, test))
    x, z = (matrix(f, HISTORY).astype(np.float32) for f in (learn, test))
    return Task(x, z, learn, test, before, after, codes(test, "customer"))


def one_curve(task: Task, *, paid_off_lost: bool) -> Curves:
    """Give everybody the curve of the training rows: Kaplan-Meier's, or the one that spares who paid off."""
    spells = task.before.as_censored() if paid_off_lost else task.before
    curve = aalen_johansen(spells).curve.at(np.arange(1.0, MONTHS + 1))
    return Curves(np.tile(curve, (len(task.z), 1)), None)


def cox_curves(task: Task) -> Curves:
    """Fit one Cox model to each cause and join their jumps to an incidence (Benichou and Gail 1990)."""
    x, z = (plain(f) for f in (task.learn, task.test))
    mean, spread = x.mean(axis=0), x.std(axis=0).clip(1e-9)
    x, z = (x - mean) / spread, (z - mean) / spread
    times = np.arange(1.0, MONTHS + 1)
    steps = []
    for cause in (EVENT, COMPETING):
        mine = Spells.of(task.before.duration, (task.before.cause == cause).astype(int))
        found = cox.fit(mine, x, ridge=1.0)
        jumps = np.diff(np.concatenate([[0.0], found.baseline.at(times)]))
        steps.append(-np.expm1(-np.outer(np.exp(found.margin(z)), jumps)))
    return incidence(*steps)


def plain(found: pl.DataFrame) -> Floats:
    """Return the history as numbers for a linear model: never is five years ago, unseen months are idle."""
    levels = [(pl.col("state_0") == -2).alias("idle_now"), (pl.col("state_1") == -2).alias("idle_before"),
              (pl.col("first_state") == -2).alias("idle_first"), (pl.col("state_0") >= 1).alias("late_now"),
              pl.col("since_late").fill_null(60).log1p(), pl.col("since_idle").fill_null(60).log1p(),
              pl.col("mob").cast(pl.Float64).log1p(), pl.col("run").log1p()]  # fmt: skip
    counts = ["switches", "idle_3", "idle_6", "idle_12", "idle_share", "late_3", "late_12", "late_ever", "spells"]
    return found.select(*levels, *counts).select(pl.all().cast(pl.Float64).fill_null(1.0)).to_numpy()


def boosted(task: Task, seeds: int) -> list[Curves]:
    """Fit the hazards of both causes, each seed with the parameters of the first."""
    duration, cause = codes(task.learn, "duration"), codes(task.learn, "cause")
    periods = Periods.of(duration, cause, MONTHS)
    people = codes(task.learn, "customer")
    chosen = [hazard.fit(task.x, periods, k, people, months=MONTHS, seed=SEED, threads=1) for k in (EVENT, COMPETING)]
    design = repeated(task.z, range(1, MONTHS + 1))
    made = []
    for seed in range(seeds):
        rates = []
        for kind, cause_fit in zip((EVENT, COMPETING), chosen, strict=True):
            model = cause_fit.booster if seed == 0 else again(task.x, periods, cause_fit, seed, kind)
            rates.append(rate(cause_fit.line, trees.margin(model, design)).reshape(-1, MONTHS))
        made.append(incidence(*rates))
    return made


def pooled_curves(task: Task) -> Curves:
    """Fit the pooled logits of both causes."""
    periods = Periods.of(codes(task.learn, "duration"), codes(task.learn, "cause"), MONTHS)
    fits = [pooled.fit(task.x, HISTORY, periods, k, months=MONTHS, seed=SEED) for k in (EVENT, COMPETING)]
    return incidence(*(m.hazard(m.woe(task.z, HISTORY)) for m in fits))


def aft_curves(task: Task) -> Curves:
    """Train the failure-time model as it is shipped and read its curves of the test rows."""
    rows = pl.concat([task.learn, task.test])
    duration, cause = codes(rows, "duration"), codes(rows, "cause")
    sample = Sample(
        features=rows.select(HISTORY), outcome=((cause == EVENT) & (duration <= MONTHS)).astype(np.int64),
        customer=codes(rows, "customer"), is_test=np.arange(rows.height) >= task.learn.height,
        course=Course(duration, cause, codes(rows, "followed")),
    )  # fmt: skip
    bundle = aft.train(replace(recipe_of("b-survival"), horizon_days=365), sample, provenance={}, threads=1)
    say(f"{'':26} failure times: {bundle.card.recipe['law']}, sigma {bundle.card.recipe['sigma']}")
    shape = aft.Shape(bundle.card.recipe["law"], bundle.card.recipe["sigma"])
    model = trees.from_bytes(bundle.parts["model.ubj"], threads=1)
    return Curves(shape.by(trees.margin(model, task.z), MONTHS), None)


def horizons(split: SplitPanel, event: int, seeds: int) -> None:
    """Compare the curves at 3, 6 and 12 months."""
    task = task_of(split, event)
    say(f"\n## {EVENTS[event]}, by horizon; {split.recipe}")
    say(f"{len(task.x):,} observations to learn, {len(task.z):,} to test of {len(np.unique(task.people)):,} people; "
        f"{int(task.after.known(MONTHS)[0].sum())} with the event within {MONTHS} months")  # fmt: skip
    trained = boosted(task, seeds)
    models = {
        "Kaplan-Meier for all": one_curve(task, paid_off_lost=True),
        "Aalen-Johansen for all": one_curve(task, paid_off_lost=False), "Cox": cox_curves(task),
        "pooled logit on evidence": pooled_curves(task), "boosted hazard, seed 0": trained[0],
        "boosted failure times": aft_curves(task),
    }  # fmt: skip
    weights = drawn(task.people)
    chance = followed(task.after)
    reference: dict[str, list[float]] = {}
    for name, curves in models.items():
        for month in REPORTED:
            told(task, name, curves, month, chance, weights, reference)
        whole = spread(task, over_the_year(curves, chance), weights, reference, f"all {name}", "all Cox", digits=5)
        say(f"{name:26} integrated Brier over 1-{MONTHS} months {whole}")
    for month in REPORTED:
        cs = [metrics.uno_c(task.after, c.at(month), until=month, followed=chance) for c in trained]
        say(
            f"boosted hazard, {seeds} seeds, Uno's C at {month}: {np.mean(cs):.4f}, from {min(cs):.4f} to {max(cs):.4f}"
        )


def over_the_year(curves: Curves, chance: Step) -> Callable[[Spells], float]:
    """Return the integrated Brier score of the curves, as a function of how often each row counts."""
    times = list(range(1, MONTHS + 1))
    return lambda s: metrics.integrated_brier(s, curves.event, times=times, followed=chance)


def told(
    task: Task, name: str, curves: Curves, month: int, chance: Step, weights: list[Floats],
    reference: dict[str, list[float]],
) -> None:  # fmt: skip
    """Print one model at one horizon."""
    risk = curves.at(month)
    expected, observed = metrics.expected_and_observed(task.after, risk, horizon=month)
    measures: dict[str, Callable[[Spells], float]] = {
        "Uno C": lambda s: metrics.uno_c(s, risk, until=month, followed=chance),
        "AUC(t)": lambda s: metrics.td_auc(s, risk, horizon=month, followed=chance),
    }
    if np.ptp(risk) == 0:
        parts = "Uno C 0.5, AUC(t) 0.5 (one curve for all)"
    else:
        parts = "  ".join(
            f"{k} {spread(task, m, weights, reference, f'{k} {month} {name}', f'{k} {month} Cox')}"
            for k, m in measures.items()
        )
    say(f"{name:26} {month:2} months  {parts}  expected {expected:.3%}, observed {observed:.3%}, "
        f"ratio {observed / expected:.2f}")  # fmt: skip


def spread(
    task: Task, measure: Callable[[Spells], float], weights: list[Floats], reference: dict[str, list[float]], key: str,
    against: str, digits: int = 4,
) -> str:  # fmt: skip
    """Return a figure with its interval over people, and the interval of its difference to Cox."""
    values = [measure(task.after.weighing(w)) for w in weights]
    reference[key] = values
    low, high = np.quantile(values, [0.025, 0.975])
    text = f"{measure(task.after):.{digits}f} [{low:.{digits - 1}f}, {high:.{digits - 1}f}]"
    if against in reference and key != against:
        a, b = np.quantile(np.array(values) - np.array(reference[against]), [0.025, 0.975])
        text += f" (to Cox {a:+.{digits}f} to {b:+.{digits}f})"
    return text


def drawn(people: Ints) -> list[Floats]:
    """Return how often each row counts in each draw of people."""
    rng = np.random.default_rng(SEED)
    known, person = np.unique(people, return_inverse=True)
    size = len(known)
    return [np.bincount(rng.integers(0, size, size), minlength=size)[person].astype(np.float64) for _ in range(DRAWS)]


# --- competing events ------------------------------------------------------------------------------------------------


def competing(split: SplitPanel, event: int) -> None:
    """Tell the incidence from the first month seen, paid off taken for lost and taken for what it is."""
    say(
        f"\n## {EVENTS[event]}: paid off as censoring, or as a competing event; every account of both parts, from entry"
    )
    first = pl.concat(
        [observations(p, event_state=event, every=1000) for p in (split.train, split.test)]
    )  # fmt: skip
    spells = Spells.of(first["duration"].to_numpy(), first["cause"].to_numpy())
    weights = drawn(codes(first, "customer"))
    for month in (6, 12, 24, 36, 48):

        def over(s: Spells, at: int = month) -> tuple[float, float]:
            return float(1 - kaplan_meier(s.as_censored()).at(float(at))), float(aalen_johansen(s).curve.at(float(at)))

        lost, true = over(spells)
        ratios = [a / b for a, b in (over(spells.weighing(w)) for w in weights) if b > 0]
        low, high = np.quantile(ratios, [0.025, 0.975])
        paid = float(aalen_johansen(spells, COMPETING).curve.at(float(month)))
        say(f"{month:2} months: 1 - Kaplan-Meier {lost:.3%}, incidence {true:.3%}, overstated "
            f"{lost / true:.3f} times [{low:.3f}, {high:.3f}]; paid off {paid:.1%}")  # fmt: skip
    task = task_of(split, event)
    curves = Periods.of(codes(task.learn, "duration"), codes(task.learn, "cause"), MONTHS)
    fits = [pooled.fit(task.x, HISTORY, curves, k, months=MONTHS, seed=SEED) for k in (EVENT, COMPETING)]
    rates = [m.hazard(m.woe(task.z, HISTORY)) for m in fits]
    both, alone = incidence(*rates).event[:, -1].mean(), naive(rates[0])[:, -1].mean()
    seen = float(aalen_johansen(task.after).curve.at(float(MONTHS)))
    say(f"pooled logit, mean of the test rows at {MONTHS} months: {alone:.3%} if nobody paid off, {both:.3%} as it is; "
        f"observed {seen:.3%}")  # fmt: skip


def main() -> None:
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--part", choices=("months", "horizons", "competing"))
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    started = time.perf_counter()
    for name in SPLITS:
        split = load(given.data, name)
        for event in EVENTS:
            if given.part in (None, "months"):
                next_month(split, event, given.seeds, BASELINE[name, event])
            if given.part in (None, "horizons") and name == "applicant":
                horizons(split, event, given.seeds)
            if given.part in (None, "competing") and name == "applicant":
                competing(split, event)
    say(f"\n{time.perf_counter() - started:.0f} s, one thread, on a machine shared with other work")


if __name__ == "__main__":
    main()
