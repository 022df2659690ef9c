"""Is it alive? For load balancers: no login, no secret."""

import sqlalchemy as sa
from flask import Blueprint, jsonify
from flask.wrappers import Response
from sqlalchemy.exc import SQLAlchemyError

from collections_app.db import migrate
from collections_app.web.access import public
from collections_app.web.backend import database

blueprint = Blueprint("health", __name__)


@blueprint.get("/health")
@public
def show() -> tuple[Response, int]:
    """Answer 200 when the database answers and is migrated, else 503 with what is wrong."""
    head = migrate.head()
    try:
        with database().reading() as session:
            session.execute(sa.text("SELECT 1"))
        stands_at = migrate.current(database())
    except SQLAlchemyError:
        return jsonify(status="unavailable", database="unreachable", migration=None, head=head), 503
    if stands_at != head:
        return jsonify(status="unavailable", database="ok", migration=stands_at, head=head), 503
    return jsonify(status="ok", database="ok", migration=stands_at, head=head), 200
