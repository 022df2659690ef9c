"""Alembic environment: the connection comes from collections_app.db.migrate, never from an ini file."""

from typing import Any

import sqlalchemy as sa
from alembic import context

from collections_app.db import tables as _tables  # noqa: F401 - registers every table
from collections_app.db.base import Base
from collections_app.db.types import EnumText, RateNano, UtcDateTime

# Two processes migrating at once would collide; PostgreSQL lets the second one wait here.
ADVISORY_LOCK = 7_203_114


def render_item(kind: str, item: Any, autogen_context: Any) -> str | bool:
    """Write our types as plain SQLAlchemy types, so that old migrations never import today's code."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, EnumText):
        return "sa.String(length=32)"
    if kind == "type" and isinstance(item, RateNano):
        return "sa.BigInteger()"
    if kind == "type" and isinstance(item, sa.JSON):
        return 'sa.JSON().with_variant(postgresql.JSONB(), "postgresql")'
    return False


def compare_type(_context: Any, _column: Any, _meta: Any, inspected: Any, metadata: Any) -> bool | None:
    """Ours are decorators over plain types: compare what lies underneath."""
    if isinstance(metadata, UtcDateTime):
        return not isinstance(inspected, sa.DateTime)
    if isinstance(metadata, EnumText):
        return not isinstance(inspected, sa.String)
    if isinstance(metadata, RateNano):
        return not isinstance(inspected, sa.Integer)
    return None


connection: sa.Connection = context.config.attributes["connection"]
if connection.dialect.name == "postgresql":
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_item=render_item,
    compare_type=compare_type,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
