"""What customers do in the lender's app and with their accounts, as the lender tells it."""

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from collections_app.db.base import Base, Id, ref


class CustomerEvent(Base):
    """Something a customer did in the lender's app or with the account; what the high-frequency B-card reads.

    ``kind`` is a CustomerEventKind (login, repay_page, card_unbound, spend ...). ``occurred_on`` and
    ``local_hour`` are by the customer's own clock. Append-only; ``known_on`` is the business date of the feed
    that told us: what arrived late was not known before.
    """

    __tablename__ = "customer_event"
    __table_args__ = (
        sa.UniqueConstraint("source", "event_ref"),
        sa.Index("ix_customer_event_account_id_on", "account_id", "occurred_on"),
    )

    id: Mapped[Id]
    source: Mapped[str] = mapped_column(sa.String(64))
    event_ref: Mapped[str] = mapped_column(sa.String(64))
    account_id: Mapped[int] = ref("account.id", index=False)
    kind: Mapped[str] = mapped_column(sa.String(32))
    occurred_at: Mapped[datetime]
    occurred_on: Mapped[date]
    local_hour: Mapped[int] = mapped_column(sa.SmallInteger)
    amount: Mapped[int | None] = mapped_column(sa.BigInteger)
    known_on: Mapped[date]
    batch_id: Mapped[int] = ref("feed_batch.id", index=False)
