"""How long a night of the ledger takes: days past due, standings, episodes and cases of a book after a day's payments.

A book is made inside the database: each account has six open instalments and a paid one; a quarter is overdue. Then

    first      everything is derived for the first time (services.ledger.refresh_book, its own units of work)
    night      a day later: 5 in 100 accounts pay, some payments are taken back, 1 in 30 has an instalment falling due,
               the overdue rest grows a day older (services.ledger.refresh, one transaction)
    cases      casework of that night (services.casework.refresh)
    touched    1,000 accounts pay during the day: the cost follows them, not the book
    raw        in the same run: bare SQL that only finds the oldest unpaid due date of each account, and a bare UPDATE
               of as many account rows as the night changed

    python bench/delinquency.py --database postgresql://user@host/ledger_bench --rows 10000 --rows 100000

The database is emptied: its name must contain "bench".
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import sqlalchemy as sa

from collections_app.db.migrate import upgrade
from collections_app.db.session import Database
from collections_app.db.tables import Account
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.services import casework, ledger

DAY = date(2026, 6, 1)
TOUCHED = 1_000
_STATUS = Path("/proc/self/status")

# Number i falls due on day i % 30 of the cycle. Of a hundred, 75 lack nothing, 15 lack one, 6 two, 4 more.
_LACKS = "CASE WHEN i % 100 < 75 THEN 0 WHEN i % 100 < 90 THEN 1 WHEN i % 100 < 96 THEN 2 ELSE 3 + (i / 100) % 3 END"
_BOOK = f"""
INSERT INTO feed_batch (source, entity, mapping, mapping_version, business_date, file_name, sha256, rows, accepted,
                        quarantined, unchanged, imported_at)
VALUES ('bench', 'payments', 'bench', 1, :day, 'bench', 'bench', 0, 0, 0, 0, now());
INSERT INTO customer (source, customer_ref, party_type, language, country, regions, zones, preferences)
SELECT 'bench', 'C' || i, 'person', 'en-US', 'US', '[]', '[]', '[]' FROM generate_series(1, :rows) i;
INSERT INTO account (source, account_ref, customer_id, creditor, collector_role, product_family, currency,
                     balance_amount, arrears_amount, status, valid_from, recorded_at, row_hash, bucket_table, basis,
                     schedule_version, dpd, bucket, as_of_on)
SELECT 'bench', 'A' || i, c.id, 'Example Bank', 'first_party', 'instalment', 'USD', 600000, 0, 'active',
       CAST(:day AS date) - 200, CAST(:day AS date) - 200, 0, 'intl', 'schedule', 1, 0, 'current',
       CAST(:day AS date) - 1
FROM generate_series(1, :rows) i JOIN customer c ON c.source = 'bench' AND c.customer_ref = 'C' || i;
INSERT INTO instalment (account_id, schedule_version, seq, due_on, interest_due_amount, principal_due_amount)
SELECT a.id, 1, k + 2, CAST(:day AS date) + i % 30 + 30 * (k - ({_LACKS})), 10000, 90000
FROM generate_series(1, :rows) i JOIN account a ON a.source = 'bench' AND a.account_ref = 'A' || i,
     generate_series(-1, 5) k
ORDER BY a.id, k;
INSERT INTO payment (source, payment_ref, account_id, batch_id, amount, currency, kind, status, value_on)
SELECT 'bench', 'P' || account_id, account_id, (SELECT max(id) FROM feed_batch), 100000, 'USD', 'payment', 'settled',
       due_on - 2
FROM instalment WHERE seq = 1;
INSERT INTO ledger_task SELECT id, DATE '1900-01-01' FROM account;
"""
_PAID = """
INSERT INTO payment (source, payment_ref, account_id, batch_id, amount, currency, kind, status, value_on)
SELECT 'bench', :tag || id, id, (SELECT max(id) FROM feed_batch), CASE id % 3 WHEN 0 THEN 40000 ELSE 100000 END, 'USD',
       'payment', 'settled', :day
