"""One account laid open: what was due, what covered it, how it stood; as of a day, as known at an instant."""

from dataclasses import dataclass
from datetime import date, datetime

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import bulk
from collections_app.db.tables import Account, Episode, FeedBatch, Payment
from collections_app.domain.errors import InvalidInput, NotFound
from collections_app.ledger import frames
from collections_app.ledger.engine import derive
from collections_app.queries.as_of import edges, standing_spans
from collections_app.queries.episode_history import is_counted
from collections_app.services.derivation import facts


@dataclass(frozen=True)
class Statement:
    """An account as of a day.

    status: as told for the day. figures: DERIVED_ACCOUNTS by name (empty if its source keeps the account).
    instalments: seq, kind, due_on, due, paid_amount, closed_on. payments: ref, kind, value_on, amount,
    effective_amount, unapplied_amount. lines: ref, line, instalment_seq, component, amount, rule. episodes: entry_on,
    entry_dpd, max_dpd, ended_on, end_reason. standings: the columns of queries.as_of.SPANS. Amounts are minor units
    of ``account.currency``.
    """

    account: Account
    status: str
    figures: dict[str, object]
    instalments: pl.DataFrame
    payments: pl.DataFrame
    lines: pl.DataFrame
    episodes: pl.DataFrame
    standings: pl.DataFrame


def state(
    session: Session, *, account_ref: str, source: str | None, as_of: date, known_at: datetime | None = None
) -> Statement:
    """Derive an account from its facts as of any day, counting the payments that had reached us by ``known_at``.

    Standings are those on record: what was believed then. Schedules and pauses are read as they are now. NotFound:
    no such account; InvalidInput: several sources have one of that name.
    """
    account = _account(session, account_ref, source)
    task = pl.DataFrame({"account_id": [account.id], "from_on": [facts.EVER]}, schema=facts.TASKS)
    waiting = bulk.stage(session, "staged_task", task)
    chunk = facts.read_chunk(session, waiting, as_of=as_of)
    spans = standing_spans(session, waiting, until=as_of)
    payments = chunk.payments if known_at is None else _known(session, chunk.payments, account.id, known_at)
    book = chunk.book
    derived = derive(frames.Book(book.accounts, book.instalments, payments, book.pauses), as_of=as_of)
    due = pl.sum_horizontal(f"{component}_due_amount" for component in frames.COMPONENTS)
    refs = payments.select("payment_id", "payment_ref", "kind", "value_on", "amount")
    return Statement(
        account=account,
        status=book.accounts["status"][0] if book.accounts.height else account.status,
        figures=derived.accounts.row(0, named=True) if derived.accounts.height else {},
        instalments=chunk.instalments.select("schedule_version", "seq", "kind", "due_on", due.alias("due"))
        .join(derived.instalments, on=["schedule_version", "seq"])
        .sort("due_on", "seq", nulls_last=True),
        payments=refs.join(derived.payments, on="payment_id").sort("value_on", "payment_ref"),
        lines=derived.allocations.join(refs.select("payment_id", "payment_ref", "value_on"), on="payment_id").sort(
            "value_on", "payment_ref", "line"
        ),
        episodes=_episodes(session, account.id, as_of, spans),
        standings=spans if known_at is None else standing_spans(session, waiting, until=as_of, known_at=known_at),
    )


def _account(session: Session, account_ref: str, source: str | None) -> Account:
    wanted = sa.select(Account).where(Account.account_ref == account_ref)
    found = session.scalars(wanted.where(Account.source == source) if source else wanted).all()
    if not found:
        raise NotFound(f"there is no account {account_ref!r}" + (f" of source {source!r}" if source else ""))
    if len(found) > 1:
        sources = ", ".join(sorted(account.source for account in found))
        raise InvalidInput(f"several sources have an account {account_ref!r}: name one of {sources}")
    return found[0]


def _known(session: Session, payments: pl.DataFrame, account_id: int, known_at: datetime) -> pl.DataFrame:
    arrived = (
        sa.select(Payment.id)
        .join(FeedBatch, FeedBatch.id == Payment.batch_id)
        .where(Payment.account_id == account_id, FeedBatch.imported_at <= known_at)
    )
    return payments.filter(pl.col("payment_id").is_in(list(session.scalars(arrived))))


def _episodes(session: Session, account_id: int, as_of: date, spans: pl.DataFrame) -> pl.DataFrame:
    """Return the account's episodes as they stood on the day: an end or a worse day that came later is not told."""
    schema = {"entry_on": pl.Date, "entry_dpd": pl.Int64, "ended_on": pl.Date, "end_reason": pl.String}
    ended = Episode.ended_on <= as_of
    statement = sa.select(
        Episode.entry_on,
        Episode.entry_dpd,
        sa.case((ended, Episode.ended_on)).label("ended_on"),
        sa.case((ended, sa.cast(Episode.end_reason, sa.String(32)))).label("end_reason"),
    ).where(Episode.account_id == account_id, Episode.entry_on <= as_of, is_counted(as_of))
    found = bulk.read(session, statement, schema).sort("entry_on")
    worst = (
        edges(spans, until=as_of)
        .join(found.select("entry_on", "ended_on"), how="cross")
        .filter(
            pl.col("business_date") >= pl.col("entry_on"),
            pl.col("ended_on").is_null() | (pl.col("business_date") < pl.col("ended_on")),
        )
        .group_by("entry_on")
        .agg(max_dpd=pl.col("dpd").max())
    )
    columns = ("entry_on", "entry_dpd", "max_dpd", "ended_on", "end_reason")
    return found.join(worst, on="entry_on", how="left").select(columns).sort("entry_on")
