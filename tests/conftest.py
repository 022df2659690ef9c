"""Guards and the database under test.

TEST_DATABASE_URL chooses the database: empty = a fresh SQLite file per test, copied from a migrated
template; "postgresql" = a throw-away server started here; a PostgreSQL URL = that database (it is
emptied!). ``--database-only`` leaves out the tests that use no database: they ran already.

Groups of tests need something of the machine (a browser, speech, a server, the shared data). Where it is
missing they skip with the reason, the summary says how to get it, and CI fails.
"""

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import settings

from collections_app.db.migrate import upgrade
from collections_app.db.session import Database
from collections_app.db.tables import User
from collections_app.db.unit_of_work import UnitsOfWork
from tests import postgres

# No deadlines: they measure how busy the machine is, not whether the code is right.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
_URL = os.environ.get("TEST_DATABASE_URL", "")

# marker -> (is it there?, how to get it)
GROUPS = {
    "browser": (lambda: shutil.which("chromium") is not None, "install Debian's package chromium"),
    "speech": (lambda: shutil.which("espeak-ng") is not None, "install Debian's package espeak-ng"),
    "postgres": (lambda: postgres.binaries() is not None, "install Debian's package postgresql"),
    "sequence": (lambda: find_spec("torch") is not None, "install the extra [sequence]: docs/models/sequence.md"),
    "real_data": (SHARED.is_dir, "put the shared data folder beside the project"),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database-only", action="store_true", help="only tests that use a database")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--database-only"):
        kept = [i for i in items if "database" in getattr(i, "fixturenames", ())]
        config.hook.pytest_deselected(items=[i for i in items if i not in set(kept)])
        items[:] = kept


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers():
        if mark.name in GROUPS and not GROUPS[mark.name][0]():
            pytest.skip(f"group {mark.name}: {GROUPS[mark.name][1]}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    for reason in sorted({str(report.longrepr[2]) for report in skipped if report.longrepr}):
        terminalreporter.write_line(f"LEFT OUT: {reason}", yellow=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and exitstatus == 0 and reporter.stats.get("skipped"):
        reporter.write_line("a skipped test counts as failed in CI", red=True)
        session.exitstatus = 1


@dataclass
class FixedClock:
    """A clock that stands where the test puts it."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 3, 2, 17, 0, tzinfo=UTC))


@pytest.fixture(scope="session")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "empty.db"
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.exec_driver_sql("BEGIN")
    database.engine.dispose()
    return path


@pytest.fixture(scope="session")
def _postgres() -> Iterator[Database]:
    if _URL == "postgresql" and postgres.binaries() is None:
        pytest.skip(f"group postgres: {GROUPS['postgres'][1]}")
    with postgres.server() if _URL == "postgresql" else nullcontext(_URL) as url:
        database = Database(url)
        upgrade(database)
        yield database
        database.engine.dispose()


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Yield an empty, migrated database."""
    if not _URL.startswith("postgres"):
        path = tmp_path / "test.db"
        shutil.copy(request.getfixturevalue("_template"), path)
        database = Database(f"sqlite:///{path}")
        yield database
        database.engine.dispose()
        return
    database = request.getfixturevalue("_postgres")
    names = ", ".join(f'"{t.name}"' for t in User.metadata.sorted_tables)
    with database.engine.begin() as connection:
        connection.execute(sa.text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
    yield database


@pytest.fixture
def units(database: Database, clock: FixedClock) -> UnitsOfWork:
    return UnitsOfWork(database, clock)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of shared data, or skip with the reason (CI counts the skip as a failure)."""
    if not SHARED.is_dir():
        pytest.skip("real data: ../shared is not beside the project")
    return SHARED


@pytest.fixture(autouse=True)
def _no_foreign_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail any test that connects to something other than this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        local = not isinstance(address, tuple) or address[0] in ("127.0.0.1", "::1", "localhost")
        assert local, f"a test tried to connect to {address}"
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)
