"""Typed frames into the ledger's tables, a whole file at a time; and the episodes that follow from them."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.tables import (
    Account,
    AccountCycle,
    Consent,
    ContactPoint,
    Customer,
    Episode,
    ExternalSignal,
    LedgerTask,
    Payment,
    Promise,
    TrainingLabel,
)
from collections_app.domain.cases import EpisodeEnd
from collections_app.domain.delinquency import Band, bucket_of, days_past_due
from collections_app.domain.promises import JUDGED
from collections_app.queries.as_of import SPANS, standings_as_of
from collections_app.services import standings
from strategies.parameters import bucket_bands

_CUSTOMER: dict[str, Any] = {
    "full_name": None,
    "party_type": "person",
    "language": "en-US",
    "regions": None,
    "zones": None,
}
_ACCOUNT: dict[str, Any] = {
    "opened_on": None,
    "limit_amount": None,
    "minimum_due_amount": None,
    "due_source_on": None,
    "dpd_source": None,
    "arrears_source_amount": None,
}
_DTYPES: dict[str, Any] = {
    "opened_on": pl.Date,
    "due_source_on": pl.Date,
    "limit_amount": pl.Int64,
    "minimum_due_amount": pl.Int64,
    "dpd_source": pl.Int64,
    "rank": pl.Int64,
    "statement_amount": pl.Int64,
    "paid_amount": pl.Int64,
    "cycles_past_due": pl.Int64,
    "received_on": pl.Date,
    "horizon_days": pl.Int64,
}


@dataclass(frozen=True)
class Told:
    """When something was told, and by which batch."""

    at: datetime
    batch_id: int | None


def _with_defaults(frame: pl.DataFrame, defaults: dict[str, Any]) -> pl.DataFrame:
    """Add absent optional columns with their default."""
    absent = {name: value for name, value in defaults.items() if name not in frame.columns}
    return frame.with_columns(
        pl.lit(value, _DTYPES.get(name, pl.Int64 if isinstance(value, int) else pl.String)).alias(name)
        for name, value in absent.items()
    )


def _json_list(column: str) -> pl.Expr:
    """Write "a|b" as the JSON text ["a", "b"]; nothing becomes an empty list."""
    quoted = pl.concat_str(
        pl.lit('["'), pl.col(column).str.replace_all('"', "").str.replace_all(r"\|", '", "'), pl.lit('"]')
    )
    return pl.when(pl.col(column).fill_null("") == "").then(pl.lit("[]")).otherwise(quoted).alias(column)


def write_customers(session: Session, frame: pl.DataFrame, *, source: str) -> None:
    """Insert or refresh customers by (source, customer_ref)."""
    frame = _with_defaults(frame, _CUSTOMER).with_columns(_json_list("regions"), _json_list("zones"))
    staged = bulk.stage(session, "staged_customer", frame)
    table = table_of(Customer)
    columns = {"source": sa.literal(source), "preferences": bulk.as_json(session, sa.literal("[]"))}
    columns |= {c: staged.c[c] for c in ("customer_ref", "full_name", "party_type", "language", "country")}
    columns |= {c: bulk.as_json(session, staged.c[c]) for c in ("regions", "zones")}
    bulk.upsert(
        session,
        table,
        staged,
        keys=("source", "customer_ref"),
        columns=columns,
        update=("full_name", "party_type", "language", "country", "regions", "zones"),
    )


def unknown_refs(session: Session, frame: pl.DataFrame, *, source: str, column: str) -> set[str]:
    """Return the customer or account references of a frame that the ledger does not know."""
    table = table_of(Customer) if column == "customer_ref" else table_of(Account)
    staged = bulk.stage(session, "staged_ref", frame.select(column).unique())
    known = sa.select(table.c[column]).where(table.c.source == source)
    return set(session.scalars(sa.select(staged.c[column]).where(staged.c[column].not_in(known))))


def delinquency(frame: pl.DataFrame, *, bands: tuple[Band, ...], as_of: date) -> pl.DataFrame:
    """Add ``dpd`` and ``bucket``. The one rule in ``domain`` is asked once per distinct date and DPD.

    DPD follows from the oldest unpaid due date where the source sends it; else that date follows from
    the source's own count, so that the account goes on ageing when the feed is silent.
    """
    told = {"oldest_unpaid_due_on": "due_source_on", "arrears_amount": "arrears_source_amount"}
    frame = _with_defaults(frame.rename(told, strict=False), _ACCOUNT).with_columns(
        arrears_amount=pl.col("arrears_source_amount"),
        oldest_unpaid_due_on=pl.coalesce(
            "due_source_on",
            pl.when(pl.col("dpd_source") > 0).then(pl.lit(as_of) - pl.duration(days="dpd_source")).cast(pl.Date),
        ),
    )
    dues = frame["oldest_unpaid_due_on"].drop_nulls().unique().to_list()
    by_due = pl.DataFrame(
        {"oldest_unpaid_due_on": dues, "_own": [days_past_due(d, as_of) for d in dues]},
        schema={"oldest_unpaid_due_on": pl.Date, "_own": pl.Int64},
    )
    frame = frame.join(by_due, on="oldest_unpaid_due_on", how="left").with_columns(
        pl.col("_own").fill_null(0).alias("dpd")
    )
    values = frame["dpd"].unique().to_list()
    by_dpd = pl.DataFrame(
        {"dpd": values, "bucket": [bucket_of(d, bands) for d in values]},
        schema={"dpd": pl.Int64, "bucket": pl.String},
    )
    return frame.join(by_dpd, on="dpd", how="left").drop("_own")


def write_accounts(
    session: Session,
    frame: pl.DataFrame,
    *,
    source: str,
    bucket_table: str,
    business_date: date,
    batch_id: int,
    now: datetime,
) -> tuple[int, int]:
    """Insert or refresh accounts and write the standing of each that is new or changed; return (new, updated)."""
    staged = bulk.stage(session, "staged_account", frame, index=("account_ref",))
    account, customer = table_of(Account), table_of(Customer)
    here = sa.and_(account.c.source == source, account.c.account_ref == staged.c.account_ref)
    known = session.scalar(sa.select(sa.func.count()).select_from(staged.join(account, here))) or 0
    joined = staged.join(
        customer, sa.and_(customer.c.source == source, customer.c.customer_ref == staged.c.customer_ref)
    )
    plain = (
        "account_ref",
        "creditor",
        "collector_role",
        "product_family",
        "currency",
        "opened_on",
        "limit_amount",
        "balance_amount",
        "arrears_source_amount",
        "arrears_amount",
        "minimum_due_amount",
        "due_source_on",
        "oldest_unpaid_due_on",
        "dpd",
        "dpd_source",
        "bucket",
        "status",
    )
    columns: dict[str, Any] = {c: staged.c[c] for c in plain}
    columns |= {
        "source": sa.literal(source),
        "customer_id": customer.c.id,
        "bucket_table": sa.literal(bucket_table),
        "as_of_on": sa.literal(business_date, sa.Date()),
        "valid_from": sa.literal(now, account.c.valid_from.type),
        "recorded_at": sa.literal(now, account.c.recorded_at.type),
        "row_hash": sa.literal(0, sa.BigInteger()),
    }
    update = tuple(c for c in plain if c != "account_ref")
    touched = bulk.upsert(
        session,
        account,
        staged,
        keys=("source", "account_ref"),
        columns=columns,
        update=update,
        newer="as_of_on",
        origin=joined,
    )
    _write_standings(session, here, staged, on=business_date, told=Told(now, batch_id))
    new = frame.height - known
    return new, touched - new


def _write_standings(session: Session, here: sa.ColumnElement[bool], staged: sa.Table, *, on: date, told: Told) -> None:
    """Write how staged accounts stand on a day where that is more than a day having passed."""
    account, before = table_of(Account), standings_as_of(on)
    ageing = sa.and_(account.c.dpd >= 1, account.c.status == "active")
    amounts = ("dpd", "arrears_amount", "balance_amount", "limit_amount", "status")
    news = (
        sa.select(account.c.id.label("account_id"), sa.literal(on, sa.Date()).label("from_on"),
                  ageing.label("is_ageing"), *(account.c[c] for c in amounts))
        .select_from(staged)
        .join(account, here)
        .outerjoin(before, before.c.account_id == account.c.id)
        .where(sa.or_(*(before.c[c].is_distinct_from(account.c[c]) for c in amounts)))
    )  # fmt: skip
    frame = bulk.read(session, news, {**SPANS, "from_on": pl.Date})
    spans = bulk.stage(session, "staged_standing", frame, index=("account_id",))
    standings.write(session, spans, now=told.at, batch_id=told.batch_id)


def touch(session: Session, changed: sa.FromClause, *, from_column: str = "from_on") -> int:
    """Ask for accounts to be derived again: rows of ``changed`` (account_id, ``from_column``: a day).

    The earliest day asked for stands. An account may come more than once. Returns how many tasks are new or earlier.
    """
    table, day = table_of(LedgerTask), changed.c[from_column]
    earliest = sa.select(changed.c.account_id, sa.func.min(day).label("from_on")).group_by(changed.c.account_id)
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table).from_select(["account_id", "from_on"], earliest.where(sa.true()))
    news = statement.excluded.from_on
    return bulk.affected(
        session,
        statement.on_conflict_do_update(
            index_elements=["account_id"], set_={"from_on": news}, where=table.c.from_on > news
        ),
    )


def touch_payments(session: Session, booked: sa.FromClause, *, source: str) -> int:
    """Ask for the accounts of payments (``booked.payment_ref``, rows of ``payment`` by now) to be derived again.

    A reversal counts from the value date of what it takes back. Judged promises of these accounts are judged
    again. Returns how many tasks are new or earlier.
    """
    payment = table_of(Payment)
    other = payment.alias("other")
    mine = sa.and_(payment.c.source == source, payment.c.payment_ref == booked.c.payment_ref)
    undone = sa.and_(other.c.source == source, other.c.payment_ref == payment.c.reverses_ref)
    facts = sa.union_all(
        sa.select(payment.c.account_id, payment.c.value_on.label("from_on")).select_from(booked.join(payment, mine)),
        sa.select(other.c.account_id, other.c.value_on).select_from(booked.join(payment, mine).join(other, undone)),
    ).subquery()
    promise = table_of(Promise)
    session.execute(
        sa.update(promise)
        .where(promise.c.account_id.in_(sa.select(facts.c.account_id)), promise.c.status.in_(JUDGED))
        .values(is_stale=True)
    )
    return touch(session, facts)


def age_accounts(session: Session, *, business_date: date) -> int:
    """Let a day pass for overdue accounts of which the feed said nothing new; return how many."""
    account, episode = table_of(Account), table_of(Episode)
    silent = sa.and_(
        sa.exists().where(episode.c.account_id == account.c.id, episode.c.ended_on.is_(None)),
        account.c.as_of_on < business_date,
        account.c.oldest_unpaid_due_on.is_not(None),
        account.c.status == "active",
    )
    frame = bulk.read(
        session,
        sa.select(account.c.id, account.c.oldest_unpaid_due_on.label("due_source_on"), account.c.bucket_table).where(
            silent
        ),
        {"id": pl.Int64, "due_source_on": pl.Date, "bucket_table": pl.String},
    )
    if frame.is_empty():
        return 0
    aged = pl.concat(
        delinquency(part, bands=bucket_bands(str(name)), as_of=business_date).select("id", "dpd", "bucket")
        for (name,), part in frame.group_by("bucket_table")
    )
    staged = bulk.stage(session, "staged_age", aged, index=("id",))
    session.execute(
        sa.update(account)
        .where(account.c.id == staged.c.id, account.c.dpd != staged.c.dpd)
        .values(dpd=staged.c.dpd, bucket=staged.c.bucket)
    )
    longest = sa.select(account.c.dpd).where(account.c.id == episode.c.account_id).scalar_subquery()
    session.execute(
        sa.update(episode)
        .where(
            episode.c.ended_on.is_(None),
            episode.c.account_id.in_(sa.select(staged.c.id)),
            episode.c.max_dpd < longest,
        )
        .values(max_dpd=longest)
    )
    return aged.height


def refresh_episodes(session: Session, *, business_date: date, source: str) -> tuple[int, int]:
    """Open an episode for each account of a source with DPD >= 1, end those that went back to 0 or left.

    Set-based and repeatable: a second call for the same state changes nothing. Returns (opened, cured).
    """
    account, episode = table_of(Account), table_of(Episode)
    mine = sa.and_(account.c.id == episode.c.account_id, account.c.source == source)
    ends: list[tuple[EpisodeEnd, Any]] = [
        (EpisodeEnd.CHARGED_OFF, account.c.status == "charged_off"),
        (EpisodeEnd.SOLD, account.c.status == "sold"),
        (EpisodeEnd.PAID_OFF, account.c.status.in_(("closed", "settled"))),
        (EpisodeEnd.CURED, account.c.dpd == 0),
    ]
    cured = 0
    for reason, condition in ends:
        ended = bulk.affected(
            session,
            sa.update(episode)
            .where(episode.c.ended_on.is_(None), sa.exists().where(mine, condition))
            .values(ended_on=business_date, end_reason=reason),
        )
        cured += ended if reason is EpisodeEnd.CURED else 0
    dpd = sa.select(account.c.dpd).where(account.c.id == episode.c.account_id).scalar_subquery()
    session.execute(
        sa.update(episode)
        .where(episode.c.ended_on.is_(None), sa.exists().where(mine, account.c.dpd > episode.c.max_dpd))
        .values(max_dpd=dpd)
    )
    open_already = sa.exists().where(episode.c.account_id == account.c.id, episode.c.ended_on.is_(None))
    opened = bulk.affected(
        session,
        sa.insert(episode).from_select(
            ["account_id", "entry_on", "entry_dpd", "entry_arrears_amount", "max_dpd"],
            sa.select(
                account.c.id,
                sa.literal(business_date, sa.Date()),
                account.c.dpd,
                account.c.arrears_amount,
                account.c.dpd,
            ).where(
                account.c.source == source,
                account.c.dpd >= 1,
                account.c.status.in_(("active", "legal", "forborne")),
                ~open_already,
            ),
        ),
    )
    return opened, cured


def write_contact_points(session: Session, frame: pl.DataFrame, *, source: str) -> None:
    """Insert or refresh contact points; a consent is added, never edited. Quality is ours, not the feed's."""
    frame = _with_defaults(
        frame,
        {
            "owner": "debtor",
            "source": "application",
            "rank": 1,
            "consent_kind": None,
            "consent_at": None,
            "consent_given_to": None,
        },
    ).with_columns(pl.col("source").fill_null("application"), pl.col("rank").fill_null(1))
    if frame.schema["consent_at"] != pl.String:
        frame = frame.with_columns(pl.col("consent_at").dt.strftime("%Y-%m-%d %H:%M:%S.%6f"))
    staged = bulk.stage(session, "staged_point", frame)
    customer, point, consent = table_of(Customer), table_of(ContactPoint), table_of(Consent)
    owner = staged.join(
        customer, sa.and_(customer.c.source == source, customer.c.customer_ref == staged.c.customer_ref)
    )
    columns: dict[str, Any] = {c: staged.c[c] for c in ("kind", "value", "owner", "source", "rank")}
    bulk.upsert(
        session,
        point,
        staged,
        keys=("customer_id", "kind", "value"),
        columns=columns | {"customer_id": customer.c.id},
        update=("owner", "rank"),
        origin=owner,
    )
    when = staged.c.consent_at
    instant = (
        sa.type_coerce(when, sa.Text())
        if session.get_bind().dialect.name == "sqlite"
        else sa.cast(when + sa.literal("+00"), sa.DateTime(timezone=True))
    )
    given = owner.join(
        point,
        sa.and_(
            point.c.customer_id == customer.c.id,
            point.c.kind == staged.c.kind,
            point.c.value == staged.c.value,
            staged.c.consent_kind.is_not(None),
            staged.c.consent_at.is_not(None),
        ),
    )
    bulk.upsert(
        session,
        consent,
        staged,
        keys=("contact_point_id", "kind", "captured_at"),
        columns={
            "contact_point_id": point.c.id,
            "kind": staged.c.consent_kind,
            "captured_at": instant,
            "given_to": sa.func.coalesce(staged.c.consent_given_to, "creditor"),
        },
        origin=given,
    )


