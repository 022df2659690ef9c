"""The command line: parse, call one function, print. Errors are one sentence on stderr and a status that is not 0."""

import sys
from typing import Any

import click

from collections_app.domain.errors import DomainError


class Commands(click.Group):
    """A group whose commands live in modules that are imported when first used: ``--help`` stays quick."""

    modules = {  # noqa: RUF012 - a constant
        "agent": "group", "campaign": "group", "day": "group", "db": "group", "demo": "command",
        "feedback": "group", "gate": "group", "intake": "group", "ledger": "group", "model": "group",
        "offer": "group",
        "report": "group", "scheduler": "command", "signals": "group", "strategy": "group", "user": "group",
        "voice": "group",
    }  # fmt: skip

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return every command's name."""
        return sorted(self.modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command and return it."""
        if cmd_name not in self.modules:
            return None
        module = __import__(f"collections_app.cli.{cmd_name}", fromlist=["x"])
        found: click.Command = getattr(module, self.modules[cmd_name])
        return found

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; a refusal becomes one sentence and status 1."""
        try:
            return super().invoke(ctx)
        except DomainError as error:
            click.echo(f"error: {error.message}", err=True)
            ctx.exit(1)


@click.group(cls=Commands)
@click.version_option(package_name="collections-platform", prog_name="collections")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Collections and post-loan operations."""
    if ctx.obj is None:
        from collections_app.wiring import App  # heavy: only when a command runs

        ctx.obj = App()


def main() -> None:
    """Run the command line."""
    cli(prog_name="collections")
    sys.exit(0)
