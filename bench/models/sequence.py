"""Does an LSTM or GRU beat a scorecard on panel data? The sources claim +3 to +5 KS points.

    nice python bench/models/sequence.py ../shared/data [--only panel-12m] [--seeds 5] [--json FILE]

Data: the monthly credit-status panel (B-card landmark: 6 or 12 months observed, the event in the 12 months after;
split by md5 of the ID as in BASELINES (c2), and by applicant) and the UCI book's six months (the fixed seed-0
splits, whole book and overdue rows). Three models see the same history and the same training rows:

- scorecard: a tree per variable on the training rows (6 leaves at most, 3% of rows each), WOE, logistic regression;
- xgboost: the same lag features; depth, child weight and rounds by customer-grouped cross-validation on training rows;
- sequence: models/sequence.py as shipped: five nets averaged, architecture chosen on validation parts of training.

Every seed repeats the whole training of xgboost and sequence. Differences are paired: both models on the same
bootstrap draw of the test customers, averaged over seeds, 1,000 draws. Test rows are touched once, at the end.
"""

import argparse
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import xgboost
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from models import family
from models.catalogue import Recipe
from models.evaluate import Floats, Ints, auc, ks, logistic_line, logit
from models.sample import Bools, Sample

DRAWS = 1000
CLAIM = "the sources claim +3 to +5 KS points"


@dataclass(frozen=True)
class Task:
    """One question: the same rows as steps (list columns) and as lag features."""

    title: str
    steps: pl.DataFrame
    lags: pl.DataFrame
    outcome: Ints
    customer: Ints
    is_test: Bools
    baseline: str


# --- the monthly panel ---------------------------------------------------------------------------------------------


def unzipped(path: Path) -> pl.DataFrame:
    """Read the one CSV inside a zip."""
    with zipfile.ZipFile(path) as archive:
        return pl.read_csv(io.BytesIO(archive.read(archive.namelist()[0])), infer_schema_length=100_000)


