"""The metrics of the book: the list, each report with its plot and table, and its rows for machines."""

from datetime import date

from flask import Blueprint, Response, request

from collections_app.domain.errors import InvalidInput, NotFound
from collections_app.domain.permissions import Permission
from collections_app.queries.reports import registry
from collections_app.queries.reports.report import Report, Scope, as_csv, as_json
from collections_app.web.access import requires
from collections_app.web.backend import reading
from collections_app.web.page import business_date, render
from collections_app.web.reports.pages import report_page, reports_page

blueprint = Blueprint("reports", __name__, url_prefix="/reports")
_WRITERS = {"csv": (as_csv, "text/csv"), "json": (as_json, "application/json")}


@blueprint.get("")
@requires(Permission.REPORT_READ)
def index() -> tuple[str, int]:
    """List the reports."""
    return render("reports/index.html", reports_page())


@blueprint.get("/<name>")
@requires(Permission.REPORT_READ)
def show(name: str) -> tuple[str, int]:
    """Show one report."""
    latest_on = business_date()
    report, sources = _asked(name, latest_on)
    return render("reports/show.html", report_page(report, latest_on=latest_on, sources=sources))


@blueprint.get("/<name>/rows.<any(csv, json):form>")
@requires(Permission.REPORT_READ)
def rows(name: str, form: str) -> Response:
    """Return the rows of one report as a file."""
    write, kind = _WRITERS[form]
    report, _ = _asked(name, business_date())
    answer = Response(write(report), mimetype=kind)
    answer.headers["Content-Disposition"] = f"attachment; filename={name}-{report.scope.as_of}.{form}"
    return answer


def _asked(name: str, latest_on: date) -> tuple[Report, tuple[str, ...]]:
    """Compute the report that the address asks for; the business date unless it names an earlier one."""
    if name not in registry.REPORTS:
        raise NotFound("there is no such report")
    scope = Scope(_as_of(latest_on), source=request.args.get("source") or None)
    with reading() as session:
        return registry.run(session, name, scope), tuple(registry.sources(session))


def _as_of(latest_on: date) -> date:
    text = request.args.get("as_of")
    if not text:
        return latest_on
    try:
        asked = date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"{text!r} is not a date; write {latest_on}") from None
    if asked > latest_on:
        raise InvalidInput(f"{asked} lies after the business date, {latest_on}")
    return asked
