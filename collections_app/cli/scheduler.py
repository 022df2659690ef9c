"""``collections scheduler``: the one process that runs jobs by the clock."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections_app.wiring import App


@click.command("scheduler")
@click.option("--list", "only_list", is_flag=True, help="print the schedule and stop")
@click.pass_obj
def command(app: "App", only_list: bool) -> None:
    """Run the jobs of the schedule until interrupted."""
    from collections_app import scheduler
    from collections_app.jobs.schedule import SCHEDULE

    if only_list:
        for spec in SCHEDULE:
            when = ", ".join(f"every {v} {k}" for k, v in spec.every.items()) or f"daily at {app.settings.day_start}"
            click.echo(f"{spec.name:12}{when:22}{spec.why}")
        return
    click.echo("the scheduler runs; stop it with Ctrl-C", err=True)
    scheduler.main(app)
