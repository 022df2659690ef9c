"""Labels of accounts that were good when observed: what the B-cards learn from (domain brief §3.1)."""

from collections.abc import Iterator
from datetime import date, timedelta

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.tables import FeedBatch, TrainingLabel
from collections_app.queries.as_of import standing_spans
from collections_app.queries.good_accounts import not_overdue
from models.labels import label_rows
from models.labels_behaviour import BEHAVIOUR_LABELS, SPANS, BehaviourLabel, last_end, outcomes

SAMPLED_ACCOUNTS = 50_000
"""Of a larger book so many accounts are labelled per observation day, drawn alike whatever became of them."""
_CATCH_UP = 14
"""Observation days that were missed are made up for, back to so many months or weeks."""
_SPREAD = 2_654_435_761
_WHOLE = 2**32


def good_accounts(session: Session, business_date: date) -> pl.DataFrame:
    """Label the accounts that were not overdue on the observation days that are due (``bad30_6m, bad7_30d``)."""
    parts = [
        _labelled(session, label, on) for label in BEHAVIOUR_LABELS for on in _due_days(session, label, business_date)
    ]
    return pl.concat([label_rows(pl.DataFrame(schema={"matured_on": pl.Date})), *parts])


def _due_days(session: Session, label: BehaviourLabel, business_date: date) -> Iterator[date]:
    """Yield the observation days that can be told by now, newest first, until one that was labelled already."""
    on = label.last_observed(business_date)
    table = table_of(TrainingLabel)
    begun = session.scalar(sa.select(sa.func.min(FeedBatch.business_date)))
    for _ in range(_CATCH_UP):
        if begun is None or on < begun:
            return
        done = sa.select(sa.literal(1)).where(
            table.c.label == label.name, table.c.observed_on == on, table.c.origin == "computed"
        )
        if session.scalar(done.limit(1)) is not None:
            return
        yield on
        on = last_end(label.cadence, on - timedelta(days=1))


def _labelled(session: Session, label: BehaviourLabel, on: date) -> pl.DataFrame:
    observed = _sampled(not_overdue(session, on, least_days_on_book=label.least_days_on_book), on)
    staged = bulk.stage(session, "staged_good", observed, index=("account_id",))
    spans = standing_spans(session, staged, until=on + timedelta(days=label.days)).select(*SPANS)
    found = outcomes(observed, spans, label, on=on)
    return label_rows(found.with_columns(label=pl.lit(label.name), horizon_days=pl.lit(label.days)))


def _sampled(observed: pl.DataFrame, on: date) -> pl.DataFrame:
    """Draw by the account's number and the day: another draw each time, the same one if the day is run again."""
    if observed.height <= SAMPLED_ACCOUNTS:
        return observed
    place = (pl.col("account_id") * _SPREAD + on.toordinal() * 40_503) % _WHOLE
    return observed.sort(place).head(SAMPLED_ACCOUNTS).sort("account_id")