def _by_account(staged: sa.Table, source: str) -> sa.FromClause:
    account = table_of(Account)
    return staged.join(account, sa.and_(account.c.source == source, account.c.account_ref == staged.c.account_ref))


def write_payments(session: Session, frame: pl.DataFrame, *, source: str, batch_id: int) -> int:
    """Add payments not yet known by (source, payment_ref); facts are never edited. Returns how many."""
    frame = _with_defaults(frame, {"channel": None, "reverses_ref": None})
    staged = bulk.stage(session, "staged_payment", frame)
    plain = ("payment_ref", "amount", "currency", "kind", "status", "value_on", "channel", "reverses_ref")
    columns: dict[str, Any] = {c: staged.c[c] for c in plain}
    columns |= {
        "source": sa.literal(source),
        "account_id": table_of(Account).c.id,
        "batch_id": sa.literal(batch_id),
    }
    return bulk.upsert(
        session,
        table_of(Payment),
        staged,
        keys=("source", "payment_ref"),
        columns=columns,
        origin=_by_account(staged, source),
    )


def write_cycles(session: Session, frame: pl.DataFrame, *, source: str) -> None:
    """Insert or correct statement cycles."""
    names = ("cycles_past_due", "statement_amount", "paid_amount")
    staged = bulk.stage(session, "staged_cycle", _with_defaults(frame, dict.fromkeys(names)))
    columns: dict[str, Any] = {c: staged.c[c] for c in ("cycle_end_on", *names)}
    bulk.upsert(
        session,
        table_of(AccountCycle),
        staged,
        keys=("account_id", "cycle_end_on"),
        update=names,
        columns=columns | {"account_id": table_of(Account).c.id},
        origin=_by_account(staged, source),
    )


