"""Score accounts by the models of panels: how soon an account that is not a case may become one.

Once a month, on its last day or the first business date after it. A row of ``score`` belongs to no case; its
``details`` hold the curve: P(event) and P(paid off) by 1, 3, 6 and 12 months.
"""

from datetime import date
from typing import Any

import polars as pl
import sqlalchemy as sa

from collections_app.db.tables import ScoreRun
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.errors import NotConfigured
from collections_app.domain.permissions import Permission
from collections_app.queries.panel import account_chunks, month_ends, month_index, read_panel
from collections_app.services import score_runs
from collections_app.services.crews import Working, call_up, every_nth, predict
from collections_app.services.panel_training import EVENT_STATES
from models.panel import Panel, latest
from models.registry import ModelStore
from models.sequence_steps import as_read

CHUNK_ACCOUNTS = 50_000


def score_panels(
    uow: UnitOfWork, *, business_date: date, models: ModelStore, threads: int = 2, chunk: int = CHUNK_ACCOUNTS
) -> dict[str, Any]:
    """Score every account at risk by the panel models whose month has not been scored yet; repeatable.

    Without a champion of a model none of its versions is scored. A champion that cannot work raises NotConfigured; a
    shadow or challenger that cannot is told under ``failed``.
    """
    uow.actor.require(Permission.JOB_RUN)
    end = month_ends(business_date, 1)[0]
    ran = set(uow.session.scalars(sa.select(ScoreRun.model_version_id).where(ScoreRun.business_date >= end)))
    crew = call_up(
        uow, models, asked=lambda recipe: recipe.kind == "panel" and recipe.event in EVENT_STATES,
        is_turn=lambda version, recipe: version.id not in ran,
    )  # fmt: skip
    if not crew.models:
        return crew.told()
    book = list(account_chunks(uow.session, size=chunk))
    every = every_nth(sum(part.height for part in book))
    for part in book:
        panel = read_panel(uow.session, part["account_id"].to_list(), until=end)
        if panel is None:
            continue
        for model in list(crew.models):

            def work(model: Working = model, panel: Panel = panel) -> None:
                scored = _predicted(model, panel, month=month_index(end), threads=threads, every=every)
                score_runs.write_scores(uow, model, scored, business_date=business_date)

            crew.let(model, work)
    for model in crew.models:
        score_runs.close_run(uow, model, business_date=business_date)
    return crew.told()


def _predicted(model: Working, panel: Panel, *, month: int, threads: int, every: int) -> pl.DataFrame:
    rows = latest(panel, event_state=EVENT_STATES[model.recipe.event], month=month)
    try:
        read = as_read(model.recipe, panel, rows)
    except ValueError as error:
        raise NotConfigured(f"{model.title}: {error}", code="model_unfit") from None
    return predict(model, rows, features=read, threads=threads, every=every)
