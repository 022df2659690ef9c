"""Who logs in, and who is on the staff list."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.tables import Agent, User
from collections_app.domain.permissions import Actor, Role


@dataclass(frozen=True)
class UserRow:
    """A person with a login."""

    id: int
    username: str
    display_name: str
    role: Role
    agent_id: int | None
    agent_name: str | None
    is_active: bool

    @property
    def actor(self) -> Actor:
        """Return the person as the services know them."""
        return Actor(id=self.id, name=self.username, role=self.role, agent_id=self.agent_id)


def _select() -> Any:
    return sa.select(
        User.id, User.username, User.display_name, User.role, User.agent_id, Agent.name, User.is_active
    ).outerjoin(Agent, Agent.id == User.agent_id)


def find_active_user(session: Session, user_id: int) -> UserRow | None:
    """Return a person who may still log in."""
    row = session.execute(_select().where(User.id == user_id, User.is_active)).one_or_none()
    return UserRow(*row) if row else None


def list_users(session: Session) -> list[UserRow]:
    """Return everybody with a login, by role and name."""
    return [UserRow(*row) for row in session.execute(_select().order_by(User.role, User.display_name))]


@dataclass(frozen=True)
class AgentRow:
    """A person who collects."""

    agent_id: int
    name: str
    team: str
    skills: list[str]
    languages: list[str]
    capacity_cases: int
    is_active: bool


def list_agents(session: Session) -> list[AgentRow]:
    """Return the agents by team and name."""
    columns = (Agent.id, Agent.name, Agent.team, Agent.skills, Agent.languages, Agent.capacity_cases, Agent.is_active)
    return [AgentRow(*row) for row in session.execute(sa.select(*columns).order_by(Agent.team, Agent.name))]