def write_signals(session: Session, frame: pl.DataFrame, *, source: str, business_date: date) -> None:
    """Add vendor answers. Counts that the vendor did not give stay null: no hit is not zero (§3.3)."""
    frame = _with_defaults(frame, {"received_on": None}).with_columns(pl.col("received_on").fill_null(business_date))
    values = [c for c in frame.columns if c.startswith("ml_")]
    frame = frame.with_columns(pl.struct(values).struct.json_encode().alias("fields")).drop(values)
    staged = bulk.stage(session, "staged_signal", frame)
    customer = table_of(Customer)
    owner = staged.join(
        customer, sa.and_(customer.c.source == source, customer.c.customer_ref == staged.c.customer_ref)
    )
    plain: dict[str, Any] = {c: staged.c[c] for c in ("provider", "snapshot_on", "received_on", "hit_status")}
    bulk.upsert(
        session,
        table_of(ExternalSignal),
        staged,
        keys=("customer_id", "provider", "product", "snapshot_on", "received_on"),
        columns=plain
        | {
            "customer_id": customer.c.id,
            "fields": bulk.as_json(session, staged.c.fields),
            "product": sa.literal("multi_lending"),
            "purpose_code": sa.literal("post_loan"),
            "key_type": sa.literal("id"),
        },
        origin=owner,
    )


def write_labels(session: Session, frame: pl.DataFrame, *, source: str, business_date: date, now: datetime) -> None:
    """Keep outcomes that the lender itself supplies; they are mature by the lender's word."""
    frame = _with_defaults(frame, {"horizon_days": 30})
    staged = bulk.stage(session, "staged_label", frame)
    account = table_of(Account)
    columns: dict[str, Any] = {c: staged.c[c] for c in ("label", "outcome", "horizon_days")}
    columns |= {
        "account_id": account.c.id,
        "observed_on": sa.literal(business_date, sa.Date()),
        "matured_on": sa.literal(max(business_date, now.date()), sa.Date()),
        "origin": sa.literal("lender"),
    }
    bulk.upsert(
        session,
        table_of(TrainingLabel),
        staged,
        keys=("label", "account_id", "observed_on"),
        columns=columns,
        update=("outcome",),
        origin=_by_account(staged, source),
    )
