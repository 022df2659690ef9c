"""Agents are taken on and given a login from the command line."""

from click.testing import CliRunner

from collections_app.cli import cli
from collections_app.cli.agent import group as agent
from collections_app.cli.user import group as user
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.permissions import Role
from collections_app.queries.people import list_users


class App:
    """What these commands use of the application."""

    def __init__(self, units: UnitsOfWork) -> None:
        self.units, self.database = units, units.database


def test_an_agent_is_taken_on_and_given_a_login(units: UnitsOfWork) -> None:
    app, run = App(units), CliRunner().invoke
    added = run(agent, ["add", "Ana Field", "--team", "early", "--skill", "early", "--language", "en-US"], obj=app)
    assert added.exit_code == 0
    number = added.output.split()[1].rstrip(":")
    assert f"{number}  Ana Field, early: early; en-US; 60 cases" in run(agent, ["list"], obj=app).output
    asked = ["create", "ana", "--name", "Ana", "--role", "agent", "--agent", number, "--password", "long-enough-1"]
    assert run(user, asked, obj=app).output == "ana can log in\n"
    with units.database.reading() as session:
        (row,) = list_users(session)
    assert (row.role, row.agent_name) == (Role.AGENT, "Ana Field")


def test_an_agents_login_without_an_agent_says_where_to_find_one(units: UnitsOfWork) -> None:
    asked = ["create", "ana", "--name", "Ana", "--role", "agent", "--password", "long-enough-1"]
    refused = CliRunner().invoke(user, asked, obj=App(units))
    assert "collections agent list" in str(refused.exception)


def test_the_command_is_among_the_others() -> None:
    assert "agent" in CliRunner().invoke(cli, ["--help"]).output
