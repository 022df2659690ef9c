"""Bundles for tests, made in a second: lateness and applications elsewhere raise the chance of the event."""

from dataclasses import replace

import numpy as np
import polars as pl

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from models import boosted, family
from models.card import ModelCard
from models.catalogue import recipe_of
from models.feature_list import FEATURE_NAMES
from models.registry import Bundle, ModelStore
from models.sample import Sample


def made_features(rows: int, *, seed: int = 0) -> pl.DataFrame:
    """Return features in which only lateness, arrears, past months and outside applications say anything."""
    rng = np.random.default_rng(seed)
    hit = rng.uniform(size=rows) < 0.8
    told = {
        "dpd": rng.integers(1, 90, rows).astype(float),
        "arrears_ratio": rng.uniform(0, 1, rows),
        "past_due_0": rng.integers(0, 4, rows).astype(float),
        "ml_status": np.where(hit, 1.0, -1.0),
        "ml_apps_12m": np.where(hit, rng.integers(0, 20, rows).astype(float), np.nan),
    }
    columns = {n: told.get(n, np.full(rows, np.nan)) for n in FEATURE_NAMES}
    return pl.DataFrame(columns).fill_nan(None).with_columns(pl.all().cast(pl.Float64))


def made_sample(rows: int, *, seed: int = 0) -> Sample:
    """Return a sample whose outcome follows lateness and applications elsewhere."""
    rng = np.random.default_rng(seed + 1)
    features = made_features(rows, seed=seed)
    applied = features["ml_apps_12m"].fill_null(5).to_numpy()
    odds = (features["dpd"].to_numpy() - 45) / 15 + (applied - 10) / 5
    return Sample(
        features=features, outcome=(rng.uniform(size=rows) < 1 / (1 + np.exp(-odds))).astype(np.int64),
        customer=np.arange(rows), is_test=np.arange(rows) % 3 == 0,
    )  # fmt: skip


def made_bundle(algorithm: str = "boosted", *, rows: int = 3_000) -> Bundle:
    """Train a C-card; the same bytes each time."""
    if algorithm == "boosted":
        few = boosted.Tuning(depths=(2,), folds=3, rounds=60, eta=0.1)
        return boosted.train(recipe_of("c-card"), made_sample(rows), provenance={}, threads=1, tuning=few)
    return family.train(
        recipe_of("c-card"), made_sample(rows), algorithm=algorithm, provenance={}, threads=1, min_events=50
    )  # fmt: skip


def renamed(bundle: Bundle, name: str) -> Bundle:
    """Return the same model under another name of the catalogue."""
    recipe = recipe_of(name)
    card: ModelCard = replace(
        bundle.card, name=name, event_name=recipe.event, event_is=recipe.event_is, horizon_days=recipe.horizon_days
    )
    return Bundle(card, bundle.parts)


def register(
    units: UnitsOfWork, models: ModelStore, bundle: Bundle, *, version: str = "v1", stage: str = "champion"
) -> int:
    """Put a bundle into the store and its version into a stage; return the version's row."""
    key = models.save(bundle, version)
    with units.begin() as uow:
        row = t.ModelVersion(
            name=bundle.card.name, version=version, algorithm=bundle.card.algorithm, stage=stage, bundle_key=key,
            purpose=recipe_of(bundle.card.name).purpose, card=bundle.card.as_json(), trained_at=uow.now,
            trained_by="system",
        )  # fmt: skip
        uow.session.add(row)
        uow.session.flush()
        return row.id
