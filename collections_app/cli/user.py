"""``collections user``: who may log in."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from collections_app.cli.numbers import ROW_NUMBER
from collections_app.domain.permissions import Actor, Role
from collections_app.queries.people import list_users
from collections_app.services import users

if TYPE_CHECKING:
    from collections_app.wiring import App

# Whoever may run this command on the machine may reach the database as well.
OPERATOR = Actor(id=None, name="command line", role=Role.ADMIN)
_ROLES = click.Choice([role.value for role in Role if role is not Role.SYSTEM])


@click.group("user")
def group() -> None:
    """Create logins and renew passwords."""


@group.command("create")
@click.argument("username")
@click.option("--name", "display_name", required=True, help="the name that colleagues see")
@click.option("--role", type=_ROLES, required=True)
@click.option("--agent", "agent_id", type=ROW_NUMBER, help="the agent whose cases this login works (role agent)")
@click.password_option(help="asked for when not given")
@click.pass_obj
def create(app: "App", username: str, display_name: str, role: str, agent_id: int | None, password: str) -> None:
    """Create a login."""
    with app.units.begin(OPERATOR) as uow:
        user = users.create_user(
            uow,
            username=username,
            display_name=display_name,
            password=password,
            role=Role(role),
            agent_id=agent_id,
        )
        created = user.username
    click.echo(f"{created} can log in")


@group.command("password")
@click.argument("username")
@click.password_option(help="asked for when not given")
@click.pass_obj
def password(app: "App", username: str, password: str) -> None:
    """Give a person a new password."""
    with app.units.begin(OPERATOR) as uow:
        users.set_password(uow, username=username, password=password)
    click.echo("the new password holds from now on")


@group.command("close")
@click.argument("username")
@click.pass_obj
def close(app: "App", username: str) -> None:
    """Close a login; a session that is open ends with its next page."""
    with app.units.begin(OPERATOR) as uow:
        users.close_user(uow, username=username)
    click.echo(f"{username} can no longer log in")


@group.command("list")
@click.option("--json", "as_json", is_flag=True, help="print JSON")
@click.pass_obj
def list_(app: "App", as_json: bool) -> None:
    """List everybody with a login."""
    with app.database.reading() as session:
        found = list_users(session)
    if as_json:
        click.echo(json.dumps([asdict(user) for user in found]))
        return
    for user in found:
        closed = "" if user.is_active else "  (closed)"
        click.echo(f"{user.username:20} {user.role.value:12} {user.display_name}{closed}")
