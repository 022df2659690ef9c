"""The business day: ordered steps, each idempotent for its date and resumable."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from collections_app.db.unit_of_work import UnitOfWork
from collections_app.intake.mapping import load_mapping
from collections_app.services import (
    assignment,
    behaviour_scoring,
    casework,
    contacting,
    intake,
    labelling,
    ledger,
    moment_scoring,
    monitoring,
    panel_scoring,
    plan_review,
    promise_verdicts,
    queueing,
    scoring,
    shields,
    signals,
    treatment,
)
from models.registry import ModelStore
from strategies.book import StrategyBook
from strategies.packs import PackLibrary

FEED_MAPPING = "own_feed"


@dataclass(frozen=True)
class Day:
    """What a day's run works with: the date, the rules, the models, and the manifests to import."""

    business_date: date
    book: StrategyBook
    packs: PackLibrary
    models: ModelStore
    manifests: tuple[Path, ...] = field(default=())


@dataclass(frozen=True)
class Step:
    """One step of the day; ``run`` gets a unit of work of its own."""

    name: str
    run: Callable[[UnitOfWork, Day], dict[str, Any]]


def _intake(uow: UnitOfWork, day: Day) -> dict[str, Any]:
    mapping = load_mapping(FEED_MAPPING)
    result = intake.ImportResult()
    for manifest in day.manifests:
        result = result.plus(intake.import_file(uow, path=manifest, mapping=mapping, business_date=day.business_date))
    return {"manifests": len(day.manifests), **result.as_dict()}


def _ledger(uow: UnitOfWork, day: Day) -> dict[str, Any]:
    result = ledger.refresh(uow, business_date=day.business_date)
    told = intake.reconcile(uow, business_date=day.business_date)
    return {**result, **{f"dpd_{name}": count for name, count in told.items()}}


def _plans(uow: UnitOfWork, day: Day) -> dict[str, Any]:
    """Judge plans by the ledger, then derive whom the verdicts touched: waivers and contracts count the same day."""
    judged = plan_review.review(uow, business_date=day.business_date)
    ended = shields.expire(uow, business_date=day.business_date)
    ledger.refresh(uow, business_date=day.business_date)
    return {**judged, **ended}


def _scoring(uow: UnitOfWork, day: Day) -> dict[str, Any]:
    book = scoring.score_open(uow, business_date=day.business_date, models=day.models)
    moments = moment_scoring.score_moments(uow, business_date=day.business_date, models=day.models)
    together = {
        "beside": book.pop("beside", 0) + moments.pop("beside", 0),
        "failed": book.pop("failed", {}) | moments.pop("failed", {}),
    }
    del moments["scored"]  # the step's figure is that of the open book
    return {**book, **moments, **{name: said for name, said in together.items() if said}}


DAILY: tuple[Step, ...] = (
    Step("intake", _intake),
    Step("ledger", _ledger),
    Step("plans", _plans),
    Step("casework", lambda uow, day: casework.refresh(uow, business_date=day.business_date)),
    Step("promises", lambda uow, day: promise_verdicts.settle(uow, business_date=day.business_date)),
    Step("signals", lambda uow, day: signals.refresh(uow, business_date=day.business_date)),
    Step("scoring", _scoring),
    Step(
        "behaviour",
        lambda uow, day: behaviour_scoring.score_good(uow, business_date=day.business_date, models=day.models),
    ),
    Step(
        "panels",
        lambda uow, day: panel_scoring.score_panels(uow, business_date=day.business_date, models=day.models),
    ),
    Step("queueing", lambda uow, day: queueing.place(uow, business_date=day.business_date, book=day.book)),
    Step("assignment", lambda uow, day: assignment.assign(uow, business_date=day.business_date)),
    Step("treatment", lambda uow, day: treatment.plan(uow, business_date=day.business_date, book=day.book)),
    Step(
        "contacting",
        lambda uow, day: contacting.plan_campaigns(uow, business_date=day.business_date, packs=day.packs),
    ),
    Step("labels", lambda uow, day: labelling.mature(uow, business_date=day.business_date)),
    Step("monitoring", lambda uow, day: monitoring.refresh(uow, business_date=day.business_date)),
)


def pending_manifests(inbox: Path, business_date: date) -> tuple[Path, ...]:
    """Return the manifests that lenders put into the inbox for a day: INBOX/source/YYYY-MM-DD/manifest.json."""
    return tuple(sorted(inbox.glob(f"*/{business_date.isoformat()}/manifest.json")))
