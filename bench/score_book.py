"""How long it takes to score a book: from the database to stored scores with reason codes, beside bare calls.

    predict    1. raw: booster.inplace_predict on the ready matrix; 2. family.predict without, with approximate
               reasons (boosted), and with the reasons of a scorecard; rows a second and the share of raw
    table      accounts x 60 features lie in a table: read, predict, reasons, counts, into `score` (the writer of
               services.scoring), beside raw: the same read, inplace_predict, COPY of id and chance into a bare table
    book       services.scoring.score_open on a generated ledger: histories to features, then the same; beside raw
    next       the same a day later, with yesterday's bands to hold

    createdb score_bench
    python bench/score_book.py --database postgresql://user@host/score_bench --rows 100000 --rows 1000000

The database is emptied: its name must contain "bench", its user must be a superuser (the book is made without
checking foreign keys). Compare within one run only; peak is this process's memory.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import sqlalchemy as sa
from score_book_rows import BOOK, FEATURE_TABLE

from collections_app.db import bulk
from collections_app.db.migrate import upgrade
from collections_app.db.session import Database
from collections_app.db.tables import Account, ModelVersion
from collections_app.db.unit_of_work import UnitOfWork, UnitsOfWork
from collections_app.services import score_runs, scoring
from collections_app.services.crews import Working, every_nth
from models import boosted, booster, family
from models.catalogue import recipe_of
from models.feature_list import FEATURE_NAMES
from models.predictions import TOP_REASONS
from models.registry import Bundle, ModelStore
from models.sample import Sample
from models.tally import added, tally

DAY = date(2026, 6, 1)
NOW = datetime(2026, 6, 1, 5, tzinfo=UTC)
FEATURES = tuple(FEATURE_NAMES[:60])
CHUNK = 50_000
_LEARN_ROWS = 24_000
_STATUS = Path("/proc/self/status")


def peak_mib() -> float:
    lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) / 1024


def timed(name: str, rows: int, work: Callable[[], Any]) -> float:
    """Run a step with a fresh high-water mark of memory; print and return its wall seconds."""
    Path("/proc/self/clear_refs").write_text("5")
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{rows:>10,} {name:<34} {wall:>8.2f} s {cpu:>8.2f} CPU s {rows / wall:>10,.0f}/s {peak_mib():>7,.0f} MiB",
          flush=True)  # fmt: skip
    return wall


def made_features(rows: int, *, seed: int) -> pl.DataFrame:
    """Return made features of the card: lateness and applications elsewhere say something, the rest little."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, len(FEATURES))).astype(np.float32)
    values[rng.uniform(size=values.shape) < 0.15] = np.nan
    frame = pl.DataFrame(values, schema=list(FEATURES)).fill_nan(None)
    return frame.with_columns(
        dpd=pl.Series(rng.integers(1, 90, rows), dtype=pl.Float32),
        ml_status=pl.Series(np.where(rng.uniform(size=rows) < 0.85, 1.0, -1.0), dtype=pl.Float32),
    )


def made_bundle(algorithm: str, *, threads: int) -> Bundle:
    """Train a card of 60 features: 300 trees of depth 6, or a scorecard."""
    recipe = replace(recipe_of("c-card"), features=FEATURES)
    rng = np.random.default_rng(1)
    features = made_features(_LEARN_ROWS, seed=1)
    weights = rng.normal(size=len(FEATURES)) * 0.3
    odds = np.nan_to_num(features.fill_null(0).to_numpy()) @ weights / 4 + features["dpd"].to_numpy() / 30 - 2
    sample = Sample(
        features=features, outcome=(rng.uniform(size=_LEARN_ROWS) < 1 / (1 + np.exp(-odds))).astype(np.int64),
        customer=np.arange(_LEARN_ROWS), is_test=np.arange(_LEARN_ROWS) % 4 == 0,
    )  # fmt: skip
    if algorithm == "boosted":
        fixed = boosted.Tuning(depths=(6,), folds=10, rounds=300, eta=0.1)
        return boosted.train(recipe, sample, provenance={}, threads=threads, tuning=fixed)
    return family.train(recipe, sample, algorithm=algorithm, provenance={}, threads=threads)


