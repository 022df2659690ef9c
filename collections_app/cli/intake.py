"""``collections intake``: lenders' files in."""

import json
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from collections_app.cli.intake_suggest import suggest
from collections_app.cli.numbers import ROW_NUMBER
from collections_app.intake.mapping import SHIPPED, load_mapping
from collections_app.queries.feeds import get_batch, list_batches, list_quarantined
from collections_app.services import casework, ledger, resubmission
from collections_app.services.intake import REJECT_LIMIT, import_file, reconcile

if TYPE_CHECKING:
    from collections_app.db.unit_of_work import UnitOfWork
    from collections_app.wiring import App

_DAY = click.DateTime(formats=["%Y-%m-%d"])


@click.group("intake")
def group() -> None:
    """Import lenders' files."""


group.add_command(suggest)


@group.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--mapping", "mapping_name", required=True, help="a shipped mapping's name, or a YAML file")
@click.option("--business-date", required=True, type=_DAY, help="the day that the file speaks for (YYYY-MM-DD)")
@click.option("--max-rejects", default=REJECT_LIMIT, show_default=True, type=click.FloatRange(0, 1),
              help="share of refused rows above which the whole file is refused")  # fmt: skip
@click.option("--no-refresh", is_flag=True,
              help="more files of the day follow: leave days past due and cases to the last one")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
@click.pass_obj
def import_(
    app: "App",
    file: Path,
    mapping_name: str,
    business_date: datetime,
    max_rejects: float,
    no_refresh: bool,
    as_json: bool,
) -> None:
    """Import FILE (CSV, CSV.gz, Parquet, or a manifest, .json): all of it or, with a reason, nothing."""
    mapping = load_mapping(mapping_name)
    day = app.begun(business_date.date())
    with app.units.begin() as uow:
        result = import_file(uow, path=file, mapping=mapping, business_date=day, reject_limit=max_rejects)
        told = result.as_dict() | ({} if no_refresh else _bring_up(uow, day))
    if as_json:
        click.echo(json.dumps(told))
        return
    for name, value in told.items():
        click.echo(f"{name.replace('_', ' '):20}{value:>12,}")


def _bring_up(uow: "UnitOfWork", day: date) -> dict[str, int]:
    """Derive what the files of a day changed, open and close cases; return how days past due compare."""
    ledger.refresh(uow, business_date=day)
    compared = reconcile(uow, business_date=day)
    casework.refresh(uow, business_date=day)
    return {f"dpd_{name}": count for name, count in compared.items()}


@group.command("mappings")
def mappings() -> None:
    """List the mappings that ship with the platform."""
    for path in sorted(SHIPPED.glob("*.yaml")):
        mapping = load_mapping(path.stem)
        click.echo(f"{mapping.name:24} version {mapping.version}, source {mapping.source}")


@group.command("batches")
@click.option("--source", help="only this source system")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def batches(app: "App", source: str | None, limit: int, as_json: bool) -> None:
    """Show the newest imported files with their counts."""
    with app.database.reading() as session:
        rows = list_batches(session, source=source, limit=limit)
    if as_json:
        click.echo(json.dumps([r.as_dict() for r in rows], default=str))
        return
    for row in rows:
        click.echo(
            f"batch {row.batch_id}: {row.business_date} {row.source} {row.file_name} ({row.entity}, {row.mode}): "
            f"{row.rows:,} rows, {row.accepted:,} accepted, {row.quarantined:,} refused, {row.unchanged:,} unchanged, "
            f"{row.absent:,} absent; days past due differ for {row.dpd_mismatches:,} of {row.dpd_compared:,}"
        )


@group.command("rejects")
@click.option("--source", help="only this source system")
@click.option("--batch", "batch_id", type=ROW_NUMBER, help="only this batch")
@click.option("--from", "original", type=click.Path(path_type=Path),
              help="the file of the batch: write its refused rows for correction")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), help="where to write them")
@click.option("--mapping", "mapping_name", help="how the file is written, if not as the mapping of its import says")
@click.option("--all", "resolved", is_flag=True, help="also rows that were corrected since")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def rejects(
    app: "App",
    source: str | None,
    batch_id: int | None,
    original: Path | None,
    out: Path | None,
    mapping_name: str | None,
    resolved: bool,
    limit: int,
    as_json: bool,
) -> None:
    """Show quarantined rows that wait, or write them to a file for correction (--batch, --from and --out)."""
    if original or out:
        if not (original and out and batch_id is not None):
            raise click.UsageError("to write refused rows, give --batch, --from and --out together")
        with app.database.reading() as session:
            mapping = load_mapping(mapping_name or get_batch(session, batch_id).mapping)
            count = resubmission.export(session, batch_id=batch_id, original=original, out=out, mapping=mapping)
        click.echo(f"{count} rows written to {out}; correct them and hand them in: collections intake resubmit")
        return
    with app.database.reading() as session:
        if batch_id is not None:
            get_batch(session, batch_id)
        rows = list_quarantined(session, source=source, batch_id=batch_id, resolved=resolved, limit=limit)
    if as_json:
        click.echo(json.dumps([r.as_dict() for r in rows], default=str))
    elif not rows:
        click.echo("nothing is quarantined")
    for row in rows if not as_json else ():
        since = f" (corrected by batch {row.resolved_by_id})" if row.resolved_by_id else ""
        click.echo(
            f"batch {row.batch_id}, {row.business_date} {row.file_name} line {row.line}, "
            f"column {row.column!r}: {row.reason}{since}"
        )


@group.command("resubmit")
@click.argument("batch_id", metavar="BATCH", type=ROW_NUMBER)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--mapping", "mapping_name", required=True, help="a shipped mapping's name, or a YAML file")
@click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
@click.pass_obj
def resubmit(app: "App", batch_id: int, file: Path, mapping_name: str, as_json: bool) -> None:
    """Import corrected rows of BATCH from FILE; column x_line says which refused line a row corrects."""
    mapping = load_mapping(mapping_name)
    with app.units.begin() as uow:
        result = resubmission.resubmit(uow, batch_id=batch_id, path=file, mapping=mapping)
        _bring_up(uow, get_batch(uow.session, batch_id).business_date)
    if as_json:
        click.echo(json.dumps(result.as_dict()))
        return
    click.echo(f"{result.accepted:,} of {result.rows:,} rows accepted; {result.quarantined:,} wait on")
