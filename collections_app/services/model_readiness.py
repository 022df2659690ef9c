"""Cold start to custom: what each model could learn from by now, which one works, and building it when it suffices.

A model built here stands in stage dev: it decides nothing until a person lets it.
"""

from dataclasses import asdict, dataclass, fields
from datetime import date
from math import ceil
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.tables import ModelVersion
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.errors import DomainError
from collections_app.domain.model_stages import Stage
from collections_app.domain.permissions import Actor
from collections_app.queries import call_slots, label_facts
from collections_app.queries.label_facts import HOLD_OUT
from collections_app.services import training
from collections_app.services.samples import TEST_PERCENT
from models.catalogue import RECIPES, Recipe
from models.registry import ModelStore

GENERIC = "expert"


@dataclass(frozen=True)
class Readiness:
    """How far one model is. ``events, others``: matured outcomes with and without the event; ``needed`` of each.

    Of uplift they are those of the arm that has fewer. None = not counted: a model of the panel reads its outcomes
    from the panel itself, which is minutes of work.
    """

    name: str
    title: str
    event: str
    events: int | None
    others: int | None
    needed: int
    works: str
    """The version at work: none, generic (an expert's card), or custom (learnt from outcomes)."""
    candidates: int
    """Versions of its own that were built, whatever their stage."""
    lack: str
    """What is missing for sure, in one sentence; empty: nothing that counting sees."""
    is_worth_trying: bool
    """Whether building may succeed; building alone tells, because it looks at the population and splits the people."""
    has_population: bool
    """Whether the model serves a range of DPD, at which the counted outcomes were not looked at."""

    @property
    def advice(self) -> str:
        """Say what to do next, in one sentence."""
        if self.works == "custom" and not self.lack:
            return "a model of its own works"
        if self.candidates and not self.lack:
            return "built: a person approves it"
        if self.lack:
            return self.lack
        how = "enough before the population is looked at" if self.has_population else "enough by count"
        return f"{'not counted' if self.events is None else how}: collections model build {self.name} --dry-run tells"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON; ``enough`` is null where nothing was counted."""
        enough = None if self.events is None else not self.lack
        return {**asdict(self), "enough": enough, "advice": self.advice}


@dataclass(frozen=True)
class _Held:
    """What counting found; ``lack`` and ``is_worth_trying`` as in Readiness."""

    events: int | None
    others: int | None
    lack: str
    is_worth_trying: bool

    @classmethod
    def of(cls, rows: int, events: int, needed: int, where: str = "") -> "_Held":
        """Hold outcomes against what is needed of each kind."""
        others = rows - events
        which, have = ("with", events) if events < others else ("without", others)
        lack = f"wait: {have:,} of {needed:,} outcomes {which} the event{where}" if have < needed else ""
        return cls(events, others, lack, not lack)


def readiness(session: Session, *, until: date) -> list[Readiness]:
    """Return every recipe that learns from our own tables with what has matured by ``until``."""
    counted = {row["label"]: row for row in label_facts.count_labels(session, until=until).iter_rows(named=True)}
    versions = session.execute(sa.select(ModelVersion.name, ModelVersion.algorithm, ModelVersion.stage)).all()
    return [_ready(session, recipe, counted.get(recipe.event), versions, until) for recipe in RECIPES]


def _ready(session: Session, recipe: Recipe, labels: dict[str, Any] | None, versions: Any, until: date) -> Readiness:
    # The training part alone must hold as many; the test part is taken off.
    needed = ceil(recipe.min_events / (1 - TEST_PERCENT / 100))
    held = _held(session, recipe, labels, until, needed)
    own = [(algorithm, stage) for name, algorithm, stage in versions if name == recipe.name]
    champion = next((algorithm for algorithm, stage in own if stage == Stage.CHAMPION), None)
    works = "none" if champion is None else "generic" if champion == GENERIC else "custom"
    return Readiness(
        name=recipe.name, title=recipe.title, event=recipe.event, needed=needed, works=works,
        candidates=sum(algorithm != GENERIC for algorithm, _ in own), has_population=recipe.dpd is not None,
        **{f.name: getattr(held, f.name) for f in fields(held)},
    )  # fmt: skip


def _held(session: Session, recipe: Recipe, labels: dict[str, Any] | None, until: date, needed: int) -> _Held:
    if recipe.kind == "panel":
        return _panel(session, needed)
    if recipe.kind == "slot":
        return _Held.of(*call_slots.count_calls(session, until=until), needed)
    if recipe.purpose == "uplift":
        return _arms(label_facts.count_arms(session, label=recipe.event, until=until), needed)
    if labels is None:
        return _Held.of(0, 0, needed)
    part = "held_out_" if recipe.hold_out_only else ""
    return _Held.of(int(labels[f"{part}rows"]), int(labels[f"{part}events"]), needed)


def _panel(session: Session, needed: int) -> _Held:
    """Look whether there is a book at all. Accounts are no outcomes: they only tell whether a job should try."""
    accounts, bad = label_facts.count_ever_bad(session)
    if not accounts:
        return _Held(None, None, "wait: the book is empty; this model learns from month ends of the ledger", False)
    if not bad:
        return _Held(None, None, "wait: no account was ever 31 days past due", False)
    return _Held(None, None, "", min(bad, accounts - bad) >= needed)


def _arms(arms: pl.DataFrame, needed: int) -> _Held:
    """Hold each arm of the experiment against what it needs; the one that is farther from it decides."""
    from models.uplift import LEAST_PER_ARM  # brings xgboost

    # The card is made of the worked, so they need what a card needs; the hold-out is only compared with.
    fewer = ceil(LEAST_PER_ARM / (1 - TEST_PERCENT / 100))
    names = arms["arm"].to_list()
    held = [
        (least, _Held.of(row["rows"], row["events"], least, where))
        for row in arms.iter_rows(named=True)
        for least, where in [(fewer, " in the hold-out") if row["arm"] == HOLD_OUT else (needed, " among the worked")]
    ]
    _, shortest = min(
        held, key=lambda h: min(h[1].events or 0, h[1].others or 0) / h[0], default=(needed, _Held.of(0, 0, needed))
    )
    lack = shortest.lack
    if HOLD_OUT not in names or len(names) != 2:
        told = ", ".join(names) or "none"
        lack = f"wait: uplift compares one way of working with the hold-out; arms with outcomes: {told}"
    elif strange := sum(row["rows"] - row["drawn"] for row in arms.iter_rows(named=True)):
        lack = lack or f"wait: {strange:,} outcomes carry no chance of being drawn; uplift needs those drawn at random"
    return _Held(shortest.events, shortest.others, lack, not lack)


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
    due = [r.name for r in rows if r.is_worth_trying and not r.candidates and (panels or kinds[r.name] != "panel")]
    built: dict[str, Any] = {"built": {}, "refused": {}}
    for name in due:
        try:
            made = training.build(units, actor=actor, models=models, name=name, threads=threads)
            built["built"][name] = made.version
        except DomainError as error:  # one recipe that cannot be built holds no other up
            built["refused"][name] = error.message
    return built
