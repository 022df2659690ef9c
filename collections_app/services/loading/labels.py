"""Outcomes that the lender itself supplies; they are mature by the lender's word."""

from typing import Any

import polars as pl
import sqlalchemy as sa

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.tables import TrainingLabel
from collections_app.services.loading.known import Counts, Load, completed

_TOLD = {"label": pl.String, "outcome": pl.Int64, "horizon_days": pl.Int64}


def write(load: Load, frame: pl.DataFrame) -> Counts:
    """Write told labels (key: label, account, business date); a corrected outcome replaces the one of that day."""
    told, orphans = load.of_accounts(completed(frame, _TOLD))
    load.known.copier.drain()
    told = told.with_columns(pl.col("horizon_days").fill_null(30))
    staged = bulk.stage(load.session, "staged_label", told.select("account_id", *_TOLD))
    columns: dict[str, Any] = {c: staged.c[c] for c in ("account_id", *_TOLD)}
    columns |= {
        "observed_on": sa.literal(load.business_date, sa.Date()),
        "matured_on": sa.literal(max(load.business_date, load.now.date()), sa.Date()),
        "origin": sa.literal("lender"),
    }
    written = bulk.upsert(
        load.session, table_of(TrainingLabel), staged, keys=("label", "account_id", "observed_on"), columns=columns,
        update=("outcome",),
    )  # fmt: skip
    return Counts(changed=written, unchanged=told.height - written, rejects=tuple(orphans))
