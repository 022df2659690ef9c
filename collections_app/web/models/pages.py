"""The list of models and the page of one, arranged for reading."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from zoneinfo import ZoneInfo

from collections_app.domain.model_stages import MOVES, Stage
from collections_app.queries.model_pages import AlertLine, ModelFile, ModelLine
from collections_app.web.formatting import whole, words
from collections_app.web.models.sheet import ModelSheet, model_sheet
from collections_app.web.models.words import (
    PURPOSES,
    STAGE_MEANS,
    STAGE_ORDER,
    Limits,
    Purpose,
    figure,
    limits_on,
    psi_tone,
    purpose_of,
    within,
)


@dataclass(frozen=True)
class ModelRow:
    """One version in the list."""

    name: str
    version: str
    title: str
    stage: Stage
    predicts: str
    auc: str
    auc_spread: str
    ks: str
    ks_spread: str
    learnt: str
    scored_on: date | None
    scored: str
    psi: str
    psi_tone: str
    open_alerts: int
    must_be_inspected: bool
    measured_on: date


@dataclass(frozen=True)
class PurposeGroup:
    """The versions that answer one question; ``without`` says what happens when no champion does."""

    code: str
    purpose: Purpose
    rows: tuple[ModelRow, ...]
    retired: tuple[ModelRow, ...]
    without: str


@dataclass(frozen=True)
class ModelsPage:
    """models/index.html. ``unanswered``: questions for which no model was ever trained."""

    groups: tuple[PurposeGroup, ...]
    unanswered: tuple[Purpose, ...]
    is_empty: bool
    open_alerts: int


@dataclass(frozen=True)
class AlertsPage:
    """models/alerts.html."""

    alerts: tuple[AlertLine, ...]
    may_move: bool
    refused: int = 0
    error: str = ""
    typed: str = ""


@dataclass(frozen=True)
class Move:
    """A stage that the version may move to, with what it means."""

    stage: Stage
    means: str


@dataclass(frozen=True)
class MoveForm:
    """What was typed to change a stage, and what is wrong with it."""

    to: str = ""
    note: str = ""
    error: str = ""


@dataclass(frozen=True)
class ModelPage:
    """models/show.html."""

    sheet: ModelSheet
    champion: str | None
    csv: Mapping[str, str]
    alerts: AlertsPage
    moves: tuple[Move, ...]
    needs_note: bool
    form: MoveForm = field(default_factory=MoveForm)


def models_page(lines: Sequence[ModelLine], *, today: date) -> ModelsPage:
    """Arrange every version by the question that it answers; questions without any model are told too."""
    known, limits = {line.purpose for line in lines}, limits_on(today)
    codes = [*(code for code in PURPOSES if code in known), *sorted(known - set(PURPOSES))]
    return ModelsPage(
        groups=tuple(_group(code, [line for line in lines if line.purpose == code], limits) for code in codes),
        unanswered=tuple(purpose for code, purpose in PURPOSES.items() if code not in known),
        is_empty=not lines,
        open_alerts=sum(line.open_alerts for line in lines),
    )


def model_page(
    file: ModelFile, *, csv: Callable[[str], str], may_move: bool, today: date, zone: ZoneInfo,
    form: MoveForm | None = None,
) -> ModelPage:  # fmt: skip
    """Arrange one version with what may be done about it; ``csv`` tells the address of a table."""
    stages = [s for s in STAGE_ORDER if s in MOVES[file.line.stage]] if may_move else []
    sheet = model_sheet(file, today=today, zone=zone)
    return ModelPage(
        sheet=sheet,
        champion=file.champion if file.champion != file.line.version else None,
        csv={name: csv(name) for name in sheet.tables},
        alerts=AlertsPage(file.alerts, may_move),
        moves=tuple(Move(s, STAGE_MEANS[s]) for s in stages),
        needs_note=bool(sheet.alarms),
        form=form or MoveForm(),
    )


def _group(code: str, lines: Sequence[ModelLine], limits: Limits) -> PurposeGroup:
    purpose = purpose_of(code)
    ranked = sorted(lines, key=lambda line: (line.name, STAGE_ORDER.index(line.stage)))
    has_champion = any(line.stage is Stage.CHAMPION for line in lines)
    return PurposeGroup(
        code=code,
        purpose=purpose,
        rows=tuple(_row(line, limits) for line in ranked if line.stage is not Stage.RETIRED),
        retired=tuple(_row(line, limits) for line in ranked if line.stage is Stage.RETIRED),
        without="" if has_champion else purpose.without,
    )


def _row(line: ModelLine, limits: Limits) -> ModelRow:
    auc, auc_spread = _estimate(line, "auc")
    ks, ks_spread = _estimate(line, "ks")
    learnt = "" if line.train_rows is None else f"{whole(line.train_rows)} rows"
    if line.train_events is not None:
        learnt += f", {whole(line.train_events)} events"
    scored = "" if line.scored_rows is None else f"{whole(line.scored_rows)} accounts"
    if line.fallback_rows:
        scored += f", {whole(line.fallback_rows)} by fallback"
    return ModelRow(
        name=line.name, version=line.version, title=line.title or words(line.name), stage=line.stage,
        predicts=within(line.event, line.horizon_days) if line.event else "–",
        auc=auc, auc_spread=auc_spread, ks=ks, ks_spread=ks_spread,
        learnt=learnt, scored_on=line.scored_on, scored=scored, psi=figure("psi", line.psi),
        psi_tone=psi_tone(line.psi, limits), open_alerts=line.open_alerts,
        must_be_inspected=line.has_alarms and not line.is_inspected, measured_on=line.trained_at.date(),
    )  # fmt: skip


def _estimate(line: ModelLine, name: str) -> tuple[str, str]:
    found = line.estimate(name)
    if found is None:
        return "–", ""
    if found.low is None or found.high is None:
        return figure(name, found.value), ""
    return figure(name, found.value), f"{figure(name, found.low)}–{figure(name, found.high)}"
