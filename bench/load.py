"""How fast a book of accounts goes in, beside the raw ceilings of the same run.

Ours: ``services.intake.import_file`` on a feed with manifest, counts, sums and digests: read, validated, hashed,
written with history and standings, committed. Raw: COPY of the same CSV into a plain table with the same columns and
the same indexes; the staged upsert of the same re-send (unlogged staging, ON CONFLICT ... IS DISTINCT FROM); on
SQLite csv.reader straight into executemany, an INSERT and an upsert, likewise guarded.

    python bench/load.py --database postgresql://user@host/load_bench --rows 100000
    python bench/load.py --rows 100000                     # SQLite, a file in a temporary folder

The database is emptied: its name must contain "bench".
"""

import argparse
import csv
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import sqlalchemy as sa

from collections_app.db.migrate import upgrade
from collections_app.db.session import Database
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.intake.mapping import load_mapping
from collections_app.services.intake import import_file

DAY = date(2026, 3, 2)
CHANGED = 0.10
_EPOCH = date(1970, 1, 1)
_TYPES = {pl.Int64: "bigint", pl.String: "text", pl.Date: "date", pl.Boolean: "boolean", pl.Float64: "numeric"}


def _day(day: date) -> int:
    return (day - _EPOCH).days


def book(rows: int, seed: int = 7) -> pl.DataFrame:
    """Return accounts with 40 told columns as a lender would send them: a quarter overdue, half of the rest sparse."""
    rng = np.random.default_rng(seed)
    number = np.arange(rows)
    overdue = rng.random(rows) < 0.25
    late = np.where(overdue, np.minimum(rng.geometric(0.03, rows), 180), 0)
    parts = {k: rng.integers(0, top, rows) for k, top in
             (("balance_principal", 3_000_000), ("balance_interest", 60_000), ("balance_fees", 9_000),
              ("balance_penalty", 4_000))}  # fmt: skip
    day = lambda low, high: pl.Series(rng.integers(low, high, rows)).cast(pl.Int32).cast(pl.Date)  # noqa: E731
    some = lambda values, share: pl.Series(values).set(pl.Series(rng.random(rows) > share), None)  # noqa: E731
    pick = lambda *words: np.array(words)[rng.integers(0, len(words), rows)]  # noqa: E731
    due = pl.Series(_day(DAY) - late).cast(pl.Int32).cast(pl.Date).set(pl.Series(~overdue), None)
    written_off = rng.random(rows) < 0.01
    return pl.DataFrame({
        "account_id": [f"A{n:010d}" for n in number], "customer_id": [f"C{n:010d}" for n in number],
        "creditor_id": pick("Example Bank", "Second Bank"), "servicer_id": pick("S1", "S2", "S3"),
        "owner_since": day(17_000, 19_000), "collector_role": ["first_party"] * rows,
        "product_code": pick("P01", "P02", "P03", "P04"), "product_family": pick("card", "instalment", "auto"),
        "profile": pl.Series([None] * rows, dtype=pl.String), "ccy": ["USD"] * rows,
        "origination_date": day(16_000, 19_500),
        "maturity_date": day(21_000, 24_000), "limit_or_principal": rng.integers(10**5, 10**7, rows),
        "interest_rate": [f"0.{n:09d}" for n in rng.integers(10**7, 3 * 10**8, rows)],
        "penalty_rate": ["0.050000000"] * rows, "day_count": pick("act_365", "30_360"),
        "due_roll": pick("none", "following"), "grace_days": rng.integers(0, 6, rows),
        "tol_amount": rng.integers(0, 1_000, rows), "tol_pct": ["0.010000000"] * rows,
        "balance_total": sum(parts.values()), **parts,
        "arrears_total": np.where(overdue, parts["balance_principal"] // 10 + 1, 0),
        "minimum_due": rng.integers(1_000, 50_000, rows), "oldest_unpaid_due_date": due, "dpd_source": late,
        "bucket_source": pick("B0", "B1", "B2"), "status": np.where(written_off, "charged_off", "active"),
        "charge_off_date": day(20_000, 20_500).set(pl.Series(~written_off), None),
        "charge_off_amount": pl.Series(rng.integers(10**4, 10**6, rows)).set(pl.Series(~written_off), None),
        "limitation_date": day(21_000, 23_000), "limitation_basis": ["statute"] * rows,
        "ifrs9_stage": rng.integers(1, 4, rows), "reg_class": pick("pass", "substandard"),
        "secured_flag": rng.random(rows) < 0.3, "collateral_ref": some([f"K{n}" for n in number], 0.3),
        "itemization_date": day(19_000, 20_000),
    })  # fmt: skip


def changed(frame: pl.DataFrame, seed: int = 8) -> pl.DataFrame:
    """Return the next day's file: one row in ten has another balance, the others are sent again as they were."""
    hit = pl.Series(np.random.default_rng(seed).random(frame.height) < CHANGED)
    paid = pl.when(hit).then(1_000).otherwise(0)
    return frame.with_columns(
        pl.col("balance_principal") + paid, pl.col("balance_total") + paid, pl.col("limit_or_principal") + paid
    )


def customers(rows: int) -> pl.DataFrame:
    """Return the owners of the accounts."""
    return pl.DataFrame({
        "customer_id": [f"C{n:010d}" for n in range(rows)], "full_name": [f"Pat Example {n}" for n in range(rows)],
        "party_type": ["person"] * rows, "language": ["en-US"] * rows, "residence_country": ["US"] * rows,
        "regions": ["US-TX"] * rows, "zones": ["America/Chicago"] * rows,
    })  # fmt: skip


def deliver(folder: Path, day: date, entity: str, frame: pl.DataFrame) -> Path:
    """Write a file and its manifest; return the manifest's path."""
    folder.mkdir(parents=True)
    path = folder / f"{entity}_full_001.csv"
    frame.write_csv(path)
    money = ("limit_or_principal", "balance_total", "balance_principal", "arrears_total")
    manifest = folder / "manifest.json"
    promised = {
        "file": path.name, "entity": entity, "mode": "full", "rows": frame.height,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "sums": {c: int(frame[c].sum()) for c in money if c in frame.columns},
    }  # fmt: skip
    manifest.write_text(json.dumps({
        "schema_version": "1", "source_system": "bench", "business_date": day.isoformat(), "files": [promised],
    }))  # fmt: skip
    return manifest


@dataclass
class Figures:
    """One step: rows, seconds, seconds of processor time (ours and the server's), peak resident memory in MiB."""

    rows: int
    seconds: float
    cpu: float
    peak_mib: int = 0

    @property
    def rate(self) -> float:
        """Return rows per second."""
        return self.rows / self.seconds


def ours(url: str, manifest: Path, day: date) -> Figures:
    """Import in a process of its own, so that its peak memory is its own."""
    command = [sys.executable, __file__, "--database", url, "--import", str(manifest), "--day", day.isoformat()]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return Figures(**json.loads(said.splitlines()[-1]))


class Stopwatch:
    """Wall time, and processor time of this process and of its backend, where the server is on this machine."""

    def __init__(self, driver: Any) -> None:
        info = getattr(driver, "info", None)
        self._backend = Path(f"/proc/{info.backend_pid}/stat") if info else None
        self._wall, self._cpu = time.perf_counter(), self._used()

    def _used(self) -> float:
        used = time.process_time()
        if self._backend and self._backend.exists():
            ticks = self._backend.read_text().rsplit(")", 1)[1].split()
            used += (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")
        return used

    def figures(self, rows: int, peak_mib: int = 0) -> Figures:
        """Return what has passed since the start."""
        return Figures(rows, time.perf_counter() - self._wall, self._used() - self._cpu, peak_mib)


def _peak_mib() -> int:
    """Return the peak resident memory of this process; getrusage would count its parent's at the fork."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _import(url: str, manifest: Path, day: date) -> None:
    database = Database(url)
    mapping = load_mapping("own_feed")
    with UnitsOfWork(database).begin() as uow:
        watch = Stopwatch(uow.session.connection().connection.dbapi_connection)
        result = import_file(uow, path=manifest, mapping=mapping, business_date=day)
    done = watch.figures(result.rows, _peak_mib())
    print(json.dumps(asdict(done)))


def _columns(frame: pl.DataFrame) -> str:
    return ", ".join(f'"{c}" {_TYPES[t.base_type()]}' for c, t in frame.schema.items())


def raw_postgresql(database: Database, folder: Path, first: pl.DataFrame) -> tuple[Figures, Figures]:
    """Return COPY into a table with our indexes, and the staged upsert of the re-send into it."""
    names = ", ".join(f'"{c}"' for c in first.columns)
    with closing(database.engine.raw_connection()) as connection:
        driver: Any = connection.driver_connection
        cursor = driver.cursor()
        cursor.execute("DROP TABLE IF EXISTS raw_account")
        cursor.execute(
            f"CREATE TABLE raw_account (id bigserial PRIMARY KEY, source text DEFAULT 'bench', {_columns(first)}, "
            "UNIQUE (source, account_id)) WITH (fillfactor = 85)"
        )
        cursor.execute("CREATE INDEX ON raw_account (customer_id)")
        driver.commit()
        watch = Stopwatch(driver)
        _copy(cursor, "raw_account", names, folder / "first" / "accounts_full_001.csv")
        driver.commit()
        copied = watch.figures(first.height)
        cursor.execute("ANALYZE raw_account")
        driver.commit()
        watch = Stopwatch(driver)
        cursor.execute(f"CREATE UNLOGGED TABLE staged ({_columns(first)})")
        _copy(cursor, "staged", names, folder / "second" / "accounts_full_001.csv")
        told = [c for c in first.columns if c != "account_id"]
        cursor.execute(
            f"INSERT INTO raw_account ({names}) SELECT {names} FROM staged ON CONFLICT (source, account_id) DO UPDATE "
            f"SET {', '.join(f'{c} = excluded.{c}' for c in told)} "
            f"WHERE ({', '.join(f'raw_account.{c}' for c in told)}) IS DISTINCT FROM "
            f"({', '.join(f'excluded.{c}' for c in told)})"
        )
        driver.commit()
        upserted = watch.figures(first.height)
        cursor.execute("DROP TABLE staged, raw_account")
        driver.commit()
    return copied, upserted


def _copy(cursor: Any, table: str, names: str, path: Path) -> None:
    with (
        cursor.copy(f"COPY {table} ({names}) FROM STDIN (FORMAT csv, HEADER)") as copy,
        path.open("rb") as file,
    ):
        while block := file.read(1 << 20):
            copy.write(block)


def raw_sqlite(database: Database, folder: Path, first: pl.DataFrame) -> tuple[Figures, Figures]:
    """Return executemany into a table with our indexes, and the upsert of the re-send into it."""
    names = ", ".join(first.columns)
    marks = ", ".join("?" for _ in first.columns)
    told = [c for c in first.columns if c != "account_id"]
    insert = f"INSERT INTO raw_account ({names}) VALUES ({marks})"
    upsert = (
        f"{insert} ON CONFLICT (source, account_id) DO UPDATE SET {', '.join(f'{c} = excluded.{c}' for c in told)} "
        f"WHERE ({', '.join(f'raw_account.{c}' for c in told)}) IS NOT ({', '.join(f'excluded.{c}' for c in told)})"
    )
    with closing(database.engine.raw_connection()) as connection:
        driver: Any = connection.driver_connection
        driver.execute("DROP TABLE IF EXISTS raw_account")
        driver.execute(
            f"CREATE TABLE raw_account (id INTEGER PRIMARY KEY, source text DEFAULT 'bench', {_columns(first)}, "
            "UNIQUE (source, account_id))"
        )
        driver.execute("CREATE INDEX ix_raw ON raw_account (customer_id)")
        figures = []
        for part, statement in (("first", insert), ("second", upsert)):
            watch = Stopwatch(driver)
            driver.execute("BEGIN IMMEDIATE")
            with (folder / part / "accounts_full_001.csv").open(newline="") as file:
                reader = csv.reader(file)
                next(reader)
                driver.executemany(statement, ([v or None for v in row] for row in reader))
            driver.execute("COMMIT")
            figures.append(watch.figures(first.height))
        driver.execute("DROP TABLE raw_account")
    return figures[0], figures[1]


def _emptied(url: str) -> Database:
    database = Database(url)
    if "bench" not in (database.engine.url.database or ""):
        raise SystemExit('the database is emptied: its name must contain "bench"')
    if database.is_postgresql:
        with database.engine.begin() as connection:
            connection.execute(sa.text("DROP SCHEMA public CASCADE"))
            connection.execute(sa.text("CREATE SCHEMA public"))
    upgrade(database)
    return database


def run(url: str, rows: int, folder: Path) -> None:
    """Generate the feeds, load them, load them raw, print both and their ratio."""
    database = _emptied(url)
    first = book(rows)
    tomorrow = DAY + timedelta(days=1)
    people = deliver(folder / "people", DAY, "customers", customers(rows))
    day_one = deliver(folder / "first", DAY, "accounts", first)
    day_two = deliver(folder / "second", tomorrow, "accounts", changed(first))
    size = (folder / "first" / "accounts_full_001.csv").stat().st_size / rows
    print(f"{rows:,} accounts x {first.width} columns, {size:.0f} bytes a row, {database.engine.dialect.name}")
    who = ours(url, people, DAY)
    print(f"{'customers':24}{who.rate:>12,.0f} rows/s{who.seconds:>10.2f} s   peak {who.peak_mib:,} MiB")
    mine = (ours(url, day_one, DAY), ours(url, day_two, tomorrow))
    raw = (raw_postgresql if database.is_postgresql else raw_sqlite)(database, folder, first)
    for name, own, ceiling in zip(("first load", "re-send, 10% changed"), mine, raw, strict=True):
        print(
            f"{name:24}{own.rate:>12,.0f} rows/s{own.seconds:>10.2f} s   peak {own.peak_mib:,} MiB   "
            f"raw {ceiling.rate:,.0f} rows/s   ratio {own.rate / ceiling.rate:.0%}   "
            f"(cpu {own.cpu:.2f} s, raw {ceiling.cpu:.2f} s)"
        )
    database.engine.dispose()


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", help="a PostgreSQL or SQLite URL; empty: a SQLite file in a temporary folder")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--import", dest="manifest", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--day", type=date.fromisoformat, help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.manifest:
        _import(told.database, told.manifest, told.day)
        return
    with tempfile.TemporaryDirectory() as folder:
        run(told.database or f"sqlite:///{folder}/bench.db", told.rows, Path(folder))


if __name__ == "__main__":
    main()
