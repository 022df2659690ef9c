"""``collections demo``: a town in a box, through the real platform, and its figures."""

import contextlib
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from collections_app.db import migrate
from collections_app.domain.errors import Conflict, NotAllowed
from collections_app.queries import road

if TYPE_CHECKING:
    from collections_app.town.demo import Result, Telling
    from collections_app.wiring import App

REAL_FILE = Path(__file__).resolve().parents[3] / "shared/data/uci_taiwan_default/UCI_Credit_Card.csv"
ADDRESS = "http://127.0.0.1:8000"


@click.command("demo")
@click.option("--seed", default=7, show_default=True, help="the same seed builds the same town")
@click.option("--size", default=2000, show_default=True, help="overdue customers at any time")
@click.option("--days", default=90, show_default=True, help="business days to replay")
@click.option("--agents", default=20, show_default=True)
@click.option("--recordings", default=30, show_default=True, help="spoken calls, half with a breach")
@click.option("--end-date", default="2026-11-20", show_default=True, type=click.DateTime(["%Y-%m-%d"]))
@click.option("--real-file", default=REAL_FILE, type=click.Path(path_type=Path),
              help="the UCI credit card file; used when it is there")  # fmt: skip
@click.option("--force", is_flag=True, help="drop an earlier demonstration of this database first")
@click.option("--serve", is_flag=True, help="serve the site at the end, by the demonstration's clock")
@click.pass_obj
def command(
    app: "App",
    seed: int,
    size: int,
    days: int,
    agents: int,
    recordings: int,
    end_date: datetime,
    real_file: Path,
    force: bool,
    serve: bool,
) -> None:
    """Build a town of overdue customers and replay its days through the platform."""
    from collections_app.town.demo import Demo, Plan  # heavy: models, speech

    if app.settings.environment == "production":
        raise NotAllowed("the demonstration invents people; it does not run in production")
    prepare(app, force=force)
    console = Console(highlight=False)
    plan = Plan(
        seed=seed,
        size=size,
        days=days,
        agents=agents,
        recordings=recordings,
        end=end_date.date(),
        real_file=real_file,
    )
    columns = (TextColumn("{task.description:40}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        result = Demo(app, plan, Bars(bar).telling()).run()
    tell(console, result)
    if serve:
        app.database.engine.dispose()
        _serve(result.now)


def _serve(start: datetime) -> None:
    """Serve the site until interrupted. A process of its own: this one is full of models and their threads."""
    click.echo(f"\nThe site is at {ADDRESS} (stop it with Ctrl-C)")
    root = Path(__file__).resolve().parents[2]
    server = [sys.executable, "-m", "gunicorn", "--worker-class", "gthread", "--threads", "8",
              "--bind", ADDRESS.removeprefix("http://"), "--log-level", "warning", "--pythonpath", str(root),
              "--env", f"DEMO_CLOCK={start.isoformat()}", "wsgi:app"]  # fmt: skip
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(subprocess.run(server, check=False).returncode)  # noqa: S603 - our own command line


def prepare(app: "App", *, force: bool) -> None:
    """Make sure that the database is empty; with ``force``, empty it if a demonstration filled it."""
    with app.database.reading() as session:
        empty, demo = road.is_empty(session), road.is_demo(session)
    if empty:
        return
    if not demo:
        raise Conflict("this database holds other data; name an empty one in DATABASE_URL or VAR_DIR")
    if not force:
        raise Conflict("this database holds a demonstration; `collections demo --force` builds it anew")
    migrate.downgrade(app.database, "base")
    migrate.upgrade(app.database)
    for folder in ("town", "blobs", "models"):
        shutil.rmtree(app.settings.var_dir / folder, ignore_errors=True)


@dataclass
class Bars:
    """One progress bar per part."""

    bar: Progress
    task: TaskID | None = None

    def telling(self) -> "Telling":
        """Return what the demonstration calls while it works."""
        from collections_app.town.demo import Telling

        return Telling(part=self.part, step=self.step)

    def part(self, name: str, total: int) -> None:
        """End the last bar, begin the next."""
        self._finish()
        self.task = self.bar.add_task(name, total=total or None)

    def step(self, done: int) -> None:
        """Move the bar."""
        if self.task is not None:
            self.bar.update(self.task, completed=done)

    def _finish(self) -> None:
        if self.task is not None:
            total = self.bar.tasks[self.task].total or 1
            self.bar.update(self.task, total=total, completed=total)


def tell(console: Console, result: "Result") -> None:
    """Print the figures of the road, the seconds, the logins and the address."""
    figures = Table("figure", "value", title="The road", title_justify="left")
    for name, value in _road(result):
        figures.add_row(name, value)
    console.print(figures)
    seconds = Table("part", "seconds", title="Time", title_justify="left")
    for name, spent in (*result.seconds.items(), *((f"  {k}", v) for k, v in result.replay_seconds.items())):
        seconds.add_row(name, f"{spent:.1f}")
    seconds.add_row("all", f"{sum(result.seconds.values()):.1f}")
    console.print(seconds)
    for note in result.notes:
        console.print(f"- {note}", soft_wrap=True)
    from collections_app.town.demo import PASSWORD

    console.print(f"\nLogins (password {PASSWORD}): agent, supervisor, scheduler, strategist")
    console.print(f"Serve it with: DEMO_CLOCK={result.now.isoformat()} make web, then open {ADDRESS}", soft_wrap=True)


def _road(result: "Result") -> list[tuple[str, str]]:
    f, heard = result.figures, result.heard
    model = "none"
    if f.champion is not None:
        model = f"{f.champion.version} from {f.champion.source}, AUC {f.champion.auc:.3f}, KS {f.champion.ks:.3f}"
    attempts = [
        (f"attempts by {kind}", ", ".join(f"{status} {n:,}" for status, n in by_status.items()))
        for kind, by_status in f.attempts.items()
    ]
    return [
        ("feed rows imported", f"{f.rows:,} in {f.files:,} files, {f.quarantined:,} quarantined"),
        ("accounts", f"{f.accounts:,}"),
        ("episodes", f"{f.episodes:,}, {f.episodes_open:,} open"),
        ("cases", f"{f.cases:,}, {f.cases_open:,} open"),
        ("scores", f"{f.scores:,}"),
        ("model at work", model),
        ("queues", _counts(f.queues)),
        ("open assignments", f"{f.assignments_open:,}"),
        *attempts,
        ("campaigns", _counts(f.campaigns)),
        ("messages from customers", f"{f.inbound_messages:,}, opt-outs {f.opt_outs:,}"),
        ("promises", f"{_counts(f.promises)}; kept {_percent(f.kept_rate)} of those judged"),
        ("recordings", f"{_counts(f.recordings)}; flagged {f.recordings_flagged:,}"),
        ("checks against planted truth", f"precision {_percent(heard.precision)}, "
                                         f"recall {_percent(heard.recall)} on {heard.recordings} calls"),
        ("reviews", _counts(f.reviews)),
        ("labels matured", f"{f.labels:,}, {f.labels_bad:,} bad"),
        ("B-card feed", f"{result.feedback_rows:,} rows in {result.feedback_file}"),
    ]  # fmt: skip


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in counts.items()) or "none"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"
