"""Cold start to custom: what each model could learn from by now, which one works, and building it when it suffices.

A model built here stands in stage dev: it decides nothing until a person lets it.
"""

from dataclasses import asdict, dataclass
from datetime import date
from math import ceil
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.tables import ModelVersion
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.errors import DomainError
from collections_app.domain.model_stages import Stage
from collections_app.domain.permissions import Actor
from collections_app.queries import call_slots, label_facts
from collections_app.services import training
from collections_app.services.samples import TEST_PERCENT
from models.catalogue import RECIPES, Recipe
from models.registry import ModelStore

GENERIC = "expert"


@dataclass(frozen=True)
class Readiness:
    """How far one model is. ``events, others``: matured outcomes with and without the event; ``needed`` of each."""

    name: str
    title: str
    event: str
    events: int
    others: int
    needed: int
    works: str
    """The version at work: none, generic (an expert's card), or custom (learnt from outcomes)."""
    candidates: int
    """Versions of its own that were built, whatever their stage."""

    @property
    def is_enough(self) -> bool:
        """Tell whether the outcomes suffice."""
        return min(self.events, self.others) >= self.needed

    @property
    def advice(self) -> str:
        """Say what to do next, in one sentence."""
        if not self.is_enough:
            which, have = ("with", self.events) if self.events < self.others else ("without", self.others)
            return f"wait: {have:,} of {self.needed:,} outcomes {which} the event"
        if self.works == "custom":
            return "a model of its own works"
        return "built: a person approves it" if self.candidates else "enough: build it"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {**asdict(self), "enough": self.is_enough, "advice": self.advice}


def readiness(session: Session, *, until: date) -> list[Readiness]:
    """Return every recipe that learns from our own tables with what has matured by ``until``."""
    counted = {row["label"]: row for row in label_facts.count_labels(session, until=until).iter_rows(named=True)}
    versions = session.execute(sa.select(ModelVersion.name, ModelVersion.algorithm, ModelVersion.stage)).all()
    return [_ready(session, recipe, counted.get(recipe.event), versions, until) for recipe in RECIPES]


def _ready(session: Session, recipe: Recipe, labels: dict[str, Any] | None, versions: Any, until: date) -> Readiness:
    rows, events = _held(session, recipe, labels, until)
    own = [(algorithm, stage) for name, algorithm, stage in versions if name == recipe.name]
    champion = next((algorithm for algorithm, stage in own if stage == Stage.CHAMPION), None)
    works = "none" if champion is None else "generic" if champion == GENERIC else "custom"
    return Readiness(
        name=recipe.name, title=recipe.title, event=recipe.event, events=events, others=rows - events,
        # The training part alone must hold as many; the test part is taken off.
        needed=ceil(recipe.min_events / (1 - TEST_PERCENT / 100)), works=works,
        candidates=sum(algorithm != GENERIC for algorithm, _ in own),
    )  # fmt: skip


def _held(session: Session, recipe: Recipe, labels: dict[str, Any] | None, until: date) -> tuple[int, int]:
    if recipe.kind == "slot":
        return call_slots.count_calls(session, until=until)
    if recipe.kind == "panel" and labels is None:
        return label_facts.count_ever_bad(session)
    if labels is None:
        return 0, 0
    part = "held_out_" if recipe.hold_out_only else ""
    return int(labels[f"{part}rows"]), int(labels[f"{part}events"])


def build_when_ready(
    units: UnitsOfWork, *, actor: Actor, models: ModelStore, threads: int = 2, panels: bool = True
) -> dict[str, Any]:  # fmt: skip
    """Build the first model of its own of each recipe whose outcomes suffice; return versions and refusals by name.

    For a weekly job. It never promotes, and a recipe that has a version of its own is left to people. ``panels``
    False leaves out the models of the monthly panel, which take minutes.
    """
    with units.database.reading() as session:
        rows = readiness(session, until=units.clock().date())
    kinds = {r.name: r.kind for r in RECIPES}
    due = [r.name for r in rows if r.is_enough and not r.candidates and (panels or kinds[r.name] != "panel")]
    built: dict[str, Any] = {"built": {}, "refused": {}}
    for name in due:
        try:
            made = training.build(units, actor=actor, models=models, name=name, threads=threads)
            built["built"][name] = made.version
        except DomainError as error:  # one recipe that cannot be built holds no other up
            built["refused"][name] = error.message
    return built
