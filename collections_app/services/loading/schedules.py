"""Instalments and statement cycles as the lender tells them, and the schedule that is in force."""

from datetime import date
from typing import Any

import polars as pl
import sqlalchemy as sa

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.tables import Account, AccountCycle, AccountStanding, Instalment
from collections_app.domain.schedules import roll_due
from collections_app.domain.waterfalls import DueRoll
from collections_app.services import ledger
from collections_app.services.loading.known import Counts, Load, completed
from strategies.parameters.products import product, profile_of

# Versions from here on are ours (an agreed plan); a lender's delivery neither reads nor writes them.
OWN_VERSIONS_FROM = 1_000_000
_DUES = tuple(f"{component}_due_amount" for component in ("cost", "fee", "penalty", "interest", "principal"))
_TOLD = {
    "schedule_version": pl.Int64, "seq": pl.Int64, "kind": pl.String, "cycle_start_on": pl.Date,
    "cycle_end_on": pl.Date, "contract_due_on": pl.Date, "due_on": pl.Date, "rate": pl.Int64,
    **dict.fromkeys(_DUES, pl.Int64),
}  # fmt: skip
_KEY = ("account_id", "schedule_version", "seq")
_TERMS = tuple(c for c in _TOLD if c not in _KEY)
_TOUCHED = {"account_id": pl.Int64, "from_on": pl.Date}
_CYCLE = {"cycle_end_on": pl.Date, "cycles_past_due": pl.Int64, "statement_amount": pl.Int64, "paid_amount": pl.Int64}


def write_instalments(load: Load, frame: pl.DataFrame) -> Counts:
    """Write told instalments (key: account, schedule_version, seq); from then on the account's DPD are our own.

    A row told again with other figures corrects the held one; ``op`` delete takes it back. The highest version
    that the lender ever told is in force from the moment it is told.
    """
    told, orphans = load.of_accounts(completed(frame, {**_TOLD, "op": pl.String}))
    if told.is_empty():
        return Counts(rejects=tuple(orphans))
    load.known.copier.drain()
    told = told.with_columns(
        pl.col("schedule_version").fill_null(1),
        pl.col("kind").fill_null("scheduled"),
        *(pl.col(c).fill_null(0) for c in _DUES),
        pl.coalesce("contract_due_on", "due_on").alias("contract_due_on"),
    )
    told = _rolled(load, told)
    before = _held_versions(load, told)
    back = told.filter(pl.col("op").fill_null("upsert") == "delete")
    kept = told.filter(pl.col("op").fill_null("upsert") != "delete")
    known_version = pl.col("held_version").fill_null(-1)
    # A version of which nothing is held yet (nor was written by this import) is new as a whole: straight in.
    kept = kept.join(before, on="account_id", how="left", maintain_order="left")
    fresh = kept.filter(pl.col("schedule_version") > known_version).select(*_KEY, *_TERMS)
    again = kept.filter(pl.col("schedule_version") <= known_version).select(*_KEY, *_TERMS)
    bulk.insert(load.session, table_of(Instalment), fresh.sort(_KEY))
    touched, changed = _correct(load, again)
    gone = _take_back(load, back)
    dated = fresh.select("account_id", pl.col("due_on").alias("from_on"))
    since = pl.concat([dated, touched, gone, _put_in_force(load, fresh, before)]).drop_nulls("from_on")
    ledger.touch(load.session, bulk.stage(load.session, "staged_touch", since))
    return Counts(
        new=fresh.height, changed=changed + gone.height, unchanged=again.height - changed, rejects=tuple(orphans)
    )


