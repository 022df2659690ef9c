"""The models at work: called up by what they can answer, each loaded once, none failing unseen.

Every road of scoring (the open book, promises and hours, good accounts, panels) calls its crew up here, so that
a champion that cannot work stops its step everywhere, and a shadow that cannot is told everywhere.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import polars as pl
import sqlalchemy as sa

from collections_app.db.tables import ModelVersion, ScoreRun
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.errors import NotConfigured
from collections_app.domain.model_stages import SCORED, Stage
from models import family
from models.catalogue import BY_NAME, Recipe
from models.registry import Bundle, BundleError, ModelStore
from models.tally import added, tally

DRIFT_ROWS = 200_000
"""Of a larger book so many rows are counted for drift, evenly drawn: the shares are as sure, the day is shorter."""


@dataclass
class Working:
    """A model at work today: its version, its bundle, and what it did so far."""

    id: int
    name: str
    version: str
    stage: str
    recipe: Recipe
    bundle: Bundle
    run: ScoreRun | None = None
    rows: int = 0
    fallback_rows: int = 0
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Name the version in results and messages."""
        return f"{self.name} {self.version}"

    @property
    def decides(self) -> bool:
        """Tell whether strategies see what it says; shadow and challenger only watch."""
        return self.stage == Stage.CHAMPION


@dataclass
class Crew:
    """Who works today, and who was meant to but cannot (title -> why)."""

    models: list[Working]
    failed: dict[str, str]

    @property
    def features(self) -> set[str]:
        """Name every feature that any of them reads."""
        return {name for model in self.models for name in model.bundle.card.features}

    def let(self, model: Working, work: Callable[[], None]) -> None:
        """Let a model do its part; one that decides and cannot raises NotConfigured, another is told and sent home."""
        try:
            work()
        except NotConfigured as error:
            if model.decides:
                raise
            self.failed[model.title] = error.message
            self.models.remove(model)

    def told(self) -> dict[str, Any]:
        """Say what was done, by purpose."""
        by_purpose = {model.recipe.purpose: model.rows for model in self.models if model.decides}
        beside = sum(model.rows for model in self.models if not model.decides)
        told = {"scored": sum(by_purpose.values()), **by_purpose, "beside": beside, "failed": dict(self.failed)}
        return {name: said for name, said in told.items() if name == "scored" or said}


def call_up(
    uow: UnitOfWork, models: ModelStore, *, asked: Callable[[Recipe], bool],
    is_turn: Callable[[ModelVersion, Recipe], bool] = lambda version, recipe: True, led_by_any: bool = False,
) -> Crew:  # fmt: skip
    """Load the versions that are scored and whose recipe is asked for; where no champion leads, nobody works.

    A name is led by its own champion, or with ``led_by_any`` by any champion among those asked. A champion whose
    bundle is damaged raises NotConfigured; another one is told under ``failed``.
    """
    versions = uow.session.scalars(
        sa.select(ModelVersion).where(ModelVersion.stage.in_(SCORED)).order_by(ModelVersion.id)
    ).all()
    mine = [(v, recipe) for v in versions if (recipe := BY_NAME.get(v.name)) is not None and asked(recipe)]
    led = {v.name for v, _ in mine if v.stage == Stage.CHAMPION}
    crew = Crew([], {})
    for version, recipe in mine:
        if not (version.name in led or (led_by_any and led)) or not is_turn(version, recipe):
            continue
        try:
            bundle = load_bundle(models, version.bundle_key)
        except NotConfigured as error:
            if version.stage == Stage.CHAMPION:
                raise
            crew.failed[f"{version.name} {version.version}"] = error.message
            continue
        crew.models.append(Working(version.id, version.name, version.version, version.stage, recipe, bundle))
    return crew


def load_bundle(models: ModelStore, key: str) -> Bundle:
    """Load a bundle; a damaged one is a matter of set-up, not of the case at hand."""
    try:
        return models.load(key)
    except BundleError as error:
        raise NotConfigured(str(error), code="bundle_damaged") from None


def predict(
    model: Working, rows: pl.DataFrame, *, features: pl.DataFrame | None = None, threads: int, every: int = 1,
    is_exact: bool = False,
) -> pl.DataFrame:  # fmt: skip
    """Return ``case_id, account_id`` and what the model says of each row, counting it for the monitoring.

    ``features`` are what the model reads, if not the rows themselves. Raise NotConfigured when the model cannot
    work with them.
    """
    try:
        said = family.predict(
            model.bundle, rows if features is None else features, threads=threads, exact_reasons=is_exact
        )
    except ValueError as error:
        raise NotConfigured(f"{model.title}: {error}", code="model_unfit") from None
    if rows.height:
        model.figures = added(model.figures, tally(model.bundle, rows, said, every=every))
    case_id = pl.col("case_id") if "case_id" in rows.columns else pl.lit(None, pl.Int64).alias("case_id")
    return pl.concat([rows.select(case_id, "account_id"), said.frame()], how="horizontal")


def every_nth(rows: int) -> int:
    """Return which rows of a book of this size are counted for drift: every one, every second ..."""
    return max(1, -(-rows // DRIFT_ROWS))
