"""Customers, the ways to reach them, and their consents; what was said of a contact point before stays readable."""

from typing import Any

import polars as pl
import sqlalchemy as sa

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.tables import Consent, ContactPoint, ContactPointHistory, Customer
from collections_app.services.loading.known import INSTANT, Counts, Load, completed, since

_CUSTOMER = {
    "full_name": pl.String, "party_type": pl.String, "language": pl.String, "country": pl.String,
    "regions": pl.String, "zones": pl.String,
}  # fmt: skip
_POINT = {
    "kind": pl.String, "value": pl.String, "owner": pl.String, "quality": pl.String, "source": pl.String,
    "rank": pl.Int64, "op": pl.String,
}  # fmt: skip
_CONSENT = {
    "consent_kind": pl.String, "consent_at": INSTANT, "consent_given_to": pl.String, "consent_revoked_at": INSTANT,
}  # fmt: skip
_SAID = ("owner", "quality", "source", "rank", "valid_from", "recorded_at", "withdrawn_at")
_KEY = ("customer_id", "kind", "value")


def _json_list(column: str) -> pl.Expr:
    """Write "a|b" as the JSON text ["a", "b"]; nothing becomes an empty list."""
    quoted = pl.concat_str(
        pl.lit('["'), pl.col(column).str.replace_all('"', "").str.replace_all(r"\|", '", "'), pl.lit('"]')
    )
    return pl.when(pl.col(column).fill_null("") == "").then(pl.lit("[]")).otherwise(quoted).alias(column)


def write_customers(load: Load, frame: pl.DataFrame) -> Counts:
    """Copy new customers straight in, correct the known ones where they differ (key: source, customer_ref)."""
    told = completed(frame, _CUSTOMER).with_columns(
        pl.col("party_type").fill_null("person"), pl.col("language").fill_null("en-US"),
        _json_list("regions"), _json_list("zones"),
    )  # fmt: skip
    named = load.known.held_customers(told["customer_ref"])
    table = table_of(Customer)
    fresh = told.join(named, on="customer_ref", how="anti").sort("customer_ref")
    if not fresh.is_empty():
        ids = load.known.take_ids(table, fresh.height, expected=load.rows)
        fresh = fresh.with_columns(ids.alias("customer_id"))
        load.known.copier.add(
            table,
            fresh.select(
                pl.col("customer_id").alias("id"), pl.lit(load.source).alias("source"), "customer_ref", *_CUSTOMER,
                pl.lit("[]").alias("preferences"),
            ),
        )  # fmt: skip
        load.known.add_customers(fresh)
    again = told.join(named, on="customer_ref", how="inner")
    changed = _correct_customers(load, again) if not again.is_empty() else 0
    return Counts(new=fresh.height, changed=changed, unchanged=again.height - changed)


def _correct_customers(load: Load, again: pl.DataFrame) -> int:
    load.known.copier.drain()
    staged = bulk.stage(
        load.session, "staged_customer", again.select("customer_id", *_CUSTOMER), index=("customer_id",)
    )
    table = table_of(Customer)
    told: dict[str, Any] = {c: staged.c[c] for c in _CUSTOMER}
    told |= {c: bulk.as_json(load.session, staged.c[c]) for c in ("regions", "zones")}
    differs = sa.or_(*(_comparable(load, table.c[c], c).is_distinct_from(told[c]) for c in _CUSTOMER))
    return bulk.affected(load.session, sa.update(table).where(table.c.id == staged.c.customer_id, differs).values(told))


