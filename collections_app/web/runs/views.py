"""What the jobs did."""

from flask import Blueprint, request

from collections_app.domain.permissions import Permission
from collections_app.queries import runs
from collections_app.web.access import requires
from collections_app.web.backend import reading
from collections_app.web.page import render

blueprint = Blueprint("runs", __name__)


@blueprint.get("/runs")
@requires(Permission.JOB_READ)
def index() -> tuple[str, int]:
    """Show the latest runs."""
    with reading() as session:
        page = runs.list_runs(session, job=request.args.get("job") or None, after=request.args.get("after", type=int))
    return render("runs/index.html", page)


@blueprint.get("/runs/<int:run_id>")
@requires(Permission.JOB_READ)
def show(run_id: int) -> tuple[str, int]:
    """Show one run, step by step."""
    with reading() as session:
        page = runs.get_run(session, run_id)
    return render("runs/show.html", page)
