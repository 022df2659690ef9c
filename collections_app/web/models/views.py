"""The models: which there are, one version whole, its figures for machines, what fired; and its stage, by a person."""

from flask import Blueprint, Response, flash, redirect, request, url_for
from werkzeug.wrappers import Response as Answer

from collections_app.domain.errors import Conflict, DomainError, InvalidInput, NotFound
from collections_app.domain.model_stages import Stage
from collections_app.domain.permissions import Permission
from collections_app.queries import model_pages
from collections_app.queries.model_pages import ModelFile
from collections_app.queries.reports.report import as_csv
from collections_app.services import model_alerts, model_stages
from collections_app.web.access import actor, requires
from collections_app.web.backend import backend, reading, writing
from collections_app.web.errors import sentence
from collections_app.web.models.pages import AlertsPage, MoveForm, model_page, models_page
from collections_app.web.models.tables import tables_of
from collections_app.web.models.words import limits_on
from collections_app.web.page import local_today, render

blueprint = Blueprint("models", __name__, url_prefix="/models")


@blueprint.get("")
@requires(Permission.REPORT_READ)
def index() -> tuple[str, int]:
    """List the models by the question that they answer."""
    with reading() as session:
        page = models_page(model_pages.list_lines(session), today=local_today())
    return render("models/index.html", page)


@blueprint.get("/alerts")
@requires(Permission.REPORT_READ)
def alerts() -> tuple[str, int]:
    """Show what fired on any model, open alerts first."""
    return _alerts()


@blueprint.post("/alerts/<int:alert_id>")
@requires(Permission.MODEL_APPROVE)
def close_alert(alert_id: int) -> tuple[str, int] | Answer:
    """Close an alert with what was found."""
    note = request.form.get("note", "")
    try:
        with writing(actor()) as uow:
            model_alerts.close(uow, alert_id=alert_id, note=note)
    except InvalidInput as error:
        return _alerts(refused=alert_id, error=sentence(error), typed=note)
    except Conflict as error:
        flash(sentence(error), "bad")
    else:
        flash("Closed; the note stays with it.", "good")
    return redirect(url_for("models.alerts"), 303)


@blueprint.get("/<name>/<version>")
@requires(Permission.REPORT_READ)
def show(name: str, version: str) -> tuple[str, int]:
    """Show one version."""
    return _show(name, version)


@blueprint.get("/<name>/<version>/<table>.csv")
@requires(Permission.REPORT_READ)
def rows(name: str, version: str, table: str) -> Response:
    """Return the figures behind one plot or table as a file."""
    found = tables_of(_file(name, version), limits_on(local_today())).get(table)
    if found is None:
        raise NotFound("there is no such table")
    answer = Response(as_csv(found.table), mimetype="text/csv")
    answer.headers["Content-Disposition"] = f"attachment; filename={name}-{version}-{table}.csv"
    return answer


@blueprint.post("/<name>/<version>/stage")
@requires(Permission.MODEL_APPROVE)
def move(name: str, version: str) -> tuple[str, int] | Answer:
    """Move a version to another stage: a person's decision."""
    form = MoveForm(to=request.form.get("to", ""), note=request.form.get("note", ""))
    if form.to not in set(Stage):
        return _show(name, version, form=MoveForm(note=form.note, error="Choose a stage."))
    try:
        with writing(actor()) as uow:
            model_stages.move(uow, name=name, version=version, to=Stage(form.to), note=form.note)
    except NotFound:
        raise
    except DomainError as error:
        return _show(name, version, form=MoveForm(form.to, form.note, sentence(error)))
    flash(f"{name} {version} is {form.to} now.", "good")
    return redirect(url_for("models.show", name=name, version=version), 303)


def _alerts(*, refused: int = 0, error: str = "", typed: str = "") -> tuple[str, int]:
    with reading() as session:
        found = tuple(model_pages.list_alerts(session))
    page = AlertsPage(found, actor().may(Permission.MODEL_APPROVE), refused=refused, error=error, typed=typed)
    return render("models/alerts.html", page, status=422 if error else 200)


def _file(name: str, version: str) -> ModelFile:
    with reading() as session:
        return model_pages.get_model_file(session, name, version)


def _show(name: str, version: str, *, form: MoveForm | None = None) -> tuple[str, int]:
    file = _file(name, version)
    page = model_page(
        file, csv=lambda table: url_for("models.rows", name=name, version=version, table=table),
        may_move=actor().may(Permission.MODEL_APPROVE), today=local_today(), zone=backend().zone, form=form,
    )  # fmt: skip
    return render("models/show.html", page, status=422 if form else 200)