def _comparable(load: Load, column: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[Any]:
    """Read a JSON column as what ``bulk.as_json`` makes of text, so that the two can be compared."""
    is_text = name in ("regions", "zones") and load.session.get_bind().dialect.name == "sqlite"
    return sa.type_coerce(column, sa.Text()) if is_text else column


def write_points(load: Load, frame: pl.DataFrame) -> Counts:
    """Write contact points (key: customer, kind, value) and the consents given on them.

    A changed owner or rank replaces what was said, which goes to history; word of an earlier time goes to history
    itself. ``op`` delete withdraws a point: it stays for the record and is never used. Whether a number works is
    ours to find out: a told quality counts for a new point only.
    """
    told, orphans = load.of_customers(since(completed(frame, _POINT | _CONSENT), load.business_date))
    if told.is_empty():
        return Counts(rejects=tuple(orphans))
    load.known.copier.drain()
    deleted = pl.col("op").fill_null("upsert") == "delete"
    told = told.with_columns(pl.when(deleted).then(pl.lit(load.now, INSTANT)).alias("withdrawn_at"))
    both = told.join(_held(load, told), on=_KEY, how="left", maintain_order="left")
    fresh = both.filter(pl.col("held_id").is_null() & pl.col("withdrawn_at").is_null())
    _add(load, fresh)
    held = both.filter(pl.col("held_id").is_not_null()).with_columns(
        *(pl.coalesce(c, f"held_{c}").alias(c) for c in ("owner", "rank")),
        pl.col("held_quality").alias("quality"),
        pl.col("held_source").alias("source"),
    )
    differs = pl.any_horizontal(
        pl.col("owner") != pl.col("held_owner"),
        pl.col("rank") != pl.col("held_rank"),
        pl.col("withdrawn_at").is_null() != pl.col("held_withdrawn_at").is_null(),
    )
    late = (pl.col("valid_from") < pl.col("held_valid_from")).fill_null(value=False)
    changed, earlier = held.filter(differs & ~late), held.filter(late)
    _replace(load, changed)
    added = _add_late(load, earlier)
    _write_consents(load, told)
    unchanged = told.height - fresh.height - changed.height - added
    return Counts(fresh.height, changed.height, unchanged, added, rejects=tuple(orphans))


def _held(load: Load, told: pl.DataFrame) -> pl.DataFrame:
    point = table_of(ContactPoint)
    staged = bulk.stage(load.session, "staged_point", told.select(_KEY), index=("customer_id",))
    statement = sa.select(
        *(staged.c[c] for c in _KEY), point.c.id.label("held_id"), *(point.c[c].label(f"held_{c}") for c in _SAID)
    ).join(staged, sa.and_(*(point.c[c] == staged.c[c] for c in _KEY)))
    types: dict[str, Any] = {
        "customer_id": pl.Int64, "held_id": pl.Int64, "held_rank": pl.Int64, "held_valid_from": INSTANT,
        "held_recorded_at": INSTANT, "held_withdrawn_at": INSTANT,
    }  # fmt: skip
    names = (*_KEY, "held_id", *(f"held_{c}" for c in _SAID))
    return bulk.read(load.session, statement, {n: types.get(n, pl.String) for n in names})


def _add(load: Load, fresh: pl.DataFrame) -> None:
    rows = fresh.select(
        *_KEY, pl.col("owner").fill_null("debtor"), pl.col("quality").fill_null("ok"),
        pl.col("source").fill_null("application"), pl.col("rank").fill_null(1), "valid_from",
        pl.lit(load.now, INSTANT).alias("recorded_at"),
    )  # fmt: skip
    bulk.insert(load.session, table_of(ContactPoint), rows.sort(_KEY))


def _replace(load: Load, changed: pl.DataFrame) -> None:
    if changed.is_empty():
        return
    session, point, history = load.session, table_of(ContactPoint), table_of(ContactPointHistory)
    names = ("owner", "rank", "valid_from", "withdrawn_at")
    staged = bulk.stage(session, "staged_point", changed.select("held_id", *names), index=("held_id",))
    old = {"contact_point_id": point.c.id, **{c: point.c[c] for c in _SAID}}
    versions = sa.select(*(e.label(n) for n, e in old.items())).join(staged, staged.c.held_id == point.c.id)
    session.execute(sa.insert(history).from_select(list(old), versions))
    said: dict[str, Any] = {c: staged.c[c] for c in names}
    said["recorded_at"] = sa.literal(load.now, point.c.recorded_at.type)
    session.execute(sa.update(point).where(point.c.id == staged.c.held_id).values(said))


def _add_late(load: Load, earlier: pl.DataFrame) -> int:
    if earlier.is_empty():
        return 0
    history = table_of(ContactPointHistory)
    names = tuple(c for c in _SAID if c != "recorded_at")
    staged = bulk.stage(load.session, "staged_point", earlier.select("held_id", *names), index=("held_id",))
    known = sa.exists().where(
        history.c.contact_point_id == staged.c.held_id,
        *(history.c[c] == staged.c[c] for c in ("owner", "rank", "valid_from")),
        history.c.withdrawn_at.is_(None) == staged.c.withdrawn_at.is_(None),
    )
    columns: dict[str, Any] = {"contact_point_id": staged.c.held_id, **{c: staged.c[c] for c in names}}
    columns["recorded_at"] = sa.literal(load.now, history.c.recorded_at.type)
    rows = sa.select(*(e.label(n) for n, e in columns.items())).select_from(staged).where(~known)
    return bulk.affected(load.session, sa.insert(history).from_select(list(columns), rows))


def _write_consents(load: Load, told: pl.DataFrame) -> None:
    """Append consents; a consent is never edited, but for the day on which it was revoked."""
    given = told.filter(pl.col("consent_kind").is_not_null() & pl.col("consent_at").is_not_null())
    if given.is_empty():
        return
    point, consent = table_of(ContactPoint), table_of(Consent)
    staged = bulk.stage(load.session, "staged_consent", given.select(*_KEY, *_CONSENT), index=("customer_id",))
    bulk.upsert(
        load.session,
        consent,
        staged,
        keys=("contact_point_id", "kind", "captured_at"),
        columns={
            "contact_point_id": point.c.id,
            "kind": staged.c.consent_kind,
            "captured_at": staged.c.consent_at,
            "given_to": sa.func.coalesce(staged.c.consent_given_to, "creditor"),
        },
        origin=staged.join(point, sa.and_(*(point.c[c] == staged.c[c] for c in _KEY))),
    )
    if given["consent_revoked_at"].null_count() == given.height:
        return
    revoked = (
        sa.select(staged.c.consent_revoked_at)
        .join(point, sa.and_(*(point.c[c] == staged.c[c] for c in _KEY)))
        .where(
            consent.c.contact_point_id == point.c.id,
            consent.c.kind == staged.c.consent_kind,
            consent.c.captured_at == staged.c.consent_at,
            staged.c.consent_revoked_at.is_not(None),
        )
    )
    load.session.execute(
        sa.update(consent)
        .where(consent.c.revoked_at.is_(None), revoked.correlate(consent).exists())
        .values(revoked_at=revoked.correlate(consent).scalar_subquery())
    )