def _rolled(load: Load, told: pl.DataFrame) -> pl.DataFrame:
    """Move contract due dates off weekends as the account or its product says (domain brief §2.1).

    Where the source tells both dates, it has rolled them itself. Holidays are not known here.
    """
    account = table_of(Account)
    staged = bulk.stage(load.session, "staged_id", told.select("account_id").unique(), index=("account_id",))
    names = ("due_roll", "profile", "product_family", "currency")
    terms = bulk.read(
        load.session,
        sa.select(account.c.id.label("account_id"), *(account.c[c] for c in names)).join(
            staged, staged.c.account_id == account.c.id
        ),
        {"account_id": pl.Int64, **dict.fromkeys(names, pl.String)},
    )
    kinds = terms.select(names).unique()
    rolls = [_roll(row, load.business_date) for row in kinds.iter_rows(named=True)]
    kinds = kinds.with_columns(pl.Series("roll", rolls, dtype=pl.String))
    terms = terms.join(kinds, on=names, how="left", nulls_equal=True).select("account_id", "roll")
    told = told.join(terms, on="account_id", how="left", maintain_order="left")
    pairs = told.filter(pl.col("due_on") == pl.col("contract_due_on")).select("due_on", "roll").unique()
    moved = [roll_due(due, DueRoll(roll)) for due, roll in pairs.iter_rows()]
    pairs = pairs.with_columns(pl.Series("rolled_on", moved, dtype=pl.Date))
    told = told.join(pairs, on=["due_on", "roll"], how="left", maintain_order="left")
    same = pl.col("due_on") == pl.col("contract_due_on")
    return told.with_columns(pl.when(same).then("rolled_on").otherwise("due_on").alias("due_on")).drop(
        "roll", "rolled_on"
    )


def _roll(terms: dict[str, str | None], on: date) -> str:
    if terms["due_roll"]:
        return str(terms["due_roll"])
    family, currency = str(terms["product_family"]), str(terms["currency"])
    return product(profile_of(terms["profile"], family=family, currency=currency), on).due_roll.value


def _held_versions(load: Load, told: pl.DataFrame) -> pl.DataFrame:
    """Return the highest version held of each account, of those that its lender told."""
    rows = table_of(Instalment)
    staged = bulk.stage(load.session, "staged_id", told.select("account_id").unique(), index=("account_id",))
    statement = (
        sa.select(rows.c.account_id, sa.func.max(rows.c.schedule_version).label("held_version"))
        .join(staged, staged.c.account_id == rows.c.account_id)
        .where(rows.c.schedule_version < OWN_VERSIONS_FROM)
        .group_by(rows.c.account_id)
    )
    return bulk.read(load.session, statement, {"account_id": pl.Int64, "held_version": pl.Int64})