def panel_task(folder: Path, *, observed: int, dpd: int, by_applicant: bool, baseline: str) -> Task:
    """Months 0..observed-1 are seen; the event is ``dpd`` or later in the 12 months after."""
    codes = {"X": -2, "C": -1} | {str(k): k for k in range(6)}
    rows = (
        unzipped(folder / "credit_record.csv.zip")
        .sort("ID", "MONTHS_BALANCE")
        .with_columns(
            mob=pl.int_range(pl.len()).over("ID"), state=pl.col("STATUS").replace_strict(codes, return_dtype=pl.Float64)
        )
    )
    after = pl.col("mob").is_between(observed, observed + 11)
    accounts = (
        rows.group_by("ID", maintain_order=True)
        .agg(
            pl.len().alias("months"),
            pl.col("state").filter(pl.col("mob") < observed),
            event=((pl.col("state") >= dpd // 30) & after).any().cast(pl.Int64),
        )
        .filter(pl.col("months") >= observed + 12)
    )
    if by_applicant:
        accounts = accounts.join(
            pl.read_csv(folder / "split_by_applicant_md5.csv").select("ID", is_test=pl.col("split") == "test"), on="ID"
        ).join(applicants(folder), on="ID", maintain_order="left")
    else:
        digit = pl.Series([int(md5(str(i).encode()).hexdigest(), 16) % 10 for i in accounts["ID"]])
        accounts = accounts.with_columns(is_test=digit < 3, customer=pl.col("ID"))
    return Task(
        f"panel, {observed} months seen, {dpd}+ in the next 12, "
        f"{'applicants apart' if by_applicant else 'IDs apart'}",
        accounts.select("state"), panel_lags(accounts["state"], observed), accounts["event"].to_numpy(),
        accounts["customer"].to_numpy(), accounts["is_test"].to_numpy(), baseline,
    )  # fmt: skip


def applicants(folder: Path) -> pl.DataFrame:
    """Number the people: all application fields but the ID are equal."""
    forms = unzipped(folder / "application_record.csv.zip").unique("ID", keep="first", maintain_order=True)
    fields = [c for c in forms.columns if c != "ID"]
    return forms.select("ID", customer=pl.struct(fields).rank("dense").cast(pl.Int64))


def panel_lags(state: pl.Series, observed: int) -> pl.DataFrame:
    """Each month's state, and what a scorecard's author would count from them."""
    s = np.array(state.to_list())
    late = s >= 1
    since = np.where(late.any(axis=1), np.argmax(late[:, ::-1], axis=1), observed).astype(float)
    columns = {f"state_{k}": s[:, observed - 1 - k] for k in range(observed)} | {
        "late": late.sum(1), "late_3": late[:, -3:].sum(1), "worst": s.max(1), "worst_3": s[:, -3:].max(1),
        "months_owed": (s >= 0).sum(1), "months_idle": (s == -2).sum(1), "months_paid_off": (s == -1).sum(1),
        "months_0": (s == 0).sum(1), "since_late": since, "switches": (np.diff(s, axis=1) != 0).sum(1),
        "mean": s.clip(0).mean(1),
    }  # fmt: skip
    return pl.DataFrame({n: np.asarray(v, dtype=np.float64) for n, v in columns.items()})


# --- the UCI book --------------------------------------------------------------------------------------------------


def uci_task(folder: Path, *, part: str, baseline: str) -> Task:
    """Six months of PAY, BILL_AMT, PAY_AMT, oldest first; no demographics for any model."""
    # The published file ends its lines with a carriage return alone.
    book = pl.read_csv(folder / "UCI_Credit_Card.csv", eol_char="\r").join(
        pl.read_csv(folder / f"split_seed0_{part}.csv"), on="ID", maintain_order="left"
    )
    limit = book["LIMIT_BAL"].to_numpy().astype(float)
    pay = book.select("PAY_0", *(f"PAY_{k}" for k in range(2, 7))).to_numpy().astype(float)
    bill = book.select(f"BILL_AMT{k}" for k in range(1, 7)).to_numpy().astype(float)
    paid = book.select(f"PAY_AMT{k}" for k in range(1, 7)).to_numpy().astype(float)
    # What was paid in a month answers the bill of the month before it.
    share = np.clip(paid[:, :5] / np.where(bill[:, 1:] > 0, bill[:, 1:], np.nan), 0, 5)
    no_bill_before = np.full((len(book), 1), np.nan)
    blocks = {
        "past_due": pay, "utilisation": bill / limit[:, None], "pay_ratio": np.hstack([share, no_bill_before]),
        "log_bill": np.sign(bill) * np.log1p(np.abs(bill)), "log_paid": np.log1p(paid),
        "log_limit": np.repeat(np.log(limit)[:, None], 6, axis=1),
    }  # fmt: skip
    steps = pl.DataFrame({n: pl.Series(b[:, ::-1].tolist(), dtype=pl.List(pl.Float64)) for n, b in blocks.items()})
    steps = steps.with_columns(pl.all().list.eval(pl.element().fill_nan(None)))
    return Task(
        f"UCI, {part}", steps, uci_lags(limit, pay, bill, paid, share),
        book["default.payment.next.month"].to_numpy().astype(np.int64), book["ID"].to_numpy(),
        (book["fold_seed0"] == "test").to_numpy(), baseline,
    )  # fmt: skip


def uci_lags(limit: Floats, pay: Floats, bill: Floats, paid: Floats, share: Floats) -> pl.DataFrame:
    """Return the raw months and the engineered columns of BASELINES."""
    columns = {"limit": limit, "pay_max": pay.max(1), "pay_mean": pay.mean(1), "n_late": (pay >= 1).sum(1),
               "n_late2": (pay >= 2).sum(1), "trend": pay[:, 0] - pay[:, 5], "paysum": paid.sum(1),
               "billsum": bill.sum(1), "payratio_all": paid.sum(1) / np.maximum(bill.sum(1), 1.0)}  # fmt: skip
    for name, block in (
        ("pay", pay),
        ("bill", bill),
        ("paid", paid),
        ("util", bill / limit[:, None]),
        ("share", share),
    ):
        columns |= {f"{name}_{k}": block[:, k] for k in range(block.shape[1])}
    return pl.DataFrame({n: np.asarray(v, dtype=np.float64) for n, v in columns.items()}).fill_nan(None)


# --- the three models: each returns P(event) of the test rows -----------------------------------------------------


def scorecard(task: Task) -> Floats:
    """WOE by a tree per variable with +0.5 smoothing, then logistic regression, as in BASELINES."""
    x, y, learn = task.lags.fill_null(-99.0).to_numpy(), task.outcome, ~task.is_test
    woe = np.zeros_like(x)
    for j in range(x.shape[1]):
        tree = DecisionTreeClassifier(max_leaf_nodes=6, min_samples_leaf=0.03, random_state=0)
        tree.fit(x[learn, j : j + 1], y[learn])
        leaf = tree.apply(x[:, j : j + 1])
        bads = np.bincount(leaf[learn], y[learn], minlength=leaf.max() + 1) + 0.5
        goods = np.bincount(leaf[learn], 1 - y[learn], minlength=leaf.max() + 1) + 0.5
        woe[:, j] = np.log(goods / goods.sum() / (bads / bads.sum()))[leaf]
    model = LogisticRegression(C=1.0, max_iter=2000).fit(woe[learn], y[learn])
    return np.asarray(model.predict_proba(woe[task.is_test])[:, 1])


def boosted(task: Task, seeds: int) -> list[Floats]:
    """Choose depth, child weight and rounds on training rows; refit with each seed."""
    x, y, learn = task.lags.fill_null(float("nan")).to_numpy(), task.outcome, ~task.is_test
    people, index = np.unique(task.customer[learn], return_inverse=True)
    fold = np.random.default_rng(0).permutation(len(people))[index] % 5
    parts = [(np.flatnonzero(fold != k).tolist(), np.flatnonzero(fold == k).tolist()) for k in range(5)]
    matrix = xgboost.DMatrix(x[learn], y[learn], nthread=1)
    best: tuple[float, int, dict[str, Any]] | None = None
    for depth in (2, 3, 4):
        for weight in (2, 20):
            params = {"objective": "binary:logistic", "tree_method": "hist", "eta": 0.05, "subsample": 0.8,
                      "colsample_bytree": 0.8, "lambda": 5.0, "max_depth": depth, "min_child_weight": weight,
                      "nthread": 1, "eval_metric": "logloss"}  # fmt: skip
            curve = xgboost.cv(params, matrix, 800, folds=parts, early_stopping_rounds=40, as_pandas=False)
            losses = curve["test-logloss-mean"]
            if best is None or min(losses) < best[0]:
                best = (min(losses), int(np.argmin(losses)) + 1, params)
    assert best is not None
    test = xgboost.DMatrix(x[task.is_test], nthread=1)
    return [xgboost.train(best[2] | {"seed": s}, matrix, best[1]).predict(test).astype(float) for s in range(seeds)]


def sequence(task: Task, seeds: int) -> tuple[list[Floats], list[dict[str, Any]]]:
    """Train the shipped model with each seed; also what each single net reached and what was chosen."""
    recipe = Recipe("b-sequence", "bench", "behaviour_sequence", "panel", "event", 360, "-", "-",
                    features=tuple(task.steps.columns), algorithms=("sequence",), min_events=50)  # fmt: skip
    sample = Sample(task.steps, task.outcome, task.customer, task.is_test)
    said, notes = [], []
    for seed in range(seeds):
        bundle = family.train(recipe, sample, provenance={}, seed=seed, threads=1)
        said.append(family.predict(bundle, task.steps.filter(task.is_test), threads=1).p_event)
        notes.append({"chosen": f"{bundle.card.recipe['cell']} {bundle.card.recipe['hidden']}",
                      "nets": bundle.card.cross_validation["test_ks_of_members"]})  # fmt: skip
        print(f"    seed {seed}: {notes[-1]['chosen']}, KS {ks(task.outcome[task.is_test], said[-1]):.4f}", flush=True)
    return said, notes


# --- what is true ---------------------------------------------------------------------------------------------------


def weighted_ks(outcome: Ints, risk: Floats) -> Callable[[Floats], float]:
    """Return a function from row weights to KS; the sorting is done once."""
    order = np.argsort(-risk, kind="stable")
    last = np.append(risk[order][1:] != risk[order][:-1], True)
    bad = outcome[order]

    def of(weight: Floats) -> float:
        w = weight[order]
        bads, goods = np.cumsum(w * bad)[last], np.cumsum(w * (1 - bad))[last]
        return float(np.max(np.abs(bads / bads[-1] - goods / goods[-1])))

    return of


def bootstrap(outcome: Ints, customer: Ints, said: dict[str, list[Floats]]) -> dict[str, Floats]:
    """Return the KS of each model (mean over its seeds) on each draw of the test customers, with replacement."""
    rng = np.random.default_rng(0)
    people, index = np.unique(customer, return_inverse=True)
    measures = {name: [weighted_ks(outcome, p) for p in ps] for name, ps in said.items()}
    found: dict[str, list[float]] = {name: [] for name in said}
    for _ in range(DRAWS):
        weight = np.bincount(rng.integers(0, len(people), len(people)), minlength=len(people))[index].astype(float)
        for name, of in measures.items():
            found[name].append(float(np.mean([f(weight) for f in of])))
    return {name: np.array(values) for name, values in found.items()}


def compare(task: Task, seeds: int) -> dict[str, Any]:
    """Train the three, touch the test rows, print and return what came out."""
    test, y = task.is_test, task.outcome[task.is_test]
    print(f"\n## {task.title}\n   baseline: {task.baseline}")
    print(f"   learn {int((~test).sum()):,} rows, {int(task.outcome[~test].sum()):,} events; "
          f"test {len(y):,} rows, {int(y.sum()):,} events ({y.mean():.2%})", flush=True)  # fmt: skip
    nets, notes = sequence(task, seeds)
    said = {"scorecard": [scorecard(task)], "xgboost": boosted(task, seeds), "sequence": nets}
    drawn = bootstrap(y, task.customer[test], said)
    report: dict[str, Any] = {"task": task.title, "rows": len(y), "events": int(y.sum()), "baseline": task.baseline,
                              "chosen": [n["chosen"] for n in notes], "models": {}, "differences": {}}  # fmt: skip
    for name, ps in said.items():
        kss, low, high = [ks(y, p) for p in ps], *np.quantile(drawn[name], [0.025, 0.975])
        slopes = [logistic_line(y, logit(p))[0] for p in ps]
        report["models"][name] = {
            "ks": kss,
            "auc": [auc(y, p) for p in ps],
            "ks_interval": [low, high],
            "slope": slopes,
        }
        print(f"   {name:10} KS {np.mean(kss):.4f} [{low:.3f}, {high:.3f}]  over seeds {min(kss):.4f}..{max(kss):.4f}  "
              f"AUC {np.mean([auc(y, p) for p in ps]):.4f}  calibration slope {np.mean(slopes):.2f}")  # fmt: skip
    single = np.concatenate([n["nets"] for n in notes])
    report["single_nets"] = single.tolist()
    print(f"   single nets ({len(single)}): KS {single.mean():.4f}, {single.min():.4f}..{single.max():.4f}, "
          f"standard deviation {single.std(ddof=1):.4f}; chosen {', '.join(report['chosen'])}")  # fmt: skip
    for other in ("scorecard", "xgboost"):
        point = 100 * (np.mean(report["models"]["sequence"]["ks"]) - np.mean(report["models"][other]["ks"]))
        low, high = 100 * np.quantile(drawn["sequence"] - drawn[other], [0.025, 0.975])
        report["differences"][other] = [point, low, high]
        print(f"   sequence - {other}: {point:+.2f} KS points, 95% [{low:+.2f}, {high:+.2f}]", flush=True)
    return report


def tasks(data: Path) -> dict[str, Callable[[], Task]]:
    """Return every comparison by its name."""
    panel, uci = data / "credit_record_panel", data / "uci_taiwan_default"
    known = {30: "WOE KS 0.331, xgboost 0.339 (c2)", 60: "WOE KS 0.501 (c2)"}
    found: dict[str, Callable[[], Task]] = {}
    # Twelve months are measured on the stricter split alone: people apart.
    for observed, by_applicant in ((6, False), (6, True), (12, True)):
        for dpd in (30, 60):
            name = f"panel-{observed}m-{dpd}-{'applicant' if by_applicant else 'id'}"
            baseline = "none published for this cut" if by_applicant else known[dpd]
            found[name] = lambda o=observed, a=by_applicant, d=dpd, b=baseline: panel_task(
                panel, observed=o, dpd=d, by_applicant=a, baseline=b
            )
    found["uci-whole"] = lambda: uci_task(uci, part="whole", baseline="WOE KS 0.4202, xgboost 0.4227 (a)")
    found["uci-overdue"] = lambda: uci_task(uci, part="overdue", baseline="WOE KS 0.3595, xgboost 0.3699 (b)")
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Run the comparisons asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder of shared data")
    parser.add_argument("--only", default="", help="only comparisons whose name contains this")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    asked = parser.parse_args(argv)
    reports = [compare(make(), asked.seeds) for name, make in tasks(asked.data).items() if asked.only in name]
    gained = [r["differences"]["scorecard"] for r in reports]
    high, clear = sum(d[0] >= 3 for d in gained), sum(d[1] > 0 for d in gained)
    print(f"\n{CLAIM}. Here: {', '.join(f'{d[0]:+.2f}' for d in gained)}.")
    print(f"At least +3 in {high} of {len(gained)}; the interval is above 0 in {clear}.")
    if asked.json:
        asked.json.write_text(json.dumps(reports, indent=1))


if __name__ == "__main__":
    main()
