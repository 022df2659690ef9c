"""From matured labels to a candidate model, for every recipe; a person lets it work (services/model_stages).

Training reads the tables with the same queries and the same feature builder as scoring. What is built is
registered in stage dev and never promoted by a job.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.migrate import upgrade
from collections_app.db.session import Database
from collections_app.db.tables import ModelVersion
from collections_app.db.unit_of_work import UnitOfWork, UnitsOfWork
from collections_app.domain.errors import InvalidInput, NotConfigured
from collections_app.domain.model_stages import Stage
from collections_app.domain.permissions import SYSTEM, Actor, Permission
from collections_app.intake.mapping import Mapping
from collections_app.services import casework, intake, ledger, observations, samples
from models import expert, family
from models.catalogue import Recipe, recipe_of
from models.registry import Bundle, ModelStore
from models.sample import Sample, SampleError

Telling = Callable[[str, dict[str, Any]], None]
"""Told after each stage of the pipeline: its name (sample, explore, modify, model, assess) and its figures."""
STAGES = ("sample", "explore", "modify", "model", "assess")


@dataclass(frozen=True)
class TrainedModel:
    """A candidate as registered, with its card. ``version`` empty: tried without being kept."""

    name: str
    version: str
    stage: str
    card: dict[str, Any]


def build(
    units: UnitsOfWork, *, actor: Actor, models: ModelStore, name: str, algorithm: str | None = None,
    source: str | None = None, split: Path | None = None, out_of_time: int | None = None,
    data: Database | None = None, threads: int = 2, seed: int = 0, min_events: int | None = None,
    tell: Telling | None = None, keep: bool = True,
) -> TrainedModel:  # fmt: skip
    """Build a model by its recipe's name: sample, explore, modify, model, assess; register it in stage dev.

    ``split`` names a file (account reference, train or test), ``out_of_time`` keeps the last days for the test; else
    people are split by a stable hash. ``data``: the database to learn from, if not the one that keeps the models.
    ``keep`` False registers nothing. No transaction is open while the model is fitted. The same data give the same
    version: building twice adds nothing. Raise InvalidInput with one sentence when the labels cannot carry it.
    """
    actor.require(Permission.MODEL_TRAIN)
    recipe = _recipe(name, algorithm)
    now = units.clock()
    with (data or units.database).reading() as session:
        drawn = _draw(session, recipe, source=source, split=split, out_of_time=out_of_time, until=now.date())
    _tell_sample(tell, recipe, drawn)
    provenance = {
        "source": source or "all", **drawn.provenance, "trained_at": now.isoformat(timespec="seconds"),
        "trained_by": actor.name,
    }  # fmt: skip
    try:
        bundle = family.train(
            recipe, drawn.sample, algorithm=algorithm, provenance=provenance, seed=seed, threads=threads,
            min_events=min_events,
        )  # fmt: skip
    except family.MissingExtra as error:
        raise NotConfigured(f"{name}: {error}", code="missing_extra") from None
    except SampleError as error:
        raise InvalidInput(f"{name}: {error}{_counted(drawn.left_out)}", code="sample_too_small") from None
    tell_card(tell, bundle)
    return register(units, actor=actor, models=models, bundle=bundle, keep=keep)


def sample_for(
    units: UnitsOfWork, *, actor: Actor, name: str, source: str | None = None, split: Path | None = None,
    out_of_time: int | None = None, data: Database | None = None, seed: int = 0, explore: bool = True,
) -> dict[str, Any]:  # fmt: skip
    """Draw the sample of a recipe, and explore it, without fitting anything: the figures of those two stages."""
    actor.require(Permission.MODEL_TRAIN)
    recipe = _recipe(name, None)
    with (data or units.database).reading() as session:
        until = units.clock().date()
        drawn = _draw(session, recipe, source=source, split=split, out_of_time=out_of_time, until=until)
    told: dict[str, Any] = {"sample": _sample_figures(recipe, drawn)}
    if explore:
        told["explore"] = _explored(recipe, drawn.sample, seed)
    return told


def _explored(recipe: Recipe, sample: Sample, seed: int) -> dict[str, Any]:
    if recipe.kind == "panel":
        from models.survival.told import explored

        return explored(recipe, sample, seed=seed)
    from models.explore import explore as look

    return look(recipe, sample, seed=seed)[0]


def _draw(
    session: Session, recipe: Recipe, *, source: str | None, split: Path | None, out_of_time: int | None, until: date
) -> samples.Sampled:  # fmt: skip
    if recipe.kind != "panel":
        found = observations.observe(session, recipe, source=source, until=until)
        return samples.draw(recipe, found, split=split, out_of_time=out_of_time)
    if split is not None or out_of_time is not None:
        raise InvalidInput(f"{recipe.name} learns from the monthly panel, whose people are split by a hash")
    from collections_app.services.panel_training import panel_sample  # imports the survival models

    sample, provenance = panel_sample(session, recipe, until=until, source=source)
    return samples.Sampled(sample, provenance, {})


def register(
    units: UnitsOfWork, *, actor: Actor, models: ModelStore, bundle: Bundle, keep: bool = True
) -> TrainedModel:  # fmt: skip
    """Keep a bundle as a version in stage dev; a version that is there already stands where it stands."""
    card = bundle.card.as_json()
    if not keep:
        return TrainedModel(bundle.card.name, "", Stage.DEV, card)
    version = bundle.digest()[:12]
    key = models.save(bundle, version)
    with units.begin(actor) as uow:
        return _register(uow, key, version, bundle, card)


def install_generic(units: UnitsOfWork, *, actor: Actor, models: ModelStore) -> TrainedModel:
    """Register the expert's cold-start card as a c-card version in stage dev; a person approves it."""
    actor.require(Permission.MODEL_TRAIN)
    return register(units, actor=actor, models=models, bundle=expert.load())


