"""Engines and sessions from a URL; plain SQLAlchemy on SQLite (embedded) or PostgreSQL (production)."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from collections_app.domain.errors import NotConfigured

READ_ONLY = {"sqlite_begin": "BEGIN DEFERRED"}


def normalise_url(text: str) -> URL:
    """Read a database URL; ``postgres://`` and ``postgresql://`` mean psycopg 3."""
    try:
        url = make_url(text)
    except ArgumentError:
        raise NotConfigured(
            "DATABASE_URL is not a database URL; write sqlite:///path/to/file.db or "
            "postgresql://user:password@host/name"
        ) from None
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise NotConfigured(f"DATABASE_URL names {url.get_backend_name()}; use sqlite or postgresql")
    return url


def make_engine(text: str) -> Engine:
    """Create an engine; on SQLite, writers queue at BEGIN IMMEDIATE instead of failing half-way."""
    url = normalise_url(text)
    if url.get_backend_name() == "postgresql":
        return sa.create_engine(url, pool_pre_ping=True, pool_size=5, max_overflow=10)
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url, connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we emit BEGIN ourselves, below
        cursor = connection.cursor()
        # The default page cache of 2 MiB makes a working day read the same pages from the file again and again.
        for pragma in (
            "journal_mode=WAL",
            "foreign_keys=ON",
            "synchronous=NORMAL",
            "temp_store=MEMORY",
            "cache_size=-131072",
            "wal_autocheckpoint=8000",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN IMMEDIATE"))

    return engine


class Database:
    """An engine with its sessions. Created once by a composition root, passed down."""

    def __init__(self, url: str) -> None:
        self.engine = make_engine(url)
        self.sessions = sessionmaker(self.engine, expire_on_commit=False)

    @property
    def is_postgresql(self) -> bool:
        """Tell whether row locks and COPY are to be had."""
        return self.engine.dialect.name == "postgresql"

    def check(self) -> None:
        """Raise NotConfigured with one sentence when the database cannot be reached."""
        try:
            with self.engine.connect().execution_options(**READ_ONLY) as connection:
                connection.execute(sa.text("SELECT 1"))
        except OperationalError as error:
            reason = str(error.orig).strip().splitlines()[0] if error.orig else "no answer"
            raise NotConfigured(
                f"the database at {self.engine.url.render_as_string(hide_password=True)} cannot be reached "
                f"({reason}); check DATABASE_URL and that the server runs"
            ) from None

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a session for queries only: it takes no write lock and is rolled back at the end."""
        with self.engine.connect() as connection:
            connection = connection.execution_options(**READ_ONLY)
            with Session(connection, expire_on_commit=False, autoflush=False) as session:
                yield session