FROM account WHERE id % :every = :rest LIMIT :most;
"""
# One in 200 of the old payments bounces: the account's past is written anew.
_BOUNCED = """
INSERT INTO payment (source, payment_ref, account_id, batch_id, amount, currency, kind, status, value_on, reverses_ref)
SELECT 'bench', 'R' || id, id, (SELECT max(id) FROM feed_batch), 100000, 'USD', 'chargeback', 'settled', :day, 'P' || id
FROM account WHERE id % 200 = 7;
"""
_RAW_OLDEST = """
SELECT account_id, min(due_on), sum(interest_due_amount + principal_due_amount - paid_amount) FROM instalment
WHERE due_on < :day AND paid_amount < interest_due_amount + principal_due_amount GROUP BY account_id
"""
_RAW_UPDATE = "UPDATE account SET dpd = dpd + 1, bucket = bucket, as_of_on = :day WHERE id % 1000 < :share"


@dataclass(frozen=True)
class Step:
    """One step of one book: wall seconds, accounts it concerned, and the most memory that this process held."""

    rows: int
    name: str
    seconds: float
    accounts: int
    peak_mib: float

    @property
    def rate(self) -> float:
        """Accounts a second."""
        return self.accounts / self.seconds


def _peak_mib() -> float:
    lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) / 1024


def timed(rows: int, name: str, work: Callable[[], int]) -> Step:
    """Run a step with a fresh high-water mark of memory; ``work`` returns how many accounts it concerned."""
    Path("/proc/self/clear_refs").write_text("5")
    started = time.perf_counter()
    accounts = work()
    step = Step(rows, name, time.perf_counter() - started, accounts, _peak_mib())
    print(f"{rows:>10,} {name:<8} {step.seconds:>8.2f} s {accounts:>10,} accounts {step.rate:>10,.0f}/s "
          f"{step.peak_mib:>7,.0f} MiB", flush=True)  # fmt: skip
    return step


def make_book(database: Database, rows: int) -> None:
    """Empty the database and make a book of ``rows`` accounts with seven instalments each."""
    names = ", ".join(f'"{t.name}"' for t in Account.metadata.sorted_tables)
    with database.engine.begin() as connection:
        connection.execute(sa.text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
        for statement in _BOOK.split(";\n")[:-1]:
            connection.execute(sa.text(statement), {"rows": rows, "day": DAY})
    vacuum(database)


def vacuum(database: Database) -> None:
    """Let the server settle: what a step left behind is not the next one's cost."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE"))
        connection.execute(sa.text("CHECKPOINT"))


def book_payments(units: UnitsOfWork, tag: str, day: date, *, every: int, rest: int, most: int) -> int:
    """Book a payment for one account in ``every`` and ask for them to be derived again; return how many."""
    with units.begin() as uow:
        uow.session.execute(sa.text(_PAID), {"tag": tag, "day": day, "every": every, "rest": rest, "most": most})
        if tag == "N":
            uow.session.execute(sa.text(_BOUNCED), {"day": day})
        refs = sa.select(sa.column("payment_ref")).select_from(sa.text("payment"))
        mine = refs.where(sa.text("value_on = :day AND (payment_ref LIKE :tag OR kind = 'chargeback')")).params(
            day=day, tag=f"{tag}%"
        )
        return ledger.touch_payments(uow.session, mine.subquery("booked"), source="bench")


def run(database: Database, rows: int) -> list[Step]:
    """Time the steps on a book of ``rows`` accounts."""
    units = UnitsOfWork(database)
    make_book(database, rows)

    def refresh(day: date) -> int:
        with units.begin() as uow:
            done = ledger.refresh(uow, business_date=day)
        return done["derived"] + done.get("aged", 0)

    def cases(day: date) -> int:
        with units.begin() as uow:
            casework.refresh(uow, business_date=day)
        return rows

    steps = [timed(rows, "first", lambda: ledger.refresh_book(units, business_date=DAY)["derived"])]
    vacuum(database)
    steps.append(timed(rows, "cases 1", lambda: cases(DAY)))
    vacuum(database)
    night = DAY + timedelta(days=1)
    book_payments(units, "N", DAY, every=20, rest=3, most=rows)
    steps.append(timed(rows, "night", lambda: refresh(night)))
    changed = steps[-1].accounts
    steps.append(timed(rows, "cases", lambda: cases(night)))
    book_payments(units, "T", night, every=max(1, rows // TOUCHED), rest=0, most=TOUCHED)
    steps.append(timed(rows, "touched", lambda: refresh(night)))
    vacuum(database)

    def raw(sql: str) -> int:
        with database.engine.connect() as connection:
            done = connection.execute(
                sa.text(sql), {"day": night} | ({"share": 1000 * changed // rows} if "share" in sql else {})
            )
            return done.rowcount if not done.returns_rows else len(done.fetchall())

    steps.append(timed(rows, "raw find", lambda: raw(_RAW_OLDEST)))
    steps.append(timed(rows, "raw upd.", lambda: raw(_RAW_UPDATE)))
    return steps


def linearity(steps: list[Step]) -> None:
    """Print what each step costs per account of the book, beside the smallest book of the run."""
    smallest = min(step.rows for step in steps)
    base = {step.name: step.seconds / step.rows for step in steps if step.rows == smallest}
    for step in steps:
        if step.rows > smallest:
            ratio = step.seconds / step.rows / base[step.name]
            print(f"{step.rows:>10,} {step.name:<8} {ratio:>6.2f} x the time per account of {smallest:,}")


def main() -> None:
    """Run the bench and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", required=True)
    parser.add_argument("--rows", type=int, action="append", help="accounts; may be given more than once")
    options = parser.parse_args()
    if "bench" not in options.database.rsplit("/", 1)[-1]:
        sys.exit("the database is emptied: its name must contain 'bench'")
    database = Database(options.database)
    upgrade(database)
    linearity([step for rows in sorted(options.rows or [100_000]) for step in run(database, rows)])


if __name__ == "__main__":
    main()
