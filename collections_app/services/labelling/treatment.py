"""What we did to an observed account: the arm it was drawn for, with what probability, and whether it was worked.

Without these no self-cure, uplift or off-policy estimate is honest (domain brief §3.7).
"""

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.dates import days_between
from collections_app.db.tables import Account, ContactAttempt, Decision
from collections_app.domain.contact import AttemptStatus, Channel, Mode

_ARM_DAYS = 3
"""A case opened on the day of observation is decided upon that day, or when the next day's run comes."""
_MADE = (AttemptStatus.SENDING, AttemptStatus.SENT, AttemptStatus.DELIVERED, AttemptStatus.FAILED,
         AttemptStatus.UNCERTAIN)  # fmt: skip
_SPEAKING = (Mode.LIVE_AGENT, Mode.AI_VOICE, Mode.PRERECORDED)


def with_treatment(session: Session, rows: pl.DataFrame) -> pl.DataFrame:
    """Add ``arm, propensity, is_worked`` to label rows (``account_id, case_id, observed_on, worked_until``).

    Worked = called by a robot or a person, or visited, from the observation until the outcome was settled; a
    text message or a letter is no work. Null arm: no decision of that time is known.
    """
    numbered = rows.with_row_index("n")
    asked = numbered.select(
        pl.col("n").cast(pl.Int64), "account_id", "case_id", "observed_on",
        worked_until=pl.col("worked_until").fill_null(pl.col("matured_on")),
    )  # fmt: skip
    staged = bulk.stage(session, "staged_observation", asked, index=("case_id",))
    arms = _arms(session, staged)
    worked = _worked(session, staged)
    return (
        numbered.with_columns(pl.col("n").cast(pl.Int64))
        .join(arms, on="n", how="left")
        .join(worked, on="n", how="left")
        .with_columns(pl.col("is_worked").fill_null(value=False))
        .drop("n")
    )


def _arms(session: Session, asked: sa.Table) -> pl.DataFrame:
    decision = table_of(Decision)
    statement = (
        sa.select(asked.c.n, decision.c.business_date, decision.c.arm, decision.c.propensity)
        .join(decision, decision.c.case_id == asked.c.case_id)
        .where(
            decision.c.kind == "treatment",
            decision.c.business_date >= asked.c.observed_on,
            days_between(asked.c.observed_on, decision.c.business_date) <= _ARM_DAYS,
        )
    )
    schema = {"n": pl.Int64, "business_date": pl.Date, "arm": pl.String, "propensity": pl.Float64}
    found = bulk.read(session, statement, schema)
    return found.sort("n", "business_date").unique("n", keep="first").drop("business_date")


def _worked(session: Session, asked: sa.Table) -> pl.DataFrame:
    """Return the rows that were worked; days are those of the customer's clock."""
    attempt = table_of(ContactAttempt)
    touched = sa.or_(attempt.c.mode.in_(_SPEAKING), attempt.c.channel == Channel.VISIT)
    statement = (
        sa.select(asked.c.n)
        .join(Account, Account.id == asked.c.account_id)
        .join(attempt, attempt.c.customer_id == Account.customer_id)
        .where(
            touched, attempt.c.status.in_(_MADE), attempt.c.local_date >= asked.c.observed_on,
            attempt.c.local_date < asked.c.worked_until,
        )
        .distinct()
    )  # fmt: skip
    return bulk.read(session, statement, {"n": pl.Int64}).with_columns(is_worked=pl.lit(value=True))
