"""``collections signals``: what outside vendors say of customers, and what it costs."""

import json
from dataclasses import asdict
from datetime import date, datetime
from typing import TYPE_CHECKING

import click

from collections_app.queries.signals import (
    AnswerView,
    get_customer_id,
    list_bureaus,
    list_costs,
    outside_signals,
)

if TYPE_CHECKING:
    from collections_app.wiring import App

_AS_OF = click.option("--as-of", required=True, type=click.DateTime(formats=["%Y-%m-%d"]), help="YYYY-MM-DD")
_JSON = click.option("--json", "as_json", is_flag=True, help="print the result as JSON")


@click.group("signals")
def group() -> None:
    """Outside signals: multi-lending answers, special lists, their cost."""


@group.command("compute")
@_AS_OF
@click.option("--provider", "providers", multiple=True, help="only this bureau's enquiries (may be repeated)")
@_JSON
@click.pass_obj
def compute(app: "App", as_of: datetime, providers: tuple[str, ...], as_json: bool) -> None:
    """Turn raw enquiries into answers of our own, as known on the day. Twice a day changes nothing."""
    from collections_app.services.signals import compute as compute_answers  # brings polars

    day, results = as_of.date(), {}
    with app.database.reading() as session:
        bureaus = providers or list_bureaus(session, as_of=day)
    for bureau in bureaus:
        with app.units.begin() as uow:
            results[bureau] = compute_answers(uow, as_of=day, provider=bureau)
    if as_json:
        click.echo(json.dumps(results))
        return
    for bureau, counts in results.items():
        click.echo(f"{bureau}: " + ", ".join(f"{n.replace('_', ' ')} {v:,}" for n, v in counts.items()))
    if not results:
        click.echo("no bureau was asked for enquiries by this day")


@group.command("show")
@click.argument("customer_ref")
@_AS_OF
@click.option("--source", help="the source system, when two use the same reference")
@_JSON
@click.pass_obj
def show(app: "App", customer_ref: str, as_of: datetime, source: str | None, as_json: bool) -> None:
    """Show what was known of CUSTOMER_REF on the day: answers, windows, lists."""
    day = as_of.date()
    with app.database.reading() as session:
        known = outside_signals(session, get_customer_id(session, customer_ref, source=source), as_of=day)
    if as_json:
        click.echo(json.dumps({"status": known.status, "words": known.words, **asdict(known)}, default=str))
        return
    asked = f", last asked {known.last_asked_on}" if known.last_asked_on else ""
    click.echo(f"{customer_ref} on {day}: {known.words}{asked}")
    for answer in known.answers:
        _print_answer(answer)
    for hit in known.hits:
        proof = "confirmed" if hit.is_confirmed else "not confirmed"
        click.echo(f"  list {hit.list_code}: {hit.words}, severity {hit.severity}, {hit.event_on}, {proof}")


def _print_answer(answer: AnswerView) -> None:
    until = f", expires {answer.expires_on}" if answer.expires_on else ""
    click.echo(
        f"  {answer.provider} {answer.product} by {answer.key_type}: {answer.words} "
        f"(of {answer.snapshot_on}, received {answer.received_on}{until})"
    )
    if answer.note:
        click.echo(f"    not believed: {answer.note}")
    if not answer.windows:
        return
    click.echo(f"    {'window':8}{'applications':>14}{'institutions':>14}{'non-banks':>12}")
    for row in answer.windows:
        click.echo(f"    {row.window:8}{_figure(row.apps):>14}{_figure(row.orgs):>14}{_figure(row.nbank_orgs):>12}")
    click.echo(f"    pace: {answer.accel_words}")


def _figure(value: int | None) -> str:
    return "not told" if value is None else f"{value:,}"


@group.command("cost")
@_AS_OF
@_JSON
@click.pass_obj
def cost(app: "App", as_of: datetime, as_json: bool) -> None:
    """Show what vendors were paid by month, provider and product, and for each hit."""
    with app.database.reading() as session:
        rows = list_costs(session, as_of=as_of.date())
    if as_json:
        click.echo(json.dumps([asdict(r) for r in rows], default=str))
        return
    if not rows:
        click.echo("no vendor was asked by this day")
        return
    click.echo(f"{'month':9}{'provider':20}{'product':18}{'queries':>10}{'hits':>10}{'spent':>18}{'per hit':>14}")
    for r in rows:
        month: date = r.month
        click.echo(
            f"{month:%Y-%m}  {r.provider:20}{r.product:18}{r.queries:>10,}{r.hits:>10,}"
            f"{r.spent or 'not told'!s:>18}{r.per_hit or '-'!s:>14}"
        )
