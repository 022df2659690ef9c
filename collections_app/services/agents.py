"""The people who collect: taken on with skills, languages and a capacity."""

import sqlalchemy as sa

from collections_app.db.tables import Agent
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.errors import Conflict, InvalidInput
from collections_app.domain.permissions import Permission


def hire(
    uow: UnitOfWork, *, name: str, team: str, skills: list[str], languages: list[str], capacity_cases: int
) -> Agent:
    """Take an agent on; assignment gives them work that their skills and languages fit."""
    uow.actor.require(Permission.USER_MANAGE)
    name = name.strip()
    if not name or not skills or not languages:
        raise InvalidInput("an agent needs a name, a skill and a language")
    if capacity_cases < 1:
        raise InvalidInput("an agent's capacity is one case or more")
    if uow.session.scalar(sa.select(sa.exists().where(Agent.name == name))):
        raise Conflict(f"there is an agent {name} already")
    agent = Agent(name=name, team=team, skills=skills, languages=languages, capacity_cases=capacity_cases)
    uow.session.add(agent)
    uow.session.flush()  # the caller needs the id
    return agent
