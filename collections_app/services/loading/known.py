"""What the ledger holds of a source: read once per import, kept up to date by the import itself."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
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
    "currency": pl.String,
}  # fmt: skip
# So many references are looked up by themselves; of more, everything that is held is read once.
FEW = 20_000


@dataclass(frozen=True)
class Counts:
    """What writing a frame did. ``late``: rows that speak of an earlier time than what is held."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    late: int = 0
    episodes_opened: int = 0
    episodes_cured: int = 0
    dpd_compared: int = 0
    dpd_mismatches: int = 0
    rejects: tuple[Reject, ...] = ()

    def plus(self, other: "Counts") -> "Counts":
        """Add two counts."""
        mine = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)}
        return Counts(**mine)


class Known:
    """The references of one source, looked up while they are few, read once when they are many. Rows that this
    import adds are added here, so that nothing is read twice."""

    def __init__(self, session: Session, source: str) -> None:
        self.session = session
        self.source = source
        self.copier = Copier(session)
        # References of accounts that a full file named: the others are absent from it.
        self.named: list[pl.Series] = []
        # Changed accounts that wait to be written together.
        self.pending: list[pl.DataFrame] = []
        self._customers: pl.DataFrame | None = None
        self._accounts: pl.DataFrame | None = None
        self._is_stale = False
        self._ids: dict[str, pl.Series] = {}

    @property
    def accounts(self) -> pl.DataFrame:
        """Return what is held of every account (columns ACCOUNTS)."""
        if self._accounts is None:
            self._accounts = self._read(Account, ACCOUNTS)
        return self._accounts

    @property
    def customers(self) -> pl.DataFrame:
        """Return customer_ref -> customer_id of every customer."""
        if self._customers is None:
            self._customers = self._read(Customer, CUSTOMERS)
        return self._customers

    def held_customers(self, refs: pl.Series) -> pl.DataFrame:
        """Return customer_ref -> customer_id of those of the references that are held."""
        if self._customers is None and refs.len() <= FEW:
            return self._read(Customer, CUSTOMERS, refs)
        return self.customers.join(refs.to_frame(), on="customer_ref", how="semi")

    def held_accounts(self, refs: pl.Series) -> pl.DataFrame:
        """Return what is held (columns ACCOUNTS) of those of the references that are held."""
        if self._accounts is None and refs.len() <= FEW:
            return self._read(Account, ACCOUNTS, refs)
        return self.accounts.join(refs.to_frame(), on="account_ref", how="semi")

    def _read(self, entity: type[Any], schema: dict[str, Any], refs: pl.Series | None = None) -> pl.DataFrame:
        table = table_of(entity)
        self.copier.drain()
        key, number = list(schema)[:2]
        picked = [table.c.id.label(number) if c == number else table.c[c] for c in schema]
        statement = sa.select(*picked).where(table.c.source == self.source)
        if refs is not None:
            named = bulk.stage(self.session, "staged_ref", refs.unique().to_frame(key), index=(key,))
            statement = statement.join(named, named.c[key] == table.c[key])
        return bulk.read(self.session, statement, schema)

    def add_customers(self, frame: pl.DataFrame) -> None:
        """Remember customers that were just written."""
        if self._customers is not None:
            self._customers = pl.concat([self._customers, frame.select(*CUSTOMERS)])

    def add_accounts(self, frame: pl.DataFrame) -> None:
        """Remember accounts that were just written."""
        if self._accounts is not None:
            added = frame.select(pl.col(c).cast(t) for c, t in ACCOUNTS.items())
            self._accounts = pl.concat([self._accounts, added])

    def take_ids(self, table: sa.Table, count: int, *, expected: int) -> pl.Series:
        """Return fresh ids. A file of new rows draws for all of them at once: COPY must not stop for ids."""
        pool = self._ids.get(table.name)
        if pool is None or pool.len() < count:
            self.copier.drain()
            wanted = max(count, expected) if count > FEW else count
            pool = bulk.next_ids(self.session, table, wanted, alone=self.copier.is_alone(table))
        self._ids[table.name] = pool.slice(count)
        return pool.head(count)

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
    # Rows that the file is said to have; 0 = not said.
    rows: int = 0

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
        held = self.known.held_customers(frame["customer_ref"])
        return _resolved(frame, held, "customer_ref", "names an unknown customer")

    def of_accounts(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, list[Reject]]:
        """Add ``account_id``; rows of accounts that nobody told of are refused."""
        held = self.known.held_accounts(frame["account_ref"]).select("account_ref", "account_id")
        return _resolved(frame, held, "account_ref", "names an unknown account")


def since(frame: pl.DataFrame, business_date: date) -> pl.DataFrame:
    """Add ``valid_from`` where the source does not tell it: midnight (UTC) of the business date."""
    midnight = datetime.combine(business_date, time.min, tzinfo=UTC)
    told = pl.col("valid_from") if "valid_from" in frame.columns else pl.lit(None, INSTANT)
    return frame.with_columns(told.cast(INSTANT).fill_null(midnight).alias("valid_from"))


def _resolved(frame: pl.DataFrame, held: pl.DataFrame, key: str, reason: str) -> tuple[pl.DataFrame, list[Reject]]:
    found = frame.join(held, on=key, how="left", maintain_order="left")
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
