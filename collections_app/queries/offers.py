"""The lists of offers that were made: whom, and what each is worth."""

from datetime import date

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import bulk
from collections_app.db.tables import Account, Customer, Score

PURPOSE = "response"
LISTED = {
    "customer_ref": pl.String, "account_ref": pl.String, "value_minor": pl.Int64, "p_respond": pl.Float64,
    "p_default": pl.Float64,
}  # fmt: skip


def offer_list(session: Session, *, made_on: date) -> pl.DataFrame:
    """Return the list made on a day (columns LISTED), the most valuable first; empty when none was made."""
    detail = {name: Score.details[name].as_string() for name in ("value_minor", "p_default", "is_listed")}
    statement = (
        sa.select(
            Customer.customer_ref, Account.account_ref, detail["value_minor"].label("value_minor"),
            Score.p_event.label("p_respond"), detail["p_default"].label("p_default"),
        )
        .join(Account, Account.id == Score.account_id)
        .join(Customer, Customer.id == Account.customer_id)
        .where(
            Score.purpose == PURPOSE, Score.business_date == made_on,
            sa.func.lower(detail["is_listed"]).in_(("true", "1")),
        )
    )  # fmt: skip
    told = dict(LISTED) | {"value_minor": pl.String, "p_default": pl.String}
    rows = bulk.read(session, statement, told)
    return rows.cast(LISTED).sort("value_minor", "account_ref", descending=[True, False])  # type: ignore[arg-type]
