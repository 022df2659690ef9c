"""How fast an accounts file becomes typed, validated frames, beside what polars alone reaches in the same run.

Writes its own feed file of 40 columns (two rows in a thousand are wrong), reads it by the own_feed mapping, and
reads it by polars with a typed schema and eight plain checks of whole columns: the ceiling. Prints rates, their
ratio and the peak memory of this process: ``python bench/intake_read.py --rows 1000000 [--format csv.gz]``.
"""

import argparse
import gzip
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from collections_app.intake.feed import open_file
from collections_app.intake.mapping import load_mapping

DAY = date(2026, 3, 2)
MIB = 1 << 20
PART = 100_000


def accounts(first: int, rows: int, seed: int) -> pl.DataFrame:
    """Return accounts of an invented lender by the columns of own_feed: 40 of them, in their written form."""
    rng = np.random.default_rng(seed)
    ids = np.arange(first, first + rows)
    parts = {name: rng.integers(0, high, rows) for name, high in
             (("principal", 5_000_000), ("interest", 200_000), ("fees", 30_000), ("penalty", 20_000))}  # fmt: skip
    late = rng.random(rows) < 0.3
    dpd = np.where(late, rng.integers(1, 200, rows), 0)
    opened = date(2020, 1, 1).toordinal() + rng.integers(0, 2_000, rows)
    off = dpd > 180
    words = lambda *values: np.array(values)[rng.integers(0, len(values), rows)]  # noqa: E731
    balance = sum(parts.values())
    wrong = rng.random(rows) < 0.002  # a total that is not the sum of its parts
    frame = pl.DataFrame(
        {
            "account_id": ids, "customer_id": ids // 2, "creditor_id": words("North Bank", "South Bank"),
            "servicer_id": words("svc-01", "svc-02", "svc-03"), "owner_since": opened,
            "collector_role": words("first_party", "third_party"), "product_code": words("P10", "P20", "P30", "P40"),
            "product_family": words("card", "instalment", "revolving", "auto"), "ccy": words("USD", "CNY"),
            "origination_date": opened, "maturity_date": opened + rng.integers(365, 1_800, rows),
            "limit_or_principal": rng.integers(100_000, 10_000_000, rows),
            "interest_rate": rng.integers(50_000_000, 360_000_000, rows),
            "penalty_rate": rng.integers(0, 50_000_000, rows), "day_count": words("act_365", "act_360", "30_360"),
            "due_roll": words("none", "following"), "grace_days": rng.integers(0, 10, rows),
            "tol_amount": rng.integers(0, 1_000, rows), "tol_pct": rng.integers(0, 10_000_000, rows),
            "balance_total": balance + wrong, "balance_principal": parts["principal"],
            "balance_interest": parts["interest"], "balance_fees": parts["fees"], "balance_penalty": parts["penalty"],
            "arrears_total": np.where(late, balance // 10, 0), "minimum_due": balance // 20,
            "oldest_unpaid_due_date": DAY.toordinal() - dpd, "dpd_source": dpd,
            "bucket_source": words("M0", "M1", "M2"), "status": words("active", "active", "active", "legal"),
            "charge_off_date": DAY.toordinal() - dpd + 180,
            "charge_off_amount": balance, "limitation_date": opened + 3_650, "ifrs9_stage": words(1, 2, 3),
            "reg_class": words("pass", "substandard"), "secured_flag": words("true", "false"),
            "collateral_ref": [f"COL{i % 99_991}" for i in ids.tolist()], "itemization_date": opened + 30,
            "op": ["upsert"] * rows, "valid_from": ["2026-03-01T22:15:00Z"] * rows,
        }
    )  # fmt: skip
    days = [c for c in frame.columns if c.endswith("_date") or c == "owner_since"]
    rates = ["interest_rate", "penalty_rate", "tol_pct"]
    epoch = date(1970, 1, 1).toordinal()
    fractions = [pl.format("0.{}", pl.col(c).cast(pl.String).str.zfill(9)).alias(c) for c in rates]
    only = [pl.when(pl.lit(pl.Series(off))).then(c).alias(c) for c in ("charge_off_date", "charge_off_amount")]
    return frame.with_columns(
        pl.format("AC{}", pl.col("account_id").cast(pl.String).str.zfill(10)).alias("account_id"),
        pl.format("CU{}", pl.col("customer_id").cast(pl.String).str.zfill(10)).alias("customer_id"),
        (pl.col(days) - epoch).cast(pl.Int32).cast(pl.Date),
        *fractions,
    ).with_columns(
        *only, pl.when(pl.lit(pl.Series(late))).then("oldest_unpaid_due_date").alias("oldest_unpaid_due_date")
    )


def write_feed(path: Path, rows: int) -> None:
    """Write the accounts file, a part at a time."""
    with gzip.open(path, "wb", compresslevel=1) if path.suffix == ".gz" else path.open("wb") as out:
        for first in range(0, rows, PART):
            part = accounts(first, min(PART, rows - first), seed=first)
            out.write(part.write_csv(include_header=not first).encode())


def ours(path: Path) -> tuple[int, int]:
    """Read the file as the platform does; return rows and refused rows."""
    file = open_file(path, load_mapping("own_feed"), DAY)
    for _ in file.chunks():
        pass
    return file.rows, file.refused


def raw(path: Path) -> tuple[int, int]:
    """Read the file whole by polars, typed, with eight plain checks; return rows and those that fail one."""
    head = accounts(0, 1_000, seed=0)
    dates = {name: pl.Date for name, dtype in head.schema.items() if dtype == pl.Date}
    schema = {name: dtype if dtype in (pl.Int64, pl.Date) else pl.String for name, dtype in head.schema.items()}
    schema |= dict.fromkeys(("interest_rate", "penalty_rate", "tol_pct"), pl.Decimal(12, 9))
    frame = pl.read_csv(path, schema=schema | dates)
    good = frame.select(
        pl.col("account_id").is_unique()
        & pl.col("customer_id").is_not_null()
        & (pl.col("balance_total") >= 0)
        & (pl.col("balance_total") == pl.sum_horizontal(
            "balance_principal", "balance_interest", "balance_fees", "balance_penalty"))
        & pl.col("collector_role").is_in(["first_party", "third_party"])
        & pl.col("status").is_in(["active", "closed", "legal"])
        & pl.col("dpd_source").is_between(0, 9_999)
        & (pl.col("origination_date") <= DAY)
    ).to_series()  # fmt: skip
    return frame.height, frame.height - int(good.sum())


def measure(what: str, path: Path) -> dict[str, float]:
    """Run one reading in this process; return seconds of the clock and of the processors, rows, peak memory."""
    started, busy = time.perf_counter(), time.process_time()
    rows, refused = {"ours": ours, "raw": raw}[what](path)
    seconds, cpu = time.perf_counter() - started, time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"rows": rows, "refused": refused, "seconds": seconds, "cpu": cpu, "peak": peak}


