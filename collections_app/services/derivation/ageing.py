"""A day passes: accounts of which nothing new is known grow older, in place, without being derived again."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.dates import days_between
from collections_app.db.tables import Account, Episode
from collections_app.domain.delinquency import Band
from collections_app.services.derivation.facts import EVER
from strategies.parameters import bucket_bands
from strategies.parameters.products import product, profile_of, regulatory_bands

_Expression = sa.ColumnElement[Any]


def due(as_of: date, *, everything: bool) -> sa.Subquery:
    """Select the accounts (account_id, from_on) on which more than ageing has happened by itself; or all of them."""
    account = table_of(Account)
    day = sa.literal(EVER, sa.Date()) if everything else account.c.next_change_on
    reached = sa.true() if everything else account.c.next_change_on <= as_of
    return (
        sa.select(account.c.id.label("account_id"), day.label("from_on"))
        .where(account.c.basis == "schedule", reached)
        .subquery()
    )


def pass_days(session: Session, *, as_of: date) -> int:
    """Let accounts grow older until ``as_of``: days past due, bucket, regulatory count; return how many did.

    Call it when everything that waits has been derived. With basis "source" only accounts in an open episode age
    (domain brief §2.1: the feed is silent, the debt is not).
    """
    aged = _age_schedules(session, as_of) + age_sources(session, as_of=as_of)
    if aged:
        _grow_episodes(session)
    return aged


def _age_schedules(session: Session, as_of: date) -> int:
    account = table_of(Account)
    waiting = sa.and_(
        account.c.basis == "schedule",
        account.c.as_of_on < as_of,
        sa.or_(account.c.is_ageing, account.c.material_since_on.is_not(None)),
    )
    kinds = _kinds(session, waiting)
    if not kinds:
        return 0
    today = sa.literal(as_of, sa.Date())
    dpd = account.c.dpd + sa.case((account.c.is_ageing, days_between(account.c.as_of_on, today)), else_=0)
    values: dict[str, _Expression | date] = {
        "dpd": dpd,
        "as_of_on": as_of,
        "dpd_regulatory": sa.case(
            (account.c.material_since_on.is_not(None), days_between(account.c.material_since_on, today) + 1), else_=0
        ),
        "bucket": _bucket(dpd, kinds, as_of),
        "reg_class": _reg_class(dpd, kinds, as_of),
    }
    return bulk.affected(session, sa.update(account).where(waiting).values(values))


def age_sources(session: Session, *, as_of: date, source: str | None = None) -> int:
    """Age the silent accounts of a source (None: of all) by its oldest due date; return how many."""
    account, episode = table_of(Account), table_of(Episode)
    dpd = days_between(account.c.oldest_unpaid_due_on, sa.literal(as_of, sa.Date()))
    silent = sa.and_(
        account.c.basis == "source",
        account.c.as_of_on < as_of,
        account.c.oldest_unpaid_due_on < as_of,
        account.c.status == "active",
        account.c.dpd != dpd,
        sa.exists().where(episode.c.account_id == account.c.id, episode.c.ended_on.is_(None)),
    )
    if source is not None:
        silent = sa.and_(silent, account.c.source == source)
    kinds = _kinds(session, silent)
    if not kinds:
        return 0
    return bulk.affected(session, sa.update(account).where(silent).values(dpd=dpd, bucket=_bucket(dpd, kinds, as_of)))


def _grow_episodes(session: Session) -> None:
    account, episode = table_of(Account), table_of(Episode)
    session.execute(
        sa.update(episode)
        .where(episode.c.account_id == account.c.id, episode.c.ended_on.is_(None), episode.c.max_dpd < account.c.dpd)
        .values(max_dpd=account.c.dpd)
    )


@dataclass(frozen=True)
class _Kind:
    """What tells which bucket table and which regulatory classes hold for an account."""

    bucket_table: str
    profile: str | None
    product_family: str
    currency: str


def _kinds(session: Session, waiting: _Expression) -> list[_Kind]:
    account = table_of(Account)
    columns = (account.c.bucket_table, account.c.profile, account.c.product_family, account.c.currency)
    return [_Kind(*row) for row in session.execute(sa.select(*columns).where(waiting).distinct())]


def _bucket(dpd: _Expression, kinds: list[_Kind], as_of: date) -> _Expression:
    table = table_of(Account).c.bucket_table
    names = {kind.bucket_table for kind in kinds}
    return _banded(dpd, {name: table == name for name in names}, lambda name: bucket_bands(name, as_of))


def _reg_class(dpd: _Expression, kinds: list[_Kind], as_of: date) -> _Expression:
    account = table_of(Account)
    here: dict[str, list[_Expression]] = defaultdict(list)
    for kind in kinds:
        named = profile_of(kind.profile, family=kind.product_family, currency=kind.currency)
        here[product(named, as_of).regulatory_table].append(
            sa.and_(
                account.c.profile.is_not_distinct_from(kind.profile),
                account.c.product_family == kind.product_family,
                account.c.currency == kind.currency,
            )
        )
    return _banded(dpd, {t: sa.or_(*of) for t, of in here.items()}, lambda name: regulatory_bands(name, as_of))


def _banded(dpd: _Expression, tables: dict[str, _Expression], bands: Callable[[str], tuple[Band, ...]]) -> _Expression:
    """Say in SQL what ``bucket_of`` says, from the same bands: the code of each table's highest band reached."""
    return sa.case(
        *(
            (here, sa.case(*((dpd >= band.from_dpd, band.code) for band in reversed(bands(name)[1:])),
                           else_=bands(name)[0].code))
            for name, here in tables.items()
        )
    )  # fmt: skip
