"""Accounts that have reached their product's charge-off: the lender decides, its feed says charged_off."""

from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.tables import Account, Episode
from collections_app.domain.money import Money
from strategies.parameters.products import product, profile_of

_GONE = ("charged_off", "closed", "settled", "sold")
_KIND = (Account.profile, Account.product_family, Account.currency)


@dataclass(frozen=True)
class DueForChargeOff:
    """One account: since when it is due, its days past due on the day asked for, what would be written off."""

    account_id: int
    source: str
    account_ref: str
    customer_id: int
    due_on: date
    dpd: int
    balance: Money


def due_for_charge_off(session: Session, *, as_of: date, limit: int = 1000) -> list[DueForChargeOff]:
    """Return the accounts in an open episode whose days past due have reached the charge-off, longest ago first.

    Days past due are those of the ledger's last day; call it with that day.
    FFIEC (domain brief §2.2): 120 days closed-end, 180 open-end; other products have no such day (products.yaml).
    """
    longest = {
        kind: limit_dpd
        for kind in session.execute(sa.select(*_KIND).where(Account.dpd >= 1).distinct()).all()
        if (limit_dpd := product(profile_of(kind[0], family=kind[1], currency=kind[2]), as_of).charge_off_dpd)
    }
    if not longest:
        return []
    charge_off_dpd = sa.case(
        *(
            (sa.and_(*(c.is_not_distinct_from(v) for c, v in zip(_KIND, kind, strict=True))), days)
            for kind, days in longest.items()
        )
    )
    rows = session.execute(
        sa.select(Account, charge_off_dpd.label("longest"))
        .where(
            Account.status.not_in(_GONE),
            Account.dpd >= charge_off_dpd,
            sa.exists().where(Episode.account_id == Account.id, Episode.ended_on.is_(None)),
        )
        .order_by((Account.dpd - charge_off_dpd).desc(), Account.id)
        .limit(limit)
    )
    return [
        DueForChargeOff(
            account.id, account.source, account.account_ref, account.customer_id,
            as_of - timedelta(days=account.dpd - most), account.dpd, Money(account.balance_amount, account.currency),
        )
        for account, most in rows
    ]  # fmt: skip
