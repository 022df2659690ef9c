"""From matured labels to a candidate model.

Training reads the tables with the same queries and the same feature builder as scoring. A model is
never promoted by a job: ``model_stages.move`` wants a person.
"""

import csv
import tempfile
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.migrate import upgrade
from collections_app.db.session import Database
from collections_app.db.tables import ModelVersion
from collections_app.db.unit_of_work import UnitOfWork, UnitsOfWork
from collections_app.domain.errors import InvalidInput
from collections_app.domain.permissions import SYSTEM, Actor, Permission
from collections_app.intake.mapping import Mapping
from collections_app.queries.feature_frames import raw_frames
from collections_app.queries.label_facts import matured_labels
from collections_app.services import casework, intake, ledger
from models import family
from models.catalogue import recipe_of
from models.feature_list import FEATURE_SCHEMA
from models.features import build_features
from models.labels import BAD_30D
from models.registry import ModelStore
from models.sample import Sample, SampleError

C_CARD = "c-card"
CHALLENGER = "challenger"
_TEST_PERCENT = 30


@dataclass(frozen=True)
class TrainedModel:
    """A candidate as registered, with its card."""

    name: str
    version: str
    stage: str
    card: dict[str, Any]


def train_c_card(
    units: UnitsOfWork, *, actor: Actor, models: ModelStore, source: str | None = None, label: str = BAD_30D,
    split: Path | None = None, data: Database | None = None, threads: int = 2, min_events: int = 100,
) -> TrainedModel:  # fmt: skip
    """Train on the overdue accounts with a matured label and register the candidate.

    ``split`` names a file (account ref, train/test); else customers are split by a stable hash.
    ``data`` is the database to learn from, if it is not the one that keeps the models. No transaction
    is open while the model is fitted. The same data give the same version: training twice adds nothing.
    """
    actor.require(Permission.MODEL_TRAIN)
    now = units.clock()
    with (data or units.database).reading() as session:
        rows = matured_labels(session, label=label, source=source, until=now.date())
        if rows.is_empty():
            raise InvalidInput(f"no {label} label has matured{f' for source {source}' if source else ''}; "
                               "import outcomes or wait until episodes are 33 days old")  # fmt: skip
        rows = _with_fold(rows, split)
        observed = _observe(session, rows)
    overdue = observed.filter(pl.col("dpd") >= 1)
    sample = Sample(
        features=overdue.select(FEATURE_SCHEMA.names()),
        outcome=overdue["outcome"].to_numpy().astype(np.int64),
        customer=overdue["customer"].rank("dense").to_numpy().astype(np.int64),
        is_test=overdue["is_test"].to_numpy(),
    )
    provenance = {
        "source": source or "all", "label": label,
        "population": "overdue (dpd >= 1) at observation, label matured",
        "observed_from": str(rows["observed_on"].min()), "observed_to": str(rows["observed_on"].max()),
        "split": split.name if split else f"customer hash, {_TEST_PERCENT}% test",
        "trained_at": now.isoformat(timespec="seconds"), "trained_by": actor.name,
    }  # fmt: skip
    try:
        bundle = family.train(recipe_of(C_CARD), sample, provenance=provenance, threads=threads, min_events=min_events)
    except SampleError as error:
        raise InvalidInput(str(error), code="sample_too_small") from None
    digest = bundle.digest()[:12]
    with units.begin(actor) as uow:
        return _register(uow, models.save(bundle, digest), digest, bundle.card.as_json())


def train_from_file(
    units: UnitsOfWork, *, actor: Actor, models: ModelStore, path: Path, mapping: Mapping,
    business_date: date, split: Path | None = None, threads: int = 2,
) -> TrainedModel:  # fmt: skip
    """Import a lender's file through the real intake into a scratch database and train on it.

    A research file must not become cases to be worked; the road from file to features stays the same.
    """
    actor.require(Permission.MODEL_TRAIN)
    with tempfile.TemporaryDirectory(prefix="c-card-") as folder:
        scratch = Database(f"sqlite:///{Path(folder) / 'scratch.db'}")
        try:
            upgrade(scratch)
            with UnitsOfWork(scratch, units.clock).begin(SYSTEM) as uow:
                intake.import_file(uow, path=path, mapping=mapping, business_date=business_date)
                ledger.refresh(uow, business_date=business_date)
                casework.refresh(uow, business_date=business_date)
            return train_c_card(
                units,
                actor=actor,
                models=models,
                source=mapping.source,
                split=split,
                data=scratch,
                threads=threads,
            )
        finally:
            scratch.engine.dispose()


def _with_fold(rows: pl.DataFrame, split: Path | None) -> pl.DataFrame:
    if split is not None:
        folds = _read_split(split)
        rows = rows.filter(pl.col("account_ref").is_in(list(folds))).with_columns(
            is_test=pl.col("account_ref").replace_strict(folds, default=None, return_dtype=pl.Boolean)
        )
        if rows.is_empty():
            raise InvalidInput(f"{split}: none of its references is an account with a matured label")
        return rows
    people = rows["customer"].unique().to_list()
    test = {c: int(sha256(c.encode()).hexdigest()[:8], 16) % 100 < _TEST_PERCENT for c in people}
    return rows.with_columns(is_test=pl.col("customer").replace_strict(test, return_dtype=pl.Boolean))


def _read_split(path: Path) -> dict[str, bool]:
    """Read (reference, train|test) pairs, under a header line."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = list(csv.reader(file))[1:]
        folds = {line[0]: {"test": True, "train": False}[line[1]] for line in lines if line}
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path}: the split file cannot be read ({error})") from None
    except (KeyError, IndexError):
        raise InvalidInput(f"{path}: a split file has two columns, a reference and train or test") from None
    return folds


def _observe(session: Session, rows: pl.DataFrame) -> pl.DataFrame:
    """Build the features of each observation as known on its own day."""
    parts = []
    for key, group in rows.group_by("observed_on", maintain_order=True):
        as_of = key[0]
        assert isinstance(as_of, date)
        frames = raw_frames(session, account_ids=group["account_id"].to_list(), as_of=as_of)
        parts.append(group.join(build_features(frames, as_of), on="account_id"))
    return pl.concat(parts)


def _register(uow: UnitOfWork, key: str, version: str, card: dict[str, Any]) -> TrainedModel:
    row = uow.session.scalar(
        sa.select(ModelVersion).where(ModelVersion.name == C_CARD, ModelVersion.version == version)
    )
    if row is None:
        row = ModelVersion(
            name=C_CARD, version=version, stage=CHALLENGER, bundle_key=key, card=card,
            trained_at=uow.now, trained_by=uow.actor.name,
        )  # fmt: skip
        uow.session.add(row)
    return TrainedModel(row.name, row.version, row.stage, row.card)
