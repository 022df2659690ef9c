"""Score the accounts that are not overdue: the B-cards warn before there is a case (domain brief §3.1, §3.9)."""

from datetime import date
from typing import Any

import polars as pl
import sqlalchemy as sa

from collections_app.db.tables import ModelVersion, ScoreRun
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.permissions import Permission
from collections_app.queries.feature_frames import raw_frames
from collections_app.queries.good_accounts import not_overdue
from collections_app.services import score_runs
from collections_app.services.crews import Working, call_up, every_nth, predict
from models.catalogue import Recipe
from models.feature_list import frames_of
from models.features import build_features
from models.labels_behaviour import BEHAVIOUR_LABELS, last_end
from models.registry import ModelStore

CHUNK_ACCOUNTS = 50_000
_LABELS = {label.name: label for label in BEHAVIOUR_LABELS}


def score_good(
    uow: UnitOfWork, *, business_date: date, models: ModelStore, threads: int = 2, chunk: int = CHUNK_ACCOUNTS
) -> dict[str, Any]:
    """Score every account that is not overdue by the B-cards whose month or week has not been scored yet.

    Scores belong to no case (``case_id`` null). Without a champion among the B-cards nothing is done; a champion that
    cannot work raises NotConfigured; a shadow or challenger that cannot is told under ``failed``. Repeatable: a
    month or week is scored once, on its last day or on the first business date after it.
    """
    uow.actor.require(Permission.JOB_RUN)

    def is_turn(version: ModelVersion, recipe: Recipe) -> bool:
        return not _ran_since(uow, version.id, last_end(_LABELS[recipe.event].cadence, business_date))

    crew = call_up(uow, models, asked=lambda r: r.kind == "account" and r.event in _LABELS, is_turn=is_turn)
    if not crew.models:
        return crew.told()
    also = frames_of(crew.features)
    book = {
        m.id: not_overdue(uow.session, business_date, least_days_on_book=_LABELS[m.recipe.event].least_days_on_book)
        for m in crew.models
    }
    accounts = pl.concat(list(book.values())).unique().sort("account_id")
    for part in accounts.iter_slices(chunk):
        ids = part["account_id"].to_list()
        features = build_features(
            raw_frames(uow.session, account_ids=ids, as_of=business_date, also=also), business_date
        )
        for model in list(crew.models):
            mine = features.join(book[model.id], on="account_id", how="semi")

            def work(model: Working = model, mine: pl.DataFrame = mine) -> None:
                scored = predict(model, mine, threads=threads, every=every_nth(accounts.height))
                score_runs.write_scores(uow, model, scored, business_date=business_date)

            crew.let(model, work)
    for model in crew.models:
        score_runs.close_run(uow, model, business_date=business_date)
    return crew.told()


def _ran_since(uow: UnitOfWork, version_id: int, since: date) -> bool:
    ran = sa.select(ScoreRun.id).where(ScoreRun.model_version_id == version_id, ScoreRun.business_date >= since)
    return uow.session.scalar(ran.limit(1)) is not None