def _correct(load: Load, again: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Write rows that may be held; return from when the accounts of those that differ change, and how many differ."""
    if again.is_empty():
        return pl.DataFrame(schema=_TOUCHED), 0
    rows = table_of(Instalment)
    staged = bulk.stage(load.session, "staged_instalment", again, index=_KEY)
    here = sa.and_(*(rows.c[c] == staged.c[c] for c in _KEY))
    as_told = {"rate": sa.type_coerce(rows.c.rate, sa.BigInteger())}
    differs = sa.or_(
        rows.c.account_id.is_(None), *(as_told.get(c, rows.c[c]).is_distinct_from(staged.c[c]) for c in _TERMS)
    )
    news = (
        sa.select(*(staged.c[c] for c in _KEY), staged.c.due_on, rows.c.due_on.label("held_on"))
        .select_from(staged.outerjoin(rows, here))
        .where(differs)
    )
    schema = {"account_id": pl.Int64, "schedule_version": pl.Int64, "seq": pl.Int64, "due_on": pl.Date,
              "held_on": pl.Date}  # fmt: skip
    found = bulk.read(load.session, news, schema)
    bulk.upsert(
        load.session, rows, staged, keys=_KEY, columns={c: staged.c[c] for c in (*_KEY, *_TERMS)}, update=_TERMS
    )
    return found.select("account_id", pl.min_horizontal("due_on", "held_on").alias("from_on")), found.height


def _take_back(load: Load, back: pl.DataFrame) -> pl.DataFrame:
    """Delete rows that the source takes back; return from when their accounts change."""
    if back.is_empty():
        return pl.DataFrame(schema=_TOUCHED)
    rows = table_of(Instalment)
    staged = bulk.stage(load.session, "staged_instalment", back.select(_KEY), index=_KEY)
    here = sa.and_(*(rows.c[c] == staged.c[c] for c in _KEY))
    found = bulk.read(
        load.session,
        sa.select(rows.c.account_id, rows.c.due_on.label("from_on")).join(staged, here),
        _TOUCHED,
    )
    load.session.execute(sa.delete(rows).where(sa.exists().where(here)))
    return pl.concat([found, _fall_back(load, found)])


def _fall_back(load: Load, gone: pl.DataFrame) -> pl.DataFrame:
    """Let the lender's latest remaining version hold where the one in force was taken back whole: an account without
    any row would stand as if nothing were owed. Returns from when these accounts change."""
    account, rows = table_of(Account), table_of(Instalment)
    held = rows.alias("held")
    staged = bulk.stage(load.session, "staged_gone", gone.select("account_id").unique(), index=("account_id",))
    in_force = sa.exists().where(
        held.c.account_id == account.c.id, held.c.schedule_version == account.c.schedule_version
    )
    statement = (
        sa.select(
            rows.c.account_id, sa.func.max(rows.c.schedule_version).label("version"),
            sa.func.min(rows.c.due_on).label("from_on"),
        )
        .join(staged, staged.c.account_id == rows.c.account_id)
        .join(account, account.c.id == rows.c.account_id)
        .where(rows.c.schedule_version < OWN_VERSIONS_FROM, ~in_force)
        .group_by(rows.c.account_id)
    )  # fmt: skip
    left = bulk.read(load.session, statement, {"account_id": pl.Int64, "version": pl.Int64, "from_on": pl.Date})
    if not left.is_empty():
        back = bulk.stage(load.session, "staged_left", left, index=("account_id",))
        load.session.execute(
            sa.update(account)
            .where(account.c.id == back.c.account_id)
            .values(schedule_version=back.c.version, schedule_since_on=load.business_date)
        )
        load.known.changed_in_place()
    return left.select(*_TOUCHED)


def _put_in_force(load: Load, fresh: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """Let new versions hold; where one replaces another, the account changes from its first due date on.

    How an account stood before, by another schedule or as its source counted, is left as it was believed: it is
    derived by this one from the business date on.
    """
    if fresh.is_empty():
        return pl.DataFrame(schema=_TOUCHED)
    account, rows, standing = table_of(Account), table_of(Instalment), table_of(AccountStanding)
    stood = sa.exists().where(standing.c.account_id == account.c.id, standing.c.from_on < load.business_date)
    newest = fresh.group_by("account_id").agg(pl.col("schedule_version").max())
    staged = bulk.stage(load.session, "staged_version", newest, index=("account_id",))
    load.session.execute(
        sa.update(account)
        .where(account.c.id == staged.c.account_id)
        .values(
            basis="schedule",
            schedule_version=staged.c.schedule_version,
            schedule_since_on=sa.case((stood, load.business_date), else_=account.c.schedule_since_on),
        )
    )
    load.known.changed_in_place()
    replaced = newest.join(before, on="account_id", how="inner")
    if replaced.is_empty():
        return pl.DataFrame(schema=_TOUCHED)
    staged = bulk.stage(load.session, "staged_id", replaced.select("account_id"), index=("account_id",))
    statement = (
        sa.select(rows.c.account_id, sa.func.min(rows.c.due_on).label("from_on"))
        .join(staged, staged.c.account_id == rows.c.account_id)
        .group_by(rows.c.account_id)
    )
    return bulk.read(load.session, statement, _TOUCHED)


def write_cycles(load: Load, frame: pl.DataFrame) -> Counts:
    """Write or correct statement cycles (key: account, cycle_end_on)."""
    told, orphans = load.of_accounts(completed(frame, _CYCLE))
    load.known.copier.drain()
    staged = bulk.stage(load.session, "staged_cycle", told.select("account_id", *_CYCLE))
    columns: dict[str, Any] = {c: staged.c[c] for c in ("account_id", *_CYCLE)}
    figures = tuple(c for c in _CYCLE if c != "cycle_end_on")
    written = bulk.upsert(
        load.session, table_of(AccountCycle), staged, keys=("account_id", "cycle_end_on"), columns=columns,
        update=figures,
    )  # fmt: skip
    return Counts(changed=written, unchanged=told.height - written, rejects=tuple(orphans))
