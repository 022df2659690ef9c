"""Loans with a schedule of their own, made in the tables as the loader leaves them."""

from collections.abc import Mapping
from datetime import date, datetime
from itertools import count
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import bulk
from collections_app.db.tables import Account, AccountStanding, Episode, FeedBatch, Instalment, LedgerTask, Payment
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.services import ledger
from tests.factories import make_account

_number = count(1)


def make_batch(session: Session, day: date, now: datetime) -> FeedBatch:
    batch = FeedBatch(
        source="test", entity="payments", mapping="m", mapping_version=1, business_date=day, file_name="f",
        sha256=f"{next(_number)}", rows=1, accepted=1, quarantined=0, unchanged=0, imported_at=now,
    )  # fmt: skip
    session.add(batch)
    session.flush()
    return batch


def make_loan(session: Session, dues: Mapping[date, int], **over: Any) -> Account:
    """Make an account with one instalment of principal a due date, waiting to be derived."""
    values: dict[str, Any] = {
        "basis": "schedule", "product_family": "instalment", "schedule_version": 1, "arrears_amount": 0, "dpd": 0,
        "bucket": "M0", "oldest_unpaid_due_on": None, "dpd_source": None, "opened_on": None,
    }  # fmt: skip
    account: Account = make_account(session, **(values | over))
    add_schedule(session, account, dues)
    session.add(LedgerTask(account_id=account.id, from_on=date(1900, 1, 1)))
    session.flush()
    return account


def add_schedule(session: Session, account: Account, dues: Mapping[date, int]) -> None:
    session.add_all(
        Instalment(account_id=account.id, schedule_version=account.schedule_version, seq=seq, due_on=due_on,
                   principal_due_amount=amount)
        for seq, (due_on, amount) in enumerate(dues.items(), start=1)
    )  # fmt: skip
    session.flush()


def pay(units: UnitsOfWork, account: Account, ref: str, amount: int, on: date, **over: Any) -> None:
    """Book a payment, once by its reference, and ask for its account to be derived again: what the loader does."""
    with units.begin() as uow:
        session = uow.session
        if session.scalar(sa.select(Payment.id).where(Payment.source == "test", Payment.payment_ref == ref)):
            return
        batch = make_batch(session, on, uow.now)
        values = {
            "source": "test", "payment_ref": ref, "account_id": account.id, "batch_id": batch.id, "amount": amount,
            "currency": account.currency, "kind": "payment", "status": "settled", "value_on": on,
        }  # fmt: skip
        session.add(Payment(**(values | over)))
        session.flush()
        staged = bulk.stage(session, "staged_booked", pl.DataFrame({"payment_ref": [ref]}))
        ledger.touch_payments(session, staged, source="test")


def reverse(units: UnitsOfWork, account: Account, ref: str, of: str, amount: int, on: date) -> None:
    """Take a payment back."""
    pay(units, account, ref, amount, on, kind="chargeback", reverses_ref=of)


def refresh(units: UnitsOfWork, on: date, **how: bool) -> dict[str, int]:
    with units.begin() as uow:
        return ledger.refresh(uow, business_date=on, **how)


def standing_rows(session: Session, account: Account) -> list[tuple[date, int, bool, int]]:
    """Return the present belief: (from_on, dpd, is_ageing, arrears)."""
    rows = session.scalars(
        sa.select(AccountStanding)
        .where(AccountStanding.account_id == account.id, AccountStanding.known_until.is_(None))
        .order_by(AccountStanding.from_on)
    )
    return [(r.from_on, r.dpd, r.is_ageing, r.arrears_amount) for r in rows]


def episode_rows(session: Session, account: Account) -> list[tuple[date, int, date | None, str | None]]:
    """Return (entry_on, max_dpd, ended_on, end_reason) in the order in which they were written."""
    rows = session.scalars(sa.select(Episode).where(Episode.account_id == account.id).order_by(Episode.id))
    return [(r.entry_on, r.max_dpd, r.ended_on, r.end_reason and r.end_reason.value) for r in rows]
