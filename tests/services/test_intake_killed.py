"""A real import, killed at many moments: nothing is lost, nothing doubled."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from collections_app.db.session import Database
from collections_app.db.tables import (
    Account,
    AccountHistory,
    AccountStanding,
    Consent,
    ContactPoint,
    ContactPointHistory,
    Customer,
    Episode,
    FeedBatch,
    Instalment,
    LedgerTask,
    Payment,
    QuarantinedRow,
)
from tests.feeds import account, customer, payment, point, write_feed

DAY = date(2026, 3, 2)
NEXT = DAY + timedelta(days=1)
ROOT = Path(__file__).resolve().parents[2]
TABLES = (Customer, Account, AccountHistory, AccountStanding, Episode, Instalment, Payment, ContactPoint,
          ContactPointHistory, Consent, LedgerTask, FeedBatch, QuarantinedRow)  # fmt: skip

# The import in a process of its own. Every statement and every piece of COPY is a moment; at the given one the
# process kills itself as a crash would, without a word. It prints how many moments there were.
IMPORT = """
import os, signal, sys
from datetime import UTC, date, datetime
from pathlib import Path
import psycopg, sqlalchemy as sa
from sqlalchemy import event
from collections_app.db import bulk
from collections_app.db.session import Database
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.intake.mapping import load_mapping
from collections_app.services.intake import import_file

url, manifest, day, fatal = sys.argv[1], Path(sys.argv[2]), date.fromisoformat(sys.argv[3]), int(sys.argv[4])
moments = 0

def moment(*_):
    global moments
    moments += 1
    if moments == fatal:
        os.kill(os.getpid(), signal.SIGKILL)

def counted(function, after=False):
    def call(*args, **kw):
        if not after:
            moment()
        result = function(*args, **kw)
        if after:
            moment()
        return result
    return call

psycopg.Copy.write = counted(psycopg.Copy.write, after=True)
bulk.insert = counted(bulk.insert, after=True)
event.listen(sa.Engine, "before_cursor_execute", moment)
now = datetime(day.year, day.month, day.day, 6, tzinfo=UTC)
with UnitsOfWork(Database(url), lambda: now).begin() as uow:
    import_file(uow, path=manifest, mapping=load_mapping("own_feed"), business_date=day, reject_limit=0.1)
    moment()
print(moments)
"""


def run(url: str, manifest: Path, day: date, fatal: int = 0) -> int:
    """Import; return how many moments there were, or -9 when it was killed."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT, url, str(manifest), day.isoformat(), str(fatal)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in (0, -9), done.stderr
    return int(done.stdout) if done.returncode == 0 else done.returncode


def content(database: Database) -> dict[str, list[str]]:
    """Return every table as rows of text without the numbers that a database gives out itself."""
    own = {"id", "account_id", "customer_id", "batch_id", "contact_point_id"}
    with database.reading() as session:
        refs = dict(session.execute(sa.select(Account.id, Account.account_ref)).all())
        found: dict[str, list[str]] = {}
        for entity in TABLES:
            columns = list(entity.__table__.columns)
            rows = session.execute(sa.select(*columns)).mappings()
            found[entity.__name__] = sorted(
                str([refs.get(r["account_id"]) if "account_id" in r else "", *(str(r[c]) for c in columns
                                                                              if c.name not in own)])
                for r in rows
            )  # fmt: skip
    return found


@pytest.fixture
def feeds(tmp_path: Path) -> list[tuple[date, Path]]:
    """A first delivery and a second that changes, adds, corrects and takes back."""
    people = [customer(f"C{n:03d}") for n in range(60)]
    due = DAY - timedelta(days=20)
    accounts = [account(f"A{n:03d}", customer=f"C{n % 60:03d}", due=due if n % 3 else None, arrears=n % 3 * 100)
                for n in range(90)]  # fmt: skip
    accounts[7]["status"] = "no such status"
    schedule = [{"account_id": f"A{n:03d}", "seq": k, "due_date": due + timedelta(days=30 * k), "principal_due": 50}
                for n in range(30) for k in range(3) if n != 7]  # fmt: skip
    points = [point(f"C{n:03d}", f"+1512555{n:04d}") for n in range(60)]
    cash = [payment(f"P{n:03d}", f"A{n:03d}", 50, DAY) for n in range(30) if n != 7]
    first = write_feed(tmp_path, DAY, customers=people, accounts=accounts, instalments=schedule,
                       contact_points=points, payments=cash)  # fmt: skip
    changed = [{**row, "balance_total": 5 + row["balance_total"]} for row in accounts[10:40]]
    changed += [account("B001", customer="C001", due=due, arrears=7)]
    back = payment("R001", "A001", 50, NEXT, kind="reversal", reverses_payment_id="P001")
    second = write_feed(
        tmp_path, NEXT, accounts=changed, payments=[back],
        contact_points=[point("C001", "+15125550001", rank=2), point("C002", "+15125550002", op="delete")],
    )  # fmt: skip
    return [(DAY, first), (NEXT, second)]


def spread(moments: int, count: int) -> Iterator[int]:
    """Choose moments from the first to the very last, when only the commit is missing."""
    return iter(sorted({1 + round(k * (moments - 1) / (count - 1)) for k in range(count)}))


def empty(database: Database) -> None:
    with database.engine.begin() as connection:
        for table in reversed(Customer.metadata.sorted_tables):
            connection.execute(sa.delete(table))


def test_killed_at_any_moment_an_import_leaves_nothing_and_the_next_one_does_the_whole(
    database: Database, feeds: list[tuple[date, Path]]
) -> None:
    url = database.engine.url.render_as_string(hide_password=False)
    nothing = content(database)
    whole = []
    for day, manifest in feeds:
        moments = run(url, manifest, day)
        whole.append((day, manifest, moments, content(database)))
    assert [len(whole[-1][3][name]) for name in ("Account", "AccountHistory", "Payment", "Episode")] == [90, 30, 30, 60]
    empty(database)
    held = nothing
    for day, manifest, moments, expected in whole:
        for fatal in spread(moments, 4):
            assert run(url, manifest, day, fatal) == -9
            assert content(database) == held
        assert run(url, manifest, day) > 0
        assert content(database) == expected
        held = expected
    assert run(url, whole[-1][1], whole[-1][0]) > 0  # once more: nothing is doubled
    assert content(database) == held