def make_book(database: Database, rows: int) -> None:
    """Empty the database and make a book of ``rows`` overdue accounts with a history, and a table of features."""
    names = ", ".join(f'"{t.name}"' for t in Account.metadata.sorted_tables)
    with database.engine.begin() as connection:
        connection.execute(sa.text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
        # The rows refer to each other by construction; checking that again takes most of the time.
        connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        for statement in [*BOOK, *FEATURE_TABLE(FEATURES)]:
            connection.execute(sa.text(statement), {"rows": rows, "day": DAY})
    settle(database)


def settle(database: Database) -> None:
    """Let the server settle: what a step left behind is not the next one's cost."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE"))
        connection.execute(sa.text("CHECKPOINT"))


def table_chunks(uow: UnitOfWork, rows: int) -> Iterator[pl.DataFrame]:
    """Read the table of features, a range of accounts at a time."""
    ids = {"case_id": pl.Int64, "account_id": pl.Int64}
    schema = ids | dict.fromkeys(FEATURES, pl.Float32)
    table = sa.table("bench_feature", *(sa.column(c) for c in schema))
    for low in range(0, rows, CHUNK):
        part = sa.select(*table.c).where(table.c.account_id > low, table.c.account_id <= low + CHUNK)
        yield bulk.read(uow.session, part, schema)


def raw_job(units: UnitsOfWork, bundle: Bundle, rows: int, threads: int) -> None:
    """Do what any road must do: read, inplace_predict, COPY of id and chance into a bare table."""
    model = booster.from_bytes(bundle.parts[boosted.MODEL], threads=threads)
    seconds = dict.fromkeys(("read", "predict", "copy"), 0.0)
    with units.begin() as uow:
        uow.session.execute(sa.text("CREATE TEMPORARY TABLE bare (account_id bigint, p_event float) ON COMMIT DROP"))
        bare = sa.table("bare", sa.column("account_id"), sa.column("p_event"))
        at = time.perf_counter()
        for chunk in table_chunks(uow, rows):
            matrix = chunk.select(FEATURES).to_numpy()
            seconds["read"] += (then := time.perf_counter()) - at
            p = model.inplace_predict(matrix, predict_type="value")
            seconds["predict"] += (at := time.perf_counter()) - then
            bulk.insert(uow.session, bare, chunk.select("account_id", p_event=pl.Series(p, dtype=pl.Float64)))  # type: ignore[arg-type]
            seconds["copy"] += (then := time.perf_counter()) - at
            at = then
    print(f"{'':>10} {'  of it':<34} " + ", ".join(f"{k} {v:.2f} s" for k, v in seconds.items()))


def table_job(units: UnitsOfWork, bundle: Bundle, version: int, rows: int, threads: int) -> None:
    """Score the table of features by the parts of ``services.scoring``: predict, count, write."""
    seconds = dict.fromkeys(("read", "predict with reasons", "count", "write"), 0.0)
    with units.begin() as uow:
        model = Working(version, "c-card", "bench", "champion", recipe_of("c-card"), bundle)
        at = time.perf_counter()
        for chunk in table_chunks(uow, rows):
            seconds["read"] += (then := time.perf_counter()) - at
            said = family.predict(bundle, chunk, threads=threads, exact_reasons=False)
            scored = pl.concat([chunk.select("case_id", "account_id"), said.frame()], how="horizontal")
            seconds["predict with reasons"] += (at := time.perf_counter()) - then
            model.figures = added(model.figures, tally(bundle, chunk, said, every=every_nth(rows)))
            seconds["count"] += (then := time.perf_counter()) - at
            score_runs.write_scores(uow, model, scored, business_date=DAY)
            seconds["write"] += (at := time.perf_counter()) - then
        score_runs.close_run(uow, model, business_date=DAY)
    print(f"{'':>10} {'  of it':<34} " + ", ".join(f"{k} {v:.2f} s" for k, v in seconds.items()))


def predict_alone(cards: dict[str, Bundle], rows: int, threads: int) -> None:
    """Compare the scoring itself with bare ``inplace_predict``, on a matrix and a frame that lie ready."""
    features = made_features(rows, seed=2)
    matrix = features.select(FEATURES).to_numpy()
    model = booster.from_bytes(cards["boosted"].parts[boosted.MODEL], threads=threads)
    raw = timed("raw inplace_predict", rows, lambda: model.inplace_predict(matrix, predict_type="value"))
    reasons = boosted._reasons
    boosted._reasons = lambda _b, m, *_a, **_k: np.full((len(m), TOP_REASONS), -1, np.int8)  # predict alone
    try:
        bare = timed("family.predict without reasons", rows, lambda: family.predict(
            cards["boosted"], features, threads=threads, exact_reasons=False))  # fmt: skip
    finally:
        boosted._reasons = reasons
    full = timed("  with approximate reasons", rows, lambda: family.predict(
        cards["boosted"], features, threads=threads, exact_reasons=False))  # fmt: skip
    card = timed("family.predict, scorecard + reasons", rows, lambda: family.predict(cards["scorecard"], features))
    print(f"{'':>10} share of raw throughput: predict {raw / bare:.0%}, with reasons {raw / full:.0%}, "
          f"scorecard with reasons {raw / card:.0%}")  # fmt: skip


def main(database: Database, rows: int, threads: int, *, keep: bool) -> None:
    cards = {name: made_bundle(name, threads=threads) for name in ("boosted", "scorecard")}
    predict_alone(cards, rows, threads)
    started = time.perf_counter()
    if keep:
        wipe(database)
    else:
        make_book(database, rows)
    print(f"{rows:>10,} {'(the book was made)':<34} {time.perf_counter() - started:>8.2f} s")
    units = UnitsOfWork(database, lambda: NOW)
    with tempfile.TemporaryDirectory() as folder:
        models = ModelStore(Path(folder))
        for name, bundle in cards.items():
            wipe(database)
            version = register(units, models, bundle, name)
            raw = timed("raw read + predict + COPY", rows, lambda: raw_job(units, cards["boosted"], rows, threads))
            job = partial(table_job, units, bundle, version, rows, threads)
            ours = timed(f"table to scores, {name}", rows, job)
            print(f"{'':>10} {name}: table to stored scores takes {ours / raw:.2f} x raw")
            wipe(database)
            register(units, models, bundle, name)
            raw = timed("raw read + predict + COPY", rows, lambda: raw_job(units, cards["boosted"], rows, threads))
            for n, day in enumerate(("first day", "next day")):
                job = partial(book_job, units, models, DAY + timedelta(days=n), rows, threads)
                whole = timed(f"book to scores, {name}, {day}", rows, job)
                print(f"{'':>10} {name}, {day}: ledger to stored scores takes {whole / raw:.2f} x raw")
                settle(database)


def register(units: UnitsOfWork, models: ModelStore, bundle: Bundle, name: str) -> int:
    """Make a bundle the champion, in place of the one before."""
    key = models.save(bundle, name)
    with units.begin() as uow:
        uow.session.execute(sa.update(ModelVersion).values(stage="retired"))
        row = ModelVersion(name="c-card", version=name, algorithm=name, stage="champion", bundle_key=key,
                           card=bundle.card.as_json(), trained_at=NOW, trained_by="bench")  # fmt: skip
        uow.session.add(row)
        uow.session.flush()
        return row.id


def wipe(database: Database) -> None:
    """Take the scores away again."""
    with database.engine.begin() as connection:
        connection.execute(sa.text("TRUNCATE score, score_run, model_version CASCADE"))


def book_job(units: UnitsOfWork, models: ModelStore, on: date, rows: int, threads: int) -> None:
    """Score the open book by the daily step's own function."""
    with units.begin() as uow:
        told = scoring.score_open(uow, business_date=on, models=models, threads=threads)
    if told["scored"] != rows:
        sys.exit(f"{told} is not {rows} scores")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", required=True)
    parser.add_argument("--rows", type=int, action="append")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="the book is there already, from a run of as many rows")
    chosen = parser.parse_args()
    if "bench" not in chosen.database.rsplit("/", 1)[-1]:
        sys.exit('the database is emptied: its name must contain "bench"')
    target = Database(chosen.database)
    upgrade(target)
    for number in chosen.rows or [100_000]:
        main(target, number, chosen.threads, keep=chosen.keep)
