"""What customers did, as the lender's app and card system tell it: facts, appended once."""

from datetime import timedelta
from typing import Any

import polars as pl
import sqlalchemy as sa

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.tables import Account, Customer, CustomerEvent
from collections_app.intake.rows import Reject
from collections_app.services.loading.known import INSTANT, Counts, Load, completed, refused

_TOLD = {"event_ref": pl.String, "kind": pl.String, "occurred_at": INSTANT, "amount": pl.Int64}
# A lender's day may end, by UTC, on the day after the one it is called by.
_ZONES_APART = timedelta(days=1)


def write(load: Load, frame: pl.DataFrame) -> Counts:
    """Append told events (key: source, event_ref; told again they are left alone, whatever they say then).

    Refused: events of unknown accounts, events that lie in the future, and events after the day of which the
    file speaks. An event counts as known from the file's business date on, however long ago it happened.
    """
    told, rejects = load.of_accounts(completed(frame, _TOLD))
    told, early = _happened(load, told)
    rejects += early
    if told.is_empty():
        return Counts(rejects=tuple(rejects))
    load.known.copier.drain()
    table = table_of(CustomerEvent)
    rows = _by_their_clock(told, _zones(load, told))
    staged = bulk.stage(load.session, "staged_event", rows, index=("event_ref",))
    columns: dict[str, Any] = {c: staged.c[c] for c in rows.columns} | {
        "source": sa.literal(load.source),
        "known_on": sa.literal(load.business_date, sa.Date()),
        "batch_id": sa.literal(load.batch_id),
    }
    new = bulk.upsert(load.session, table, staged, keys=("source", "event_ref"), columns=columns)
    return Counts(new=new, unchanged=told.height - new, rejects=tuple(rejects))


def _happened(load: Load, told: pl.DataFrame) -> tuple[pl.DataFrame, list[Reject]]:
    """Part what cannot have happened yet: it would let a model look into the future."""
    day = pl.col("occurred_at").dt.date()
    checks = (
        (pl.col("occurred_at") > pl.lit(load.now, INSTANT), "lies in the future"),
        (day > load.business_date + _ZONES_APART, "lies after the day that the file speaks of"),
    )
    rejects: list[Reject] = []
    for wrong, reason in checks:
        rejects += refused(told.filter(wrong)["_line"], "occurred_at", reason)
        told = told.filter(~wrong)
    return told, rejects


def _zones(load: Load, told: pl.DataFrame) -> pl.DataFrame:
    """Return ``account_id, zone``: the first of the customer's zones."""
    account, customer = table_of(Account), table_of(Customer)
    staged = bulk.stage(load.session, "staged_id", told.select("account_id").unique(), index=("account_id",))
    statement = (
        sa.select(staged.c.account_id, sa.cast(customer.c.zones, sa.Text()).label("zones"))
        .join(account, account.c.id == staged.c.account_id)
        .join(customer, customer.c.id == account.c.customer_id)
    )
    found = bulk.read(load.session, statement, {"account_id": pl.Int64, "zones": pl.String})
    return found.select("account_id", zone=pl.col("zones").str.extract(r'^\["([^"]+)"').fill_null("UTC"))


def _by_their_clock(told: pl.DataFrame, zones: pl.DataFrame) -> pl.DataFrame:
    """Add day and hour by the customer's clock; zones are few, so each is one pass."""
    local = pl.concat(
        part.with_columns(local=pl.col("occurred_at").dt.convert_time_zone(str(zone)).dt.replace_time_zone(None))
        for (zone,), part in told.join(zones, on="account_id", how="left").group_by("zone", maintain_order=True)
    )
    return local.sort("_line").select(
        "account_id",
        *_TOLD,
        occurred_on=pl.col("local").dt.date(),
        local_hour=pl.col("local").dt.hour().cast(pl.Int64),
    )
