"""``collections agent``: the people who collect."""

from typing import TYPE_CHECKING

import click

from collections_app.cli.user import OPERATOR
from collections_app.queries.people import list_agents
from collections_app.services import agents

if TYPE_CHECKING:
    from collections_app.wiring import App


@click.group("agent")
def group() -> None:
    """Take on the people who work cases; `collections user create --agent` gives one a login."""


@group.command("add")
@click.argument("name")
@click.option("--team", required=True)
@click.option("--skill", "skills", multiple=True, required=True, help="what assignment may give, e.g. early, late")
@click.option("--language", "languages", multiple=True, required=True, help="e.g. en-US, zh-CN")
@click.option("--capacity", default=60, show_default=True, type=click.IntRange(1), help="cases at a time")
@click.pass_obj
def add(app: "App", name: str, team: str, skills: tuple[str, ...], languages: tuple[str, ...], capacity: int) -> None:
    """Take NAME on."""
    with app.units.begin(OPERATOR) as uow:
        agent = agents.hire(
            uow, name=name, team=team, skills=list(skills), languages=list(languages), capacity_cases=capacity
        )
        number = agent.id
    click.echo(f"agent {number}: {name}")


@group.command("list")
@click.pass_obj
def list_(app: "App") -> None:
    """List the agents with their numbers."""
    with app.database.reading() as session:
        found = list_agents(session)
    for agent in found:
        click.echo(
            f"{agent.agent_id:>4}  {agent.name}, {agent.team}: {', '.join(agent.skills)}; "
            f"{', '.join(agent.languages)}; {agent.capacity_cases} cases{'' if agent.is_active else ' (left)'}"
        )
