"""What to work next, and finding a case."""

from flask import Blueprint, flash, redirect, request, url_for
from werkzeug.wrappers import Response

from collections_app.domain.errors import InvalidInput
from collections_app.domain.permissions import Permission
from collections_app.queries import worklist
from collections_app.queries.worklist import Show
from collections_app.web.access import actor, requires
from collections_app.web.backend import reading
from collections_app.web.page import is_fragment, render, work_day
from collections_app.web.worklist.pages import SearchPage, WorklistPage

blueprint = Blueprint("worklist", __name__)


@blueprint.get("/worklist")
@requires(Permission.CASE_READ)
def index() -> tuple[str, int]:
    """Show open cases in the order in which they should be worked."""
    sees_all = actor().may(Permission.CASE_READ_ALL)
    with reading() as session:
        found = worklist.list_worklist(
            session,
            actor(),
            day=work_day(),
            show=_show(request.args.get("show"), Show.ALL if sees_all else Show.TO_DO),
            queue=request.args.get("queue") or None,
            after=request.args.get("after") or None,
        )
    template = "worklist/_rows.html" if is_fragment() else "worklist/index.html"
    return render(template, WorklistPage(found, sees_all))


@blueprint.get("/worklist/next")
@requires(Permission.CASE_WORK)
def next_case() -> Response:
    """Open the most urgent case that nobody called today."""
    with reading() as session:
        case_id = worklist.find_next_case(session, actor(), day=work_day())
    if case_id is None:
        flash("Every case of yours that can be worked today has been worked.", "good")
        return redirect(url_for("worklist.index", show=Show.ALL))
    return redirect(url_for("cases.show", case_id=case_id))


@blueprint.post("/search")
@requires(Permission.CASE_READ)
def search() -> tuple[str, int] | Response:
    """Find a case. By POST, because a name does not belong into an address or a log."""
    text = request.form.get("q", "").strip()[:100]
    with reading() as session:
        found = worklist.search(session, actor(), text)
    if len({f.case_id for f in found}) == 1:
        return redirect(url_for("cases.show", case_id=found[0].case_id), 303)
    return render("worklist/search.html", SearchPage(text, tuple(found)))


def _show(text: str | None, default: Show) -> Show:
    try:
        return Show(text) if text else default
    except ValueError:
        raise InvalidInput("that part of the list does not exist") from None
