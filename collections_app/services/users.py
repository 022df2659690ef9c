"""People who log in: made, recognised, given a new password."""

from functools import lru_cache

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from collections_app.db.tables import Agent, User
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.errors import Conflict, InvalidInput, NotFound
from collections_app.domain.permissions import Actor, Permission, Role

SHORTEST_PASSWORD = 10
_hasher = PasswordHasher()


def create_user(
    uow: UnitOfWork,
    *,
    username: str,
    display_name: str,
    password: str,
    role: Role,
    agent_id: int | None = None,
) -> User:
    """Create a login; an agent's login names the agent whose cases it opens."""
    uow.actor.require(Permission.USER_MANAGE)
    username = username.strip().lower()
    if not username or len(username) > 64 or not display_name.strip():
        raise InvalidInput("a login needs a username (64 characters at most) and a name to display")
    if role is Role.SYSTEM:
        raise InvalidInput("the system itself does not log in; choose another role")
    if (role is Role.AGENT) != (agent_id is not None):
        raise InvalidInput("an agent's login names its agent, and no other may; collections agent list shows numbers")
    if agent_id is not None and uow.session.get(Agent, agent_id) is None:
        raise NotFound("there is no such agent")
    if uow.session.scalar(sa.select(sa.exists().where(User.username == username))):
        raise Conflict(f"the username {username} is taken")
    user = User(
        username=username,
        display_name=display_name.strip(),
        password_hash=_hash(password),
        role=role,
        agent_id=agent_id,
    )
    uow.session.add(user)
    uow.session.flush()  # the caller needs the id
    return user


def set_password(uow: UnitOfWork, *, username: str, password: str) -> None:
    """Give a person a new password."""
    _managed(uow, username).password_hash = _hash(password)


def close_user(uow: UnitOfWork, *, username: str) -> None:
    """Close a login. The row stays: history names it."""
    _managed(uow, username).is_active = False


def _managed(uow: UnitOfWork, username: str) -> User:
    uow.actor.require(Permission.USER_MANAGE)
    user = uow.session.scalar(sa.select(User).where(User.username == username.strip().lower()))
    if user is None:
        raise NotFound("there is no such login")
    return user


def authenticate(uow: UnitOfWork, username: str, password: str) -> Actor | None:
    """Return who this is, or None. An unknown name costs the same time as a wrong password."""
    known = sa.select(User).where(User.username == username.strip().lower(), User.is_active)
    user = uow.session.scalar(known)
    try:
        _hasher.verify(user.password_hash if user else _nobody(), password)
    except (VerifyMismatchError, InvalidHashError):
        return None
    if user is None:
        return None
    if _hasher.check_needs_rehash(user.password_hash):
        user.password_hash = _hasher.hash(password)
    return Actor(id=user.id, name=user.username, role=user.role, agent_id=user.agent_id)


def _hash(password: str) -> str:
    if len(password) < SHORTEST_PASSWORD:
        raise InvalidInput(f"a password needs {SHORTEST_PASSWORD} characters or more")
    return _hasher.hash(password)


@lru_cache(maxsize=1)
def _nobody() -> str:
    return _hasher.hash("nobody has this password")