@contextmanager
def scratch_book(units: UnitsOfWork, *, path: Path, mapping: Mapping, business_date: date) -> Iterator[Database]:
    """Import a lender's file through the real intake into a database of its own, to learn from; gone afterwards.

    A research file must not become cases to be worked; the road from file to features stays the same.
    """
    with tempfile.TemporaryDirectory(prefix="model-") as folder:
        scratch = Database(f"sqlite:///{Path(folder) / 'scratch.db'}")
        try:
            upgrade(scratch)
            with UnitsOfWork(scratch, units.clock).begin(SYSTEM) as uow:
                intake.import_file(uow, path=path, mapping=mapping, business_date=business_date)
                ledger.refresh(uow, business_date=business_date)
                casework.refresh(uow, business_date=business_date)
            yield scratch
        finally:
            scratch.engine.dispose()


def _recipe(name: str, algorithm: str | None) -> Recipe:
    try:
        recipe = recipe_of(name)
    except LookupError as error:
        raise InvalidInput(str(error.args[0]), code="unknown_model") from None
    if algorithm is not None and algorithm not in recipe.algorithms:
        raise InvalidInput(f"{name} is trained as {' or '.join(recipe.algorithms)}, not as {algorithm}")
    return recipe


def _counted(left_out: dict[str, int]) -> str:
    return f" (left out: {', '.join(f'{n} {why}' for why, n in left_out.items())})" if left_out else ""


def _sample_figures(recipe: Recipe, drawn: samples.Sampled) -> dict[str, Any]:
    sample = drawn.sample
    test = sample.is_test
    return {
        "event": recipe.event, "rows": len(test), "events": int(sample.outcome.sum()),
        "train_rows": int((~test).sum()), "train_events": int(sample.outcome[~test].sum()),
        "test_rows": int(test.sum()), "test_events": int(sample.outcome[test].sum()),
        "people": len(set(sample.customer.tolist())), "features": len(recipe.features), **drawn.provenance,
    }  # fmt: skip


def _tell_sample(tell: Telling | None, recipe: Recipe, drawn: samples.Sampled) -> None:
    if tell is not None:
        tell("sample", _sample_figures(recipe, drawn))


def tell_card(tell: Telling | None, bundle: Bundle) -> None:
    """Tell the stages that fitting went through, from the card."""
    if tell is None:
        return
    card = bundle.card
    tell("explore", dict(card.figures.get("explore", {})))
    tell("modify", {"features": len(card.features), "missing_share": dict(card.missing_share), **card.recipe})
    tell("model", {"algorithm": card.algorithm, **card.cross_validation, "importance": dict(card.importance)})
    tell("assess", {"test": dict(card.test), "alarms": list(card.alarms), "warnings": list(card.warnings)})


def _register(uow: UnitOfWork, key: str, version: str, bundle: Bundle, card: dict[str, Any]) -> TrainedModel:
    name = bundle.card.name
    row = uow.session.scalar(sa.select(ModelVersion).where(ModelVersion.name == name, ModelVersion.version == version))
    if row is None:
        row = ModelVersion(
            name=name, version=version, algorithm=bundle.card.algorithm, purpose=recipe_of(name).purpose,
            stage=Stage.DEV, bundle_key=key, card=card, trained_at=uow.now, trained_by=uow.actor.name,
        )  # fmt: skip
        uow.session.add(row)
    return TrainedModel(row.name, row.version, row.stage, row.card)
