"""What agencies did: their attempts count with ours by law, and what customers told them binds us."""

from typing import Any

import polars as pl
import sqlalchemy as sa

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.tables import Account, Case, ContactAttempt, ContactPoint, Customer, Placement
from collections_app.domain.contact import AttemptStatus, Channel, CollectorRole, Mode, Purpose
from collections_app.domain.outcomes import DISPOSITIONS, OUTCOMES, Disposition, Outcome
from collections_app.intake.rows import Reject
from collections_app.services import outcomes
from collections_app.services.loading.known import INSTANT, Counts, Load, completed, refused

AGENCY = "agency"
_TOLD = {
    "attempt_ref": pl.String, "agency": pl.String, "channel": pl.String, "point_kind": pl.String,
    "point_value": pl.String, "started_at": INSTANT, "outcome": pl.String, "disposition": pl.String,
}  # fmt: skip
_CONVERSATION = [d.value for d, rule in DISPOSITIONS.items() if rule.needs_rpc and d is not Disposition.NONE]
# What does more than be counted: it stops contact, withdraws a point, or lets the case rest.
_BINDING = [d.value for d, rule in DISPOSITIONS.items() if rule.stop or rule.opts_out or rule.cool_days]
_RETIRING = [o.value for o, rule in OUTCOMES.items() if rule.retires_point]


def write(load: Load, frame: pl.DataFrame) -> Counts:
    """Write told attempts (key: agency, attempt_ref; told again they are left alone).

    Refused: an attempt while the account was not placed with the agency, of a customer without a case, in the
    future, or with words that only a conversation could have given.
    """
    told, rejects = load.of_accounts(completed(frame, _TOLD))
    if told.is_empty():
        return Counts(rejects=tuple(rejects))
    load.known.copier.drain()
    told = told.with_columns(
        pl.col("disposition").fill_null(Disposition.NONE.value), pl.col("started_at").dt.date().alias("started_on")
    )
    told, found = _checked(load, told.join(_owners(load, told), on="account_id", how="left", maintain_order="left"))
    rejects += found
    fresh = told.join(_known(load, told), on=["agency", "attempt_ref"], how="anti")
    fresh = _with_points(load, fresh)
    binding = pl.col("disposition").is_in(_BINDING) | pl.col("outcome").is_in(_RETIRING)
    _add(load, fresh.filter(~binding), settled=True)
    _add(load, fresh.filter(binding), settled=False)
    _carry_out(load, fresh.filter(binding))
    return Counts(new=fresh.height, unchanged=told.height - fresh.height, rejects=tuple(rejects))


def _owners(load: Load, told: pl.DataFrame) -> pl.DataFrame:
    """Return customer, zone and latest case of the accounts."""
    account, customer, case = table_of(Account), table_of(Customer), table_of(Case)
    staged = bulk.stage(load.session, "staged_id", told.select("account_id").unique(), index=("account_id",))
    latest = sa.select(sa.func.max(case.c.id)).where(case.c.customer_id == account.c.customer_id).scalar_subquery()
    zones = sa.cast(customer.c.zones, sa.Text()).label("zones")
    statement = (
        sa.select(account.c.id.label("account_id"), account.c.customer_id, zones, latest.label("case_id"))
        .join(staged, staged.c.account_id == account.c.id)
        .join(customer, customer.c.id == account.c.customer_id)
    )
    schema = {"account_id": pl.Int64, "customer_id": pl.Int64, "zones": pl.String, "case_id": pl.Int64}
    found = bulk.read(load.session, statement, schema)
    return found.with_columns(pl.col("zones").str.extract(r'^\["([^"]+)"').fill_null("UTC").alias("zone")).drop("zones")


def _checked(load: Load, told: pl.DataFrame) -> tuple[pl.DataFrame, list[Reject]]:
    placed = _placed(load, told)
    needs = pl.col("disposition").is_in(_CONVERSATION) & (pl.col("outcome") != Outcome.RPC.value)
    checks = (
        (pl.col("started_at") > pl.lit(load.now, INSTANT), "started_at", "lies in the future"),
        (~pl.col("_line").is_in(placed.implode()), "agency", "the account was not placed with this agency on that day"),
        (pl.col("case_id").is_null(), "account_ref", "the customer has no case"),
        (needs, "disposition", "needs a conversation with the customer as outcome"),
    )
    rejects: list[Reject] = []
    for wrong, column, reason in checks:
        rejects += refused(told.filter(wrong)["_line"], column, reason)
    bad = pl.Series([r.line for r in rejects], dtype=pl.Int64)
    return told.filter(~pl.col("_line").is_in(bad.implode())), rejects


def _placed(load: Load, told: pl.DataFrame) -> pl.Series:
    """Return the lines of attempts that were made while the account was placed with the agency."""
    table = table_of(Placement)
    staged = bulk.stage(load.session, "staged_attempt", told.select("_line", "account_id", "agency", "started_on"))
    during = sa.and_(
        table.c.account_id == staged.c.account_id,
        table.c.placed_with == staged.c.agency,
        table.c.placed_on <= staged.c.started_on,
        sa.or_(table.c.recalled_on.is_(None), table.c.recalled_on >= staged.c.started_on),
    )
    return bulk.read(load.session, sa.select(staged.c["_line"]).where(sa.exists().where(during)), {"_line": pl.Int64})[
        "_line"
    ]


