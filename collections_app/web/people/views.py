"""Who has a login."""

from dataclasses import dataclass

from flask import Blueprint

from collections_app.domain.permissions import Permission
from collections_app.queries import people
from collections_app.queries.people import UserRow
from collections_app.web.access import requires
from collections_app.web.backend import reading
from collections_app.web.page import render

blueprint = Blueprint("people", __name__)


@dataclass(frozen=True)
class PeoplePage:
    """people/index.html."""

    users: tuple[UserRow, ...]


@blueprint.get("/people")
@requires(Permission.USER_MANAGE)
def index() -> tuple[str, int]:
    """Show everybody with a login; changes are made by ``collections user``."""
    with reading() as session:
        page = PeoplePage(tuple(people.list_users(session)))
    return render("people/index.html", page)
