"""What the ledger holds of a source: read once per import, kept up to date by the import itself."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.copying import Copier
from collections_app.db.tables import Account, Customer
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.intake.mapping import Mapping as FeedMapping
from collections_app.intake.rows import LINE, Reject

INSTANT = pl.Datetime("us", "UTC")
CUSTOMERS = {"customer_ref": pl.String, "customer_id": pl.Int64}
ACCOUNTS: dict[str, Any] = {
    "account_ref": pl.String, "account_id": pl.Int64, "row_hash": pl.Int64, "valid_from": INSTANT,
    "basis": pl.String, "status": pl.String, "dpd": pl.Int64, "as_of_on": pl.Date, "schedule_version": pl.Int64,
}  # fmt: skip


@dataclass(frozen=True)
class Counts:
    """What writing a frame did. ``late``: rows that speak of an earlier time than what is held."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    late: int = 0
    dpd_compared: int = 0
    dpd_mismatches: int = 0
    rejects: tuple[Reject, ...] = ()

    def plus(self, other: "Counts") -> "Counts":
        """Add two counts."""
        return Counts(
            self.new + other.new,
            self.changed + other.changed,
            self.unchanged + other.unchanged,
            self.late + other.late,
            self.dpd_compared + other.dpd_compared,
            self.dpd_mismatches + other.dpd_mismatches,
            self.rejects + other.rejects,
        )


class Known:
    """The references of one source. Rows that this import adds are added here, so that nothing is read twice."""

    def __init__(self, session: Session, source: str) -> None:
        self.session = session
        self.source = source
        self.copier = Copier(session)
        # References of accounts that a full file named: the others are absent from it.
        self.named: list[pl.Series] = []
        self._customers: pl.DataFrame | None = None
        self._accounts: pl.DataFrame | None = None
        self._is_stale = False

    @property
    def customers(self) -> pl.DataFrame:
        """Return customer_ref -> customer_id."""
        if self._customers is None:
            table = table_of(Customer)
            self.copier.drain()
            self._customers = bulk.read(
                self.session,
                sa.select(table.c.customer_ref, table.c.id.label("customer_id")).where(table.c.source == self.source),
                CUSTOMERS,
            )
        return self._customers

    @property
    def accounts(self) -> pl.DataFrame:
        """Return what is held of each account (columns ACCOUNTS)."""
        if self._accounts is None:
            table = table_of(Account)
            self.copier.drain()
            plain = (table.c[c] for c in ACCOUNTS if c not in ("account_ref", "account_id"))
            self._accounts = bulk.read(
                self.session,
                sa.select(table.c.account_ref, table.c.id.label("account_id"), *plain).where(
                    table.c.source == self.source
                ),
                ACCOUNTS,
            )
        return self._accounts

    def add_customers(self, frame: pl.DataFrame) -> None:
        """Remember customers that were just written."""
        self._customers = pl.concat([self.customers, frame.select(*CUSTOMERS)])

    def add_accounts(self, frame: pl.DataFrame) -> None:
        """Remember accounts that were just written."""
        self._accounts = pl.concat([self.accounts, frame.select(pl.col(c).cast(t) for c, t in ACCOUNTS.items())])

    def changed_in_place(self) -> None:
        """Note that statements changed held accounts. A file names an account once, so only the next file must know."""
        self._is_stale = True

    def next_file(self) -> None:
        """Read anew what statements changed in place, at its next use."""
        if self._is_stale:
            self._accounts, self._is_stale = None, False


@dataclass(frozen=True)
class Load:
    """A frame on its way into the tables: who sends it, for which day, by which mapping and batch."""

    uow: UnitOfWork
    known: Known
    mapping: FeedMapping
    business_date: date
    batch_id: int
    mode: str = "delta"
    default_valid_from: datetime = field(init=False)

    def __post_init__(self) -> None:
        midnight = datetime.combine(self.business_date, time.min, tzinfo=UTC)
        object.__setattr__(self, "default_valid_from", midnight)

    @property
    def session(self) -> Session:
        """Return the session of the unit of work."""
        return self.known.session

    @property
    def now(self) -> datetime:
        """Return the instant of the unit of work: when everything in this import became known."""
        return self.uow.now

    @property
    def source(self) -> str:
        """Return the name of the source system."""
        return self.known.source

    def of_customers(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, list[Reject]]:
        """Add ``customer_id``; rows of customers that nobody told of are refused."""
        return _resolved(frame, self.known.customers, "customer_ref", "names an unknown customer")

    def of_accounts(self, frame: pl.DataFrame, *more: str) -> tuple[pl.DataFrame, list[Reject]]:
        """Add ``account_id`` and further columns of ``known.accounts``; rows of unknown accounts are refused."""
        held = self.known.accounts.select("account_ref", "account_id", *more)
        return _resolved(frame, held, "account_ref", "names an unknown account")

    def since(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Add ``valid_from`` where the source does not tell it: midnight (UTC) of the business date."""
        told = pl.col("valid_from") if "valid_from" in frame.columns else pl.lit(None, INSTANT)
        return frame.with_columns(told.cast(INSTANT).fill_null(self.default_valid_from).alias("valid_from"))


def _resolved(frame: pl.DataFrame, held: pl.DataFrame, key: str, reason: str) -> tuple[pl.DataFrame, list[Reject]]:
    # Only the few rows of what is held that this frame names go into the join's table.
    named = held.join(frame.select(key), on=key, how="semi")
    found = frame.join(named, on=key, how="left", maintain_order="left")
    value = "customer_id" if key == "customer_ref" else "account_id"
    unknown = found.filter(pl.col(value).is_null())
    if unknown.is_empty():
        return found, []
    return found.filter(pl.col(value).is_not_null()), refused(unknown[LINE], key, reason)


def refused(lines: Iterable[int], column: str, reason: str) -> list[Reject]:
    """Return one refusal per line."""
    return [Reject(line, column, reason) for line in lines]


def completed(frame: pl.DataFrame, schema: Mapping[str, Any]) -> pl.DataFrame:
    """Add the columns of ``schema`` that a frame lacks, empty, and give the others their type."""
    there = set(frame.columns)
    return frame.with_columns(
        pl.col(name).cast(dtype) if name in there else pl.lit(None, dtype).alias(name) for name, dtype in schema.items()
    )