def _known(load: Load, told: pl.DataFrame) -> pl.DataFrame:
    attempt = table_of(ContactAttempt)
    staged = bulk.stage(load.session, "staged_ref", told.select("agency", "attempt_ref"), index=("attempt_ref",))
    statement = sa.select(staged.c.agency, staged.c.attempt_ref).join(
        attempt,
        sa.and_(
            attempt.c.provider == AGENCY,
            attempt.c.provider_ref == staged.c.attempt_ref,
            attempt.c.actor_ref == staged.c.agency,
        ),
    )
    return bulk.read(load.session, statement, {"agency": pl.String, "attempt_ref": pl.String})


def _with_points(load: Load, fresh: pl.DataFrame) -> pl.DataFrame:
    """Add ``contact_point_id``. A point that only the agency knows is kept, and is not ours to use: whose it is,
    nobody told us."""
    if fresh.is_empty():
        return fresh.with_columns(pl.lit(None, pl.Int64).alias("contact_point_id"))
    point = table_of(ContactPoint)
    points = fresh.select("customer_id", pl.col("point_kind").alias("kind"), pl.col("point_value").alias("value"))
    staged = bulk.stage(load.session, "staged_point", points.unique(), index=("customer_id",))
    key = ("customer_id", "kind", "value")
    bulk.upsert(
        load.session,
        point,
        staged,
        keys=key,
        columns={
            **{c: staged.c[c] for c in key},
            "owner": sa.literal("unknown"),
            "source": sa.literal(AGENCY),
            "rank": sa.literal(99),
            "valid_from": sa.literal(load.now, point.c.valid_from.type),
            "recorded_at": sa.literal(load.now, point.c.recorded_at.type),
        },
    )
    statement = sa.select(point.c.id.label("contact_point_id"), *(staged.c[c] for c in key)).join(
        staged, sa.and_(*(point.c[c] == staged.c[c] for c in key))
    )
    schema = {"contact_point_id": pl.Int64, "customer_id": pl.Int64, "kind": pl.String, "value": pl.String}
    found = bulk.read(load.session, statement, schema).rename({"kind": "point_kind", "value": "point_value"})
    return fresh.join(found, on=["customer_id", "point_kind", "point_value"], how="left", maintain_order="left")


def _add(load: Load, fresh: pl.DataFrame, *, settled: bool) -> None:
    """Append attempts; an unsettled one is settled by ``outcomes.record_call`` with all that follows."""
    if fresh.is_empty():
        return
    failed = pl.col("outcome") == Outcome.FAILED.value
    reached = pl.when(failed).then(pl.lit(AttemptStatus.FAILED.value)).otherwise(pl.lit(AttemptStatus.DELIVERED.value))
    live = pl.col("channel").is_in([Channel.VOICE.value, Channel.VISIT.value])
    rows = pl.concat(part.with_columns(
        pl.col("started_at").dt.convert_time_zone(str(zone)).dt.date().alias("local_date")
    ) for (zone,), part in fresh.group_by("zone")).sort("_line")  # fmt: skip
    kept: dict[str, Any] = {"outcome": "outcome", "disposition": "disposition"} if settled else {}
    if settled:
        rows = rows.with_columns(pl.lit(load.now, INSTANT).alias("settled_at"))
        kept["settled_at"] = "settled_at"
    bulk.insert(
        load.session,
        table_of(ContactAttempt),
        rows.select(
            "case_id", "customer_id", "contact_point_id", "channel", "local_date",
            pl.format("[{}]", "account_id").alias("account_ids"),
            pl.when(live).then(pl.lit(Mode.LIVE_AGENT.value)).otherwise(pl.lit(Mode.MESSAGE.value)).alias("mode"),
            pl.lit(Purpose.COLLECTION.value).alias("purpose"),
            pl.lit(AGENCY).alias("actor_kind"),
            pl.col("agency").alias("actor_ref"),
            pl.lit(CollectorRole.THIRD_PARTY.value).alias("collector_role"),
            (reached if settled else pl.lit(AttemptStatus.SENT.value)).alias("status"),
            pl.col("started_at").alias("scheduled_at"),
            pl.col("started_at").alias("dispatched_at"),
            pl.lit(AGENCY).alias("provider"),
            pl.col("attempt_ref").alias("provider_ref"),
            *(pl.col(c) for c in kept),
        ),
    )  # fmt: skip


def _carry_out(load: Load, binding: pl.DataFrame) -> None:
    """Settle the few attempts whose words bind us, one by one, by the same rules as our own."""
    for row in binding.sort("started_at").iter_rows(named=True):
        attempt_id = load.session.scalars(
            sa.select(ContactAttempt.id).where(
                ContactAttempt.provider == AGENCY,
                ContactAttempt.provider_ref == row["attempt_ref"],
                ContactAttempt.actor_ref == row["agency"],
            )
        ).one()
        outcomes.record_call(
            load.uow,
            attempt_id=attempt_id,
            outcome=Outcome(row["outcome"]),
            disposition=Disposition(row["disposition"]),
            note=f"told by {row['agency']}",
        )
