"""People at the site without the cost of a password: for tests that are not about logging in."""

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.permissions import Role
from tests.factories import make_agent
from tests.web.scene_rows import add

ROLES = {
    "mara": Role.AGENT, "sofia": Role.SUPERVISOR, "tom": Role.SCHEDULER, "ines": Role.STRATEGIST, "adam": Role.ADMIN,
}  # fmt: skip


def add_people(units: UnitsOfWork) -> int:
    """Add one person of each role; return the number of mara's agent. None of them has a password."""
    with units.begin() as uow:
        agent: int = make_agent(uow.session, name="Mara Lindt").id
        for username, role in ROLES.items():
            add(uow.session, t.User(username=username, display_name=username.title(), password_hash="none", role=role,
                                    is_active=True, agent_id=agent if role is Role.AGENT else None))  # fmt: skip
    return agent


def enter(app: Flask, units: UnitsOfWork, username: str) -> FlaskClient:
    """Return the client of somebody who has logged in."""
    with units.database.reading() as session:
        user = session.scalars(sa.select(t.User.id).where(t.User.username == username)).one()
    client = app.test_client()
    with client.session_transaction() as kept:
        kept["_user_id"], kept["_fresh"] = str(user), True
    return client
