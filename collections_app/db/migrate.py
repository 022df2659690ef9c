"""Alembic from Python: bring a database to the head, or tell where it stands."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from collections_app.db.session import Database

SCRIPTS = Path(__file__).resolve().parents[2] / "migrations"


def _config(connection: sa.Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["connection"] = connection
    return config


def _run(database: Database, action: Any, *args: Any, **kwargs: Any) -> None:
    with database.engine.connect() as connection:
        sqlite = connection.dialect.name == "sqlite"
        driver: Any = connection.connection.dbapi_connection
        if sqlite:
            # SQLite alters a table by building it anew; with keys enforced, dropping the old one empties its children.
            driver.execute("PRAGMA foreign_keys=OFF")
        with connection.begin():
            action(_config(connection), *args, **kwargs)
            if sqlite and (broken := connection.exec_driver_sql("PRAGMA foreign_key_check").first()):
                raise RuntimeError(f"the migration would leave a broken reference in {broken[0]}")
        if sqlite:
            driver.execute("PRAGMA foreign_keys=ON")


def upgrade(database: Database, revision: str = "head") -> None:
    """Apply migrations up to ``revision``."""
    _run(database, command.upgrade, revision)


def downgrade(database: Database, revision: str) -> None:
    """Undo migrations down to ``revision`` ("base" = an empty database)."""
    _run(database, command.downgrade, revision)


def make_revision(database: Database, message: str, rev_id: str) -> None:
    """Write a new migration from the difference between the tables and the database."""
    _run(database, command.revision, message=message, rev_id=rev_id, autogenerate=True)


def current(database: Database) -> str | None:
    """Return the revision that the database stands at."""
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head() -> str | None:
    """Return the newest revision of the code."""
    return ScriptDirectory.from_config(_config()).get_current_head()
