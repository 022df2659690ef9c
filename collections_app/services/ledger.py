"""The ledger brought to a day: what waits is derived from its facts, everything else grows older."""

from collections import Counter
from datetime import date

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.tables import (
    LedgerDay,
    LedgerTask,
    Payment,
    Promise,
)
from collections_app.db.unit_of_work import UnitOfWork, UnitsOfWork
from collections_app.domain.permissions import SYSTEM, Actor, Permission
from collections_app.domain.promises import JUDGED
from collections_app.ledger.engine import derive
from collections_app.services.derivation import ageing, episodes, facts, figures
from collections_app.services.derivation.standings import restate

# Accounts derived at once: about 300 MiB with six instalments each.
CHUNK = 50_000


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


def refresh(uow: UnitOfWork, *, business_date: date, full: bool = False) -> dict[str, int]:
    """Bring the ledger to a day: derive what waits (or all of it), let the other accounts grow older.

    Everything in the caller's transaction; repeatable: what is derived once is not changed by deriving it again. The
    ledger never goes back: for an earlier day than it stands at, it is brought up to date as of where it stands.
    """
    uow.actor.require(Permission.JOB_RUN)
    as_of, counts, after = _begin(uow, business_date, full=full), Counter[str](), 0
    while (last := _derive_next(uow, as_of=as_of, after=after, counts=counts)) is not None:
        after = last
    return _end(uow, as_of, counts)


def refresh_book(
    units: UnitsOfWork, *, business_date: date, full: bool = False, actor: Actor = SYSTEM, chunk: int = CHUNK
) -> dict[str, int]:
    """Do what ``refresh`` does in units of work of ``chunk`` accounts, for a first derivation of a large book.

    Killed at any moment, it goes on where it was when it is run again.
    """
    with units.begin(actor) as uow:
        uow.actor.require(Permission.JOB_RUN)
        as_of = _begin(uow, business_date, full=full)
    counts, after = Counter[str](), 0
    while True:
        with units.begin(actor) as uow:
            last = _derive_next(uow, as_of=as_of, after=after, counts=counts, size=chunk)
        if last is None:
            break
        after = last
    with units.begin(actor) as uow:
        return _end(uow, as_of, counts)


def stands_at(session: Session) -> date | None:
    """Return the day to which the ledger was brought last."""
    return session.scalar(sa.select(sa.func.max(LedgerDay.business_date)))


def _begin(uow: UnitOfWork, business_date: date, *, full: bool) -> date:
    uow.queue_up("ledger")  # two at once would both let the same day pass
    reached = stands_at(uow.session)
    as_of = business_date if reached is None else max(business_date, reached)
    if full or as_of != reached:
        touch(uow.session, ageing.due(as_of, everything=full))
    return as_of


def _derive_next(uow: UnitOfWork, *, as_of: date, after: int, counts: Counter[str], size: int = CHUNK) -> int | None:
    """Derive the next accounts that wait; return the last one's id, or None if none waits."""
    session = uow.session
    tasks = facts.next_tasks(session, after=after, size=size)
    if tasks.is_empty():
        return None
    waiting = bulk.stage(session, "staged_task", tasks, index=("account_id",))
    chunk = facts.read_chunk(session, waiting, as_of=as_of)
    if not chunk.accounts.is_empty():
        derived = derive(chunk.book, as_of=as_of)
        counts["derived"] += chunk.accounts.height
        counts["standings"] += restate(session, chunk, derived.standings, now=uow.now)
        counts["instalments"] += figures.write_instalments(session, chunk, derived.instalments)
        counts["payments"] += figures.write_payments(session, chunk, derived.payments, derived.allocations)
        counts.update(episodes.reconcile(session, chunk, derived, as_of=as_of))
        figures.write_accounts(session, chunk, derived.accounts, as_of=as_of)
    task = table_of(LedgerTask)
    session.execute(sa.delete(task).where(task.c.account_id.in_(sa.select(waiting.c.account_id))))
    return int(tasks["account_id"][-1])


def _end(uow: UnitOfWork, as_of: date, counts: Counter[str]) -> dict[str, int]:
    uow.queue_up("ledger")
    if stands_at(uow.session) != as_of:
        counts["aged"] = ageing.pass_days(uow.session, as_of=as_of)
        uow.session.add(LedgerDay(business_date=as_of, passed_at=uow.now, aged=counts["aged"]))
    return dict(counts)


def catch_up(session: Session, *, business_date: date, source: str) -> None:
    """Let a source's accounts grow older after a file that came late: for the others that day has passed."""
    reached = stands_at(session)
    if reached is not None and reached > business_date:
        ageing.age_sources(session, as_of=reached, source=source)
