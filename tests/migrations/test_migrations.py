"""One head, both directions, and no difference between the migrations and the tables."""

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from collections_app.db.base import Base
from collections_app.db.migrate import SCRIPTS, current, downgrade, head, upgrade
from collections_app.db.session import Database
from collections_app.db.types import EnumText, UtcDateTime


def test_there_is_one_head_and_it_is_the_committed_one() -> None:
    assert len(ScriptDirectory(str(SCRIPTS)).get_heads()) == 1
    assert (SCRIPTS / ".current-head").read_text().strip() == head()


def test_going_down_to_nothing_and_up_again_works(database: Database) -> None:
    downgrade(database, "base")
    with database.engine.connect() as connection:
        left = set(sa.inspect(connection).get_table_names())
    assert left <= {"alembic_version"}
    upgrade(database)
    assert current(database) == head()


def _same_type(_context: object, _column: object, _meta: object, inspected: object, metadata: object) -> bool | None:
    if isinstance(metadata, UtcDateTime):
        return not isinstance(inspected, sa.DateTime)
    if isinstance(metadata, EnumText):
        return not isinstance(inspected, sa.String)
    return None


def test_the_migrations_build_exactly_the_tables(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": _same_type})
        assert compare_metadata(context, Base.metadata) == []
