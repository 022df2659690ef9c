"""Measure the speed of the C-card on a book of any size; how good it is, bench/models/c_card.py tells.

    python bench/models_c_card.py ../shared/data/uci_taiwan_default --copies 1 10

Imports the overdue accounts of the real book, ``copies`` times over, opens their cases and times one scoring
run and the export of the feedback file.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import polars as pl

from collections_app.db.migrate import upgrade
from collections_app.db.session import Database
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.model_stages import Stage
from collections_app.domain.permissions import SYSTEM, Actor, Role
from collections_app.intake.mapping import load_mapping
from collections_app.services import casework, feedback, intake, ledger, model_stages, scoring, training
from models.registry import ModelStore

DAY = date(2005, 9, 30)
BOOK, SPLIT = "UCI_Credit_Card.csv", "split_seed0_overdue.csv"


@contextmanager
def house() -> Iterator[tuple[UnitsOfWork, ModelStore, Path]]:
    """Yield an empty database and an empty model store."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database = Database(f"sqlite:///{folder / 'bench.db'}")
        upgrade(database)
        yield UnitsOfWork(database), ModelStore(folder / "models"), folder
        database.engine.dispose()


def train(units: UnitsOfWork, models: ModelStore, data: Path) -> training.TrainedModel:
    """Train on the fixed split by the real road."""
    mapping = load_mapping("uci_credit_card")
    with training.scratch_book(units, path=data / BOOK, mapping=mapping, business_date=DAY) as book:
        return training.build(units, actor=SYSTEM, models=models, name="c-card", source=mapping.source, data=book,
                              split=data / SPLIT)  # fmt: skip


def speed(data: Path, copies: int) -> None:
    """Time scoring and export on ``copies`` times the overdue accounts of the real book."""
    with house() as (units, models, folder):
        model = train(units, models, data)
        with units.begin(Actor(id=1, name="bench", role=Role.STRATEGIST)) as uow:
            model_stages.move(uow, name=model.name, version=model.version, to=Stage.CHAMPION, note="bench")
        raw = (data / BOOK).read_bytes().replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        overdue = pl.read_csv(raw).filter(pl.col("PAY_0") >= 1)
        book = pl.concat([overdue.with_columns(pl.col("ID") + 100_000 * n) for n in range(copies)])
        book.write_csv(folder / "book.csv")
        with units.begin() as uow:
            mapping = load_mapping("uci_credit_card")
            intake.import_file(uow, path=folder / "book.csv", mapping=mapping, business_date=DAY)
            ledger.refresh(uow, business_date=DAY)
            casework.refresh(uow, business_date=DAY)
        started = time.perf_counter()
        with units.begin() as uow:
            said = scoring.score_open(uow, business_date=DAY, models=models)
        scored = time.perf_counter() - started
        started = time.perf_counter()
        with units.database.reading() as session:
            told = feedback.export_feedback(session, as_of=DAY, out=folder / "feed.parquet")
        exported = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{said['scored']:>9,} cases scored in {scored:6.2f} s, psi {said['psi']}; "
        f"{told['rows']:,} episodes exported in {exported:.2f} s; peak {peak:,.0f} MB"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the UCI book and its fixed split")
    parser.add_argument("--copies", type=int, nargs="+", default=[1])
    chosen = parser.parse_args()
    for number in chosen.copies:
        speed(chosen.data, number)
