"""``collections ledger``: bring the ledger to a day, and lay one account open."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import TYPE_CHECKING

import click

from collections_app.domain.money import Money
from collections_app.queries import invariants
from collections_app.queries.charge_offs import due_for_charge_off
from collections_app.services import casework, ledger, statements

if TYPE_CHECKING:
    from collections_app.wiring import App

_DAY = click.DateTime(formats=["%Y-%m-%d"])


@click.group("ledger")
def group() -> None:
    """Days past due, derived from instalments and payments."""


@group.command("refresh")
@click.option("--business-date", required=True, type=_DAY, help="the day to which the ledger is brought (YYYY-MM-DD)")
@click.option("--full", is_flag=True, help="derive every account again, not only those of which something changed")
@click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
@click.pass_obj
def refresh(app: "App", business_date: datetime, full: bool, as_json: bool) -> None:
    """Derive what changed, let a day pass for the rest, open and close cases. Twice is once; a kill is resumed."""
    day = app.begun(business_date.date())
    result = ledger.refresh_book(app.units, business_date=day, full=full)
    with app.units.begin() as uow:
        result |= {f"cases_{name}": n for name, n in casework.refresh(uow, business_date=day).items()}
    if as_json:
        click.echo(json.dumps(result))
        return
    for name, value in result.items():
        click.echo(f"{name.replace('_', ' '):24}{value:>12,}")


@group.command("charge-offs")
@click.option("--as-of", required=True, type=_DAY)
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 100_000))
@click.pass_obj
def charge_offs(app: "App", as_of: datetime, limit: int) -> None:
    """List accounts that reached their product's charge-off; whether they are written off is the lender's word."""
    with app.database.reading() as session:
        found = due_for_charge_off(session, as_of=as_of.date(), limit=limit)
    rows = [(a.source, a.account_ref, a.due_on, a.dpd, a.balance) for a in found]
    _table("due for charge-off", ("source", "account", "since", "dpd", "balance"), rows)


@group.command("check")
@click.option("--json", "as_json", is_flag=True, help="print the findings as JSON")
@click.pass_obj
def check(app: "App", as_json: bool) -> None:
    """Ask the tables what must hold of a ledger at any time; exit with 1 if something does not."""
    with app.database.reading() as session:
        found = invariants.check(session)
    if as_json:
        click.echo(json.dumps([asdict(f) for f in found]))
    for finding in found if not as_json else ():
        verdict = "holds" if not finding.count else f"broken {finding.count:,} times, {finding.of} {finding.examples}"
        click.echo(f"{finding.name:12}{finding.holds}: {verdict}")
    if any(finding.count for finding in found):
        raise click.exceptions.Exit(1)


@group.command("show")
@click.argument("account_ref")
@click.option("--source", help="the source system, where several have an account of that name")
@click.option("--as-of", required=True, type=_DAY)
@click.option("--known-at", type=click.DateTime(formats=["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%SZ"]),
              help="count only what had reached us by this instant (2026-03-01T08:00:00+0000)")  # fmt: skip
@click.pass_obj
def show(app: "App", account_ref: str, source: str | None, as_of: datetime, known_at: datetime | None) -> None:
    """Show what was due on ACCOUNT_REF, which payment covered what, and how it stood, as of any day."""
    with app.units.begin() as uow:  # stages the account in a temporary table; writes nothing else
        told = statements.state(
            uow.session, account_ref=account_ref, source=source, as_of=as_of.date(), known_at=known_at
        )
    money = _Amounts(told.account.currency)
    account, on = told.account, as_of.date()
    click.echo(f"account {account.account_ref} of {account.source}, {told.status}, as of {on}")
    if told.figures:
        f = told.figures
        click.echo(f"dpd {f['dpd']}, arrears {money(f['arrears_amount'])}, oldest unpaid {f['oldest_unpaid_due_on']}")
        click.echo(f"regulatory dpd {f['dpd_regulatory']}, class {f['reg_class']}, next due {f['next_due_on']}")
    else:
        click.echo(f"its source keeps it: {account.dpd} days past due as told for {account.as_of_on}")
    _table("instalments", ("seq", "kind", "due on", "due", "paid", "closed on"),
           [(r["seq"], r["kind"], r["due_on"], money(r["due"]), money(r["paid_amount"]), r["closed_on"])
            for r in told.instalments.iter_rows(named=True)])  # fmt: skip
    _table("payments", ("ref", "kind", "value date", "amount", "counts", "unapplied"),
           [(r["payment_ref"], r["kind"], r["value_on"], money(r["amount"]), money(r["effective_amount"]),
             money(r["unapplied_amount"])) for r in told.payments.iter_rows(named=True)])  # fmt: skip
    _table("allocations", ("payment", "line", "instalment", "component", "amount", "rule"),
           [(r["payment_ref"], r["line"], r["instalment_seq"], r["component"], money(r["amount"]), r["rule"])
            for r in told.lines.iter_rows(named=True)])  # fmt: skip
    _table("episodes", ("entry", "dpd then", "longest", "ended", "why"), told.episodes.rows())
    _table("standings" + (f" as believed at {known_at}" if known_at else ""),
           ("from", "dpd", "grows", "arrears", "balance", "status"),
           [(r["from_on"], r["dpd"], "daily" if r["is_ageing"] else "", money(r["arrears_amount"]),
             money(r["balance_amount"]), r["status"]) for r in told.standings.iter_rows(named=True)])  # fmt: skip


class _Amounts:
    """Write minor units of one currency."""

    def __init__(self, currency: str) -> None:
        self.currency = currency

    def __call__(self, minor: object) -> str:
        return str(Money(int(str(minor)), self.currency))


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a title and rows in aligned columns."""
    cells = [[_cell(value) for value in row] for row in rows]
    click.echo(f"\n{title}" if cells else f"\n{title}: none")
    if not cells:
        return
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    for line in (heads, *cells):
        click.echo("  " + "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return value.isoformat() if isinstance(value, date) else str(value)
