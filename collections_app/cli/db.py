"""``collections db``: the database's schema."""

from typing import TYPE_CHECKING

import click

from collections_app.db import migrate
from collections_app.db.session import Database

if TYPE_CHECKING:
    from collections_app.wiring import App


@click.group("db")
def group() -> None:
    """Migrate the database."""


def _database(app: "App") -> Database:
    # Not app.database: that one refuses an outdated schema, which is what these commands mend.
    database = Database(app.settings.database_url)
    database.check()
    return database


@group.command("upgrade")
@click.argument("revision", default="head")
@click.pass_obj
def upgrade(app: "App", revision: str) -> None:
    """Apply migrations up to REVISION."""
    database = _database(app)
    migrate.upgrade(database, revision)
    click.echo(f"the database stands at {migrate.current(database)}")


@group.command("downgrade")
@click.argument("revision")
@click.pass_obj
def downgrade(app: "App", revision: str) -> None:
    """Undo migrations down to REVISION ("base" empties the database: all data is lost)."""
    click.confirm(f"Undo migrations down to {revision}? Data in the dropped tables is lost.", abort=True)
    database = _database(app)
    migrate.downgrade(database, revision)
    click.echo(f"the database stands at {migrate.current(database) or 'base'}")


@group.command("current")
@click.pass_obj
def current(app: "App") -> None:
    """Print where the database and the code stand."""
    click.echo(f"database {migrate.current(_database(app)) or 'empty'}, code {migrate.head()}")


@group.command("revision")
@click.argument("revision")
@click.argument("message")
@click.pass_obj
def revision_(app: "App", revision: str, message: str) -> None:
    """Write migration REVISION (like 0002) from the difference between the tables and the database."""
    migrate.make_revision(_database(app), message, revision)
    (migrate.SCRIPTS / ".current-head").write_text(f"{revision}\n")
