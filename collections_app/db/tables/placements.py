"""Debts placed for collection: the fixed denominator of recovery and liquidation."""

from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from collections_app.db.base import Base, Currency, Id, MinorUnits, ref

_OPEN = sa.text("recalled_on IS NULL")


class Placement(Base):
    """An account placed with an agency, or with the house itself when its case opened (domain brief §2.3, §8.17)."""

    __tablename__ = "placement"
    __table_args__ = (
        sa.Index("uq_placement_open", "account_id", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN),
        sa.Index(None, "account_id", "placed_on"),
    )

    id: Mapped[Id]
    account_id: Mapped[int] = ref("account.id", index=False)
    # The name of an agency, or "house".
    placed_with: Mapped[str] = mapped_column(sa.String(64))
    # Placements made together are measured together.
    batch: Mapped[str] = mapped_column(sa.String(64))
    placed_on: Mapped[date]
    recall_due_on: Mapped[date | None]
    recalled_on: Mapped[date | None]
    placed_balance_amount: Mapped[MinorUnits]
    placed_arrears_amount: Mapped[MinorUnits]
    currency: Mapped[Currency]
