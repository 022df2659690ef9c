"""Promises that are open."""

from dataclasses import dataclass

from flask import Blueprint

from collections_app.domain.permissions import Permission
from collections_app.queries import dashboards
from collections_app.queries.dashboards import DuePromise
from collections_app.web.access import actor, requires
from collections_app.web.backend import reading
from collections_app.web.page import business_date, render

blueprint = Blueprint("promises", __name__)


@dataclass(frozen=True)
class PromisesPage:
    """promises/index.html."""

    promises: tuple[DuePromise, ...]


@blueprint.get("/promises")
@requires(Permission.CASE_READ)
def index() -> tuple[str, int]:
    """Show open promises, the earliest due first."""
    with reading() as session:
        page = PromisesPage(dashboards.list_promises(session, actor(), today=business_date()))
    return render("promises/index.html", page)
