"""Ask for a report as the tests do."""

from typing import Any

from collections_app.db.session import Database
from collections_app.queries.reports.registry import run
from collections_app.queries.reports.report import Scope


def rows_of(database: Database, name: str, **scope: Any) -> list[dict[str, Any]]:
    """Run a report and return its rows by column name."""
    with database.reading() as session:
        return list(run(session, name, Scope(**scope)).records())
