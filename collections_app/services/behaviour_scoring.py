"""Score the accounts that are not overdue: the B-cards warn before there is a case (domain brief §3.1, §3.9)."""

from datetime import date
from typing import Any

import polars as pl
import sqlalchemy as sa

from collections_app.db.tables import ModelVersion, ScoreRun
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.errors import NotConfigured
from collections_app.domain.model_stages import SCORED
from collections_app.domain.permissions import Permission
from collections_app.queries.feature_frames import raw_frames
from collections_app.queries.good_accounts import not_overdue
from collections_app.services import score_runs
from collections_app.services.score_runs import Working
from collections_app.services.scoring import load_bundle
from models import family
from models.catalogue import BY_NAME
from models.feature_list import frames_of
from models.features import build_features
from models.labels_behaviour import BEHAVIOUR_LABELS, BehaviourLabel, last_end
from models.registry import ModelStore
from models.tally import tally

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
    failed: dict[str, str] = {}
    crew = _crew(uow, models, business_date, failed)
    if not crew:
        return {"scored": 0, **({"failed": failed} if failed else {})}
    also = frames_of({name for model in crew for name in model.bundle.card.features})
    book = {
        m.id: not_overdue(uow.session, business_date, least_days_on_book=_label(m).least_days_on_book) for m in crew
    }
    accounts = pl.concat(list(book.values())).unique().sort("account_id")
    for part in accounts.iter_slices(chunk):
        ids = part["account_id"].to_list()
        features = build_features(
            raw_frames(uow.session, account_ids=ids, as_of=business_date, also=also), business_date
        )
        for model in list(crew):
            mine = features.join(book[model.id], on="account_id", how="semi")
            try:
                scored = _predicted(model, mine, threads=threads, every=-(-accounts.height // 200_000))
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


def _label(model: Working) -> BehaviourLabel:
    return _LABELS[model.recipe.event]


def _crew(uow: UnitOfWork, models: ModelStore, business_date: date, failed: dict[str, str]) -> list[Working]:
    """Load the versions whose turn it is; of a B-card without a champion no version is scored."""
    versions = uow.session.scalars(
        sa.select(ModelVersion).where(ModelVersion.stage.in_(SCORED)).order_by(ModelVersion.id)
    ).all()
    good = [v for v in versions if (r := BY_NAME.get(v.name)) and r.kind == "account" and r.event in _LABELS]
    led = {v.name for v in good if v.stage == "champion"}
    crew = []
    for version in (v for v in good if v.name in led):
        recipe = BY_NAME[version.name]
        since = last_end(_LABELS[recipe.event].cadence, business_date)
        if _ran_since(uow, version.id, since):
            continue
        try:
            bundle = load_bundle(models, version.bundle_key)
        except NotConfigured as error:
            if version.stage == "champion":
                raise
            failed[f"{version.name} {version.version}"] = error.message
            continue
        crew.append(Working(version.id, version.name, version.version, version.stage, recipe, bundle))
    return crew


def _ran_since(uow: UnitOfWork, version_id: int, since: date) -> bool:
    ran = sa.select(ScoreRun.id).where(ScoreRun.model_version_id == version_id, ScoreRun.business_date >= since)
    return uow.session.scalar(ran.limit(1)) is not None


def _predicted(model: Working, rows: pl.DataFrame, *, threads: int, every: int) -> pl.DataFrame:
    try:
        said = family.predict(model.bundle, rows, threads=threads, exact_reasons=False)
    except ValueError as error:
        raise NotConfigured(f"{model.title}: {error}", code="model_unfit") from None
    if rows.height:
        score_runs.count(model, tally(model.bundle, rows, said, every=max(every, 1)))
    return pl.concat([rows.select("account_id", case_id=pl.lit(None, pl.Int64)), said.frame()], how="horizontal")
