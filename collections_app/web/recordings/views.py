"""Listen to what was flagged, and judge it."""

from flask import Blueprint, flash, redirect, request, send_file, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from collections_app.domain.errors import Conflict, InvalidInput, NotFound
from collections_app.domain.permissions import Permission
from collections_app.queries import reviews
from collections_app.queries.reviews import ReviewState
from collections_app.services import quality
from collections_app.web.access import actor, requires
from collections_app.web.backend import backend, reading, writing
from collections_app.web.errors import sentence
from collections_app.web.page import render
from collections_app.web.recordings.pages import RecordingPage, RecordingsPage, recording_page

blueprint = Blueprint("recordings", __name__, url_prefix="/recordings")


@blueprint.get("")
@requires(Permission.RECORDING_REVIEW)
def index() -> tuple[str, int]:
    """Show the calls that wait for a verdict, the riskiest first; or those that have one."""
    state = ReviewState.DONE if request.args.get("show") == ReviewState.DONE else ReviewState.OPEN
    with reading() as session:
        page = RecordingsPage(state, tuple(reviews.list_flagged_recordings(session, status=state)))
    return render("recordings/index.html", page)


@blueprint.get("/next")
@requires(Permission.RECORDING_REVIEW)
def next_recording() -> Response:
    """Open the riskiest call without a verdict."""
    found = _next_after(0)
    if found is None:
        flash("Every flagged call has its verdict.", "good")
        return redirect(url_for("recordings.index"))
    return redirect(url_for("recordings.show", recording_id=found))


@blueprint.get("/<int:recording_id>")
@requires(Permission.RECORDING_REVIEW)
def show(recording_id: int) -> tuple[str, int]:
    """Show one call in the review room."""
    return render("recordings/show.html", _page(recording_id))


@blueprint.get("/<int:recording_id>/audio")
@requires(Permission.RECORDING_LISTEN)
def audio(recording_id: int) -> Response:
    """Send the sound; ranges are honoured, so that the player can jump."""
    with reading() as session:
        key = reviews.get_review_page(session, recording_id).blob_key
    if not backend().blobs.exists(key):
        raise NotFound("the sound of this recording is gone")
    path = backend().blobs.path(key).resolve()
    return send_file(path, mimetype="audio/wav", conditional=True, max_age=0, etag=False)


@blueprint.post("/<int:recording_id>/reviews")
@requires(Permission.RECORDING_REVIEW)
def review(recording_id: int) -> tuple[str, int] | Response:
    """Give a verdict on one finding, or on the whole call of the blind audit."""
    finding_id = request.form.get("finding_id", type=int)
    comment = request.form.get("comment", "")
    try:
        with writing(actor()) as uow:
            quality.review(
                uow,
                recording_id=recording_id,
                finding_id=finding_id,
                verdict=request.form.get("verdict", ""),
                comment=comment,
            )
    except (InvalidInput, Conflict) as error:
        page = _page(recording_id, error=sentence(error), error_on=finding_id or 0, comment=comment)
        return render("recordings/show.html", page, status=422)
    flash("Verdict recorded.", "good")
    return redirect(url_for("recordings.show", recording_id=recording_id), 303)


def _next_after(recording_id: int) -> int | None:
    with reading() as session:
        waiting = reviews.list_flagged_recordings(session, limit=2)
    return next((r.recording_id for r in waiting if r.recording_id != recording_id), None)


def _page(recording_id: int, *, error: str = "", error_on: int = 0, comment: str = "") -> RecordingPage:
    with reading() as session:
        call = reviews.get_review_page(session, recording_id)
    return recording_page(
        call,
        reviewer_name=current_user.display_name,
        next_id=_next_after(recording_id),
        error=error,
        error_on=error_on,
        comment=comment,
    )
