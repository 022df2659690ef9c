"""Score accounts by the models of panels: how soon an account that is not a case may become one.

Once a month, on its last day or the first business date after it. A row of ``score`` belongs to no case; its
``details`` hold the curve: P(event) and P(paid off) by 1, 3, 6 and 12 months.
"""

from datetime import date
from typing import Any

import polars as pl
import sqlalchemy as sa

from collections_app.db.tables import ModelVersion, ScoreRun
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.errors import NotConfigured
from collections_app.domain.model_stages import SCORED, Stage
from collections_app.domain.permissions import Permission
from collections_app.queries.panel import account_chunks, month_ends, month_index, read_panel
from collections_app.services import score_runs
from collections_app.services.panel_training import EVENT_STATES
from collections_app.services.score_runs import Working
from collections_app.services.scoring import load_bundle
from models import family
from models.catalogue import BY_NAME
from models.panel import Panel, latest
from models.registry import ModelStore
from models.sequence_steps import as_read
from models.tally import tally

CHUNK_ACCOUNTS = 50_000
_TALLIED = 200_000


def score_panels(
    uow: UnitOfWork, *, business_date: date, models: ModelStore, threads: int = 2, chunk: int = CHUNK_ACCOUNTS
) -> dict[str, Any]:
    """Score every account at risk by the panel models whose month has not been scored yet; repeatable.

    Without a champion of a model none of its versions is scored. A champion that cannot work raises NotConfigured; a
    shadow or challenger that cannot is told under ``failed``.
    """
    uow.actor.require(Permission.JOB_RUN)
    failed: dict[str, str] = {}
    end = month_ends(business_date, 1)[0]
    crew = _crew(uow, models, end, failed)
    if not crew:
        return {"scored": 0, **({"failed": failed} if failed else {})}
    book = list(account_chunks(uow.session, size=chunk))
    every = max(1, -(-sum(p.height for p in book) // _TALLIED))
    for part in book:
        panel = read_panel(uow.session, part["account_id"].to_list(), until=end)
        for model in list(crew) if panel is not None else []:
            assert panel is not None
            try:
                scored = _predicted(model, panel, month=month_index(end), threads=threads, every=every)
            except NotConfigured as error:
                if model.decides:
                    raise
                failed[model.title] = error.message
                crew.remove(model)
                continue
            score_runs.write_scores(uow, model, scored, business_date=business_date)
    for model in crew:
        score_runs.close_run(uow, model, business_date=business_date)
    told = {model.recipe.purpose: model.rows for model in crew if model.decides}
    beside = sum(model.rows for model in crew if not model.decides)
    return {"scored": sum(told.values()), **told, "beside": beside, **({"failed": failed} if failed else {})}


def _crew(uow: UnitOfWork, models: ModelStore, since: date, failed: dict[str, str]) -> list[Working]:
    """Load the versions whose turn it is."""
    statement = sa.select(ModelVersion).where(ModelVersion.stage.in_(SCORED)).order_by(ModelVersion.id)
    mine = [
        v for v in uow.session.scalars(statement)
        if (r := BY_NAME.get(v.name)) and r.kind == "panel" and r.event in EVENT_STATES
    ]  # fmt: skip
    led = {v.name for v in mine if v.stage == Stage.CHAMPION}
    ran = set(uow.session.scalars(sa.select(ScoreRun.model_version_id).where(ScoreRun.business_date >= since)))
    crew = []
    for version in (v for v in mine if v.name in led and v.id not in ran):
        try:
            bundle = load_bundle(models, version.bundle_key)
        except NotConfigured as error:
            if version.stage == Stage.CHAMPION:
                raise
            failed[f"{version.name} {version.version}"] = error.message
            continue
        crew.append(Working(version.id, version.name, version.version, version.stage, BY_NAME[version.name], bundle))
    return crew


def _predicted(model: Working, panel: Panel, *, month: int, threads: int, every: int) -> pl.DataFrame:
    rows = latest(panel, event_state=EVENT_STATES[model.recipe.event], month=month)
    try:
        read = as_read(model.recipe, panel, rows)
        said = family.predict(model.bundle, read, threads=threads, exact_reasons=False)
    except ValueError as error:
        raise NotConfigured(f"{model.title}: {error}", code="model_unfit") from None
    if rows.height:
        score_runs.count(model, tally(model.bundle, rows, said, every=every))
    return pl.concat([rows.select("account_id", case_id=pl.lit(None, pl.Int64)), said.frame()], how="horizontal")
