"""Labels as matured: what training learns from, with whom it belongs to and how it came about."""

from datetime import date
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import bulk
from collections_app.db.tables import Account, Customer, Episode, TrainingLabel

LABELLED = {
    "account_id": pl.Int64, "account_ref": pl.String, "customer_id": pl.Int64, "customer": pl.String,
    "observed_on": pl.Date, "matured_on": pl.Date, "horizon_days": pl.Int64, "outcome": pl.Int64, "value": pl.Float64,
    "arm": pl.String, "propensity": pl.Float64, "is_worked": pl.Boolean, "country": pl.String, "language": pl.String,
    "product_family": pl.String,
}  # fmt: skip
"""One row per observation. ``country, language, product_family`` are for reports by group, never for a model."""

_BAD_DPD = 31
HOLD_OUT = "holdout"
"""The arm of the experiment that nobody works (strategies/books/*/book.yaml)."""


def matured_labels(
    session: Session, *, label: str, source: str | None = None, until: date, hold_out_only: bool = False
) -> pl.DataFrame:
    """Return the labels (columns LABELLED) that have matured by ``until``, in order of day and account.

    ``hold_out_only``: only of customers whom the draw left alone, and whom nobody worked all the same.
    """
    names = {
        "account_ref": Account.account_ref, "customer_id": Account.customer_id,
        "customer": Customer.source + "|" + Customer.customer_ref, "country": Customer.country,
        "language": Customer.language, "product_family": Account.product_family,
    }  # fmt: skip
    columns: list[sa.ColumnElement[Any]] = [
        names[c].label(c) if c in names else getattr(TrainingLabel, c).label(c) for c in LABELLED
    ]
    statement = (
        sa.select(*columns)
        .join(Account, Account.id == TrainingLabel.account_id)
        .join(Customer, Customer.id == Account.customer_id)
        .where(TrainingLabel.label == label, TrainingLabel.matured_on <= until)
        .order_by(TrainingLabel.observed_on, TrainingLabel.account_id)
    )
    if source is not None:
        statement = statement.where(Account.source == source)
    if hold_out_only:
        # A label that nobody computed says nothing of who worked the account, and is left out.
        statement = statement.where(TrainingLabel.arm == HOLD_OUT, TrainingLabel.is_worked == sa.false())
    return bulk.read(session, statement, LABELLED)


def waiting_labels(session: Session, *, label: str, source: str | None = None, until: date) -> int:
    """Count the labels of this name that are known but not matured by ``until``."""
    statement = (
        sa.select(sa.func.count())
        .join(Account, Account.id == TrainingLabel.account_id)
        .where(TrainingLabel.label == label, TrainingLabel.matured_on > until)
    )
    if source is not None:
        statement = statement.where(Account.source == source)
    return session.scalar(statement.select_from(TrainingLabel)) or 0


def count_labels(session: Session, *, until: date) -> pl.DataFrame:
    """Count the matured labels: ``label, rows, events, held_out_rows, held_out_events``."""
    held = sa.and_(TrainingLabel.arm == HOLD_OUT, TrainingLabel.is_worked == sa.false())
    schema = {"label": pl.String, "rows": pl.Int64, "events": pl.Int64, "held_out_rows": pl.Int64,
              "held_out_events": pl.Int64}  # fmt: skip
    statement = (
        sa.select(
            TrainingLabel.label, sa.func.count().label("rows"), sa.func.sum(TrainingLabel.outcome).label("events"),
            sa.func.sum(sa.case((held, 1), else_=0)).label("held_out_rows"),
            sa.func.sum(sa.case((held, TrainingLabel.outcome), else_=0)).label("held_out_events"),
        )
        .where(TrainingLabel.matured_on <= until)
        .group_by(TrainingLabel.label)
    )  # fmt: skip
    return bulk.read(session, statement, schema)


def count_arms(session: Session, *, label: str, until: date) -> pl.DataFrame:
    """Count the matured labels of a known arm: ``arm, rows, events, drawn`` (with a propensity between 0 and 1)."""
    drawn = sa.and_(TrainingLabel.propensity > 0, TrainingLabel.propensity < 1)
    statement = (
        sa.select(
            TrainingLabel.arm, sa.func.count().label("rows"), sa.func.sum(TrainingLabel.outcome).label("events"),
            sa.func.sum(sa.case((drawn, 1), else_=0)).label("drawn"),
        )
        .where(TrainingLabel.label == label, TrainingLabel.matured_on <= until, TrainingLabel.arm.is_not(None))
        .group_by(TrainingLabel.arm)
        .order_by(TrainingLabel.arm)
    )  # fmt: skip
    return bulk.read(
        session, statement, {"arm": pl.String, "rows": pl.Int64, "events": pl.Int64, "drawn": pl.Int64}
    )  # fmt: skip


def count_ever_bad(session: Session) -> tuple[int, int]:
    """Count the accounts, and of them those that were ever 31 days past due: what models of panels live on."""
    accounts = session.scalar(sa.select(sa.func.count()).select_from(Account)) or 0
    bad = sa.select(sa.func.count(Episode.account_id.distinct())).where(Episode.max_dpd >= _BAD_DPD)
    return accounts, session.scalar(bad) or 0