def alone(step: str, path: Path, rows: int) -> str:
    """Run one step in a process of its own, which no other step's memory counts against."""
    command = [sys.executable, __file__, "--step", step, str(path), "--rows", str(rows)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main() -> None:
    """Write the feed, read it both ways in turn and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--format", choices=("csv", "csv.gz"), default="csv")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--step", nargs=2, metavar=("STEP", "FILE"), help="write, ours or raw: one step alone")
    asked = parser.parse_args()
    if asked.step:
        step, path = asked.step[0], Path(asked.step[1])
        print(json.dumps(write_feed(path, asked.rows) if step == "write" else measure(step, path)))
        return
    found: dict[str, list[dict[str, float]]] = {"raw": [], "ours": []}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"accounts_full_001.{asked.format}"
        alone("write", path, asked.rows)
        print(f"{asked.rows:,} rows x 40 columns, {path.stat().st_size / MIB:,.0f} MiB")
        for _ in range(asked.rounds):
            for what, results in found.items():
                results.append(json.loads(alone(what, path, asked.rows)))
    rates, work = {}, {}
    for what, results in found.items():
        middle = sorted(results, key=lambda r: r["seconds"])[len(results) // 2]
        rates[what], work[what] = middle["rows"] / middle["seconds"], middle["cpu"]
        print(
            f"{what:5} {rates[what]:>12,.0f} rows/s   {middle['seconds']:6.2f} s, {middle['cpu']:6.2f} s of "
            f"processors, peak {middle['peak'] / MIB:,.0f} MiB, {middle['refused']:,.0f} rows refused"
        )
    print(f"ratio {rates['ours'] / rates['raw']:.2f} by the clock, {work['raw'] / work['ours']:.2f} by processors")


if __name__ == "__main__":
    main()
