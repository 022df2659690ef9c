"""Guards and the database under test.

TEST_DATABASE_URL chooses the database: empty = a fresh SQLite file per test, copied from a migrated
template; a PostgreSQL URL = one migrated database whose tables are emptied between tests.
"""

import os
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from collections_app.db.migrate import upgrade
from collections_app.db.session import Database
from collections_app.db.tables import User
from collections_app.db.unit_of_work import UnitsOfWork

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
_URL = os.environ.get("TEST_DATABASE_URL", "")


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
    database = Database(_URL)
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
