"""Small books that a card can learn from: lateness raises the chance of the event, payment lowers it."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from tests.factories import make_account, make_customer, make_standing

OBSERVED = date(2026, 1, 10)
UCI_DAY = date(2005, 9, 30)


def make_labelled_book(
    units: UnitsOfWork,
    *,
    rows: int,
    only: int | None = None,
    dpd: int | None = None,
    matured_on: date = OBSERVED + timedelta(days=30),
) -> None:
    """Make accounts (two to a customer) with one snapshot and one matured label each."""
    rng = np.random.default_rng(4)
    late = rng.integers(1, 60, rows)
    bad = (rng.uniform(size=rows) < 1 / (1 + np.exp(-(late - 30) / 12))).astype(int)
    with units.begin() as uow:
        session = uow.session
        batch = t.FeedBatch(
            source="test",
            entity="accounts",
            mapping="own",
            mapping_version=1,
            business_date=OBSERVED,
            file_name="f",
            sha256="x",
            rows=rows,
            accepted=rows,
            quarantined=0,
            unchanged=0,
            imported_at=uow.now,
        )
        session.add(batch)
        customer_id = 0
        for i in range(rows):
            if i % 2 == 0:
                customer_id = make_customer(session).id
            days = int(late[i]) if dpd is None else dpd
            account = make_account(session, customer_id=customer_id, account_ref=f"L{i}")
            make_standing(
                session, account_id=account.id, batch_id=batch.id, from_on=OBSERVED, dpd=days,
                balance_amount=100_000, arrears_amount=int(rng.integers(1, 50_000)), limit_amount=200_000,
            )  # fmt: skip
            session.add(
                t.TrainingLabel(
                    label="bad_30d",
                    account_id=account.id,
                    observed_on=OBSERVED,
                    horizon_days=30,
                    outcome=int(bad[i]) if only is None else only,
                    matured_on=matured_on,
                    origin="computed",
                )
            )


def uci_like_file(path: Path, *, rows: int) -> Path:
    """Write a file in the layout of the UCI credit-card book, with made accounts, all of them overdue."""
    rng = np.random.default_rng(8)
    months = (0, 2, 3, 4, 5, 6)
    header = [
        "ID",
        "LIMIT_BAL",
        "SEX",
        "EDUCATION",
        "MARRIAGE",
        "AGE",
        *(f"PAY_{m}" for m in months),
        *(f"BILL_AMT{k}" for k in range(1, 7)),
        *(f"PAY_AMT{k}" for k in range(1, 7)),
        "default.payment.next.month",
    ]
    lines = [",".join(header)]
    for i in range(rows):
        late = rng.integers(1, 4, 6)
        bills, paid = rng.integers(1_000, 50_000, 6), rng.integers(0, 3_000, 6)
        bad = rng.uniform() < 1 / (1 + np.exp(-(late.mean() - 2) * 3))
        lines.append(",".join(map(str, [i + 1, 100_000, 1, 1, 1, 30, *late, *bills, *paid, int(bad)])))
    path.write_text("\n".join(lines) + "\n")
    return path


def count(units: UnitsOfWork, table: type) -> int:
    """Count a table's rows."""
    with units.database.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(table)) or 0
