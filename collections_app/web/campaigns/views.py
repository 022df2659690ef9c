"""Run the wave: look, start, pause, resume, stop."""

from flask import Blueprint, flash, redirect, url_for
from werkzeug.wrappers import Response

from collections_app.domain.errors import NotFound
from collections_app.domain.permissions import Permission
from collections_app.queries.campaigns import get_campaign, list_campaigns
from collections_app.services import campaigns
from collections_app.web.access import actor, requires
from collections_app.web.backend import reading, writing
from collections_app.web.campaigns.pages import CampaignPage, CampaignsPage, campaign_line, campaign_page
from collections_app.web.page import render

blueprint = Blueprint("campaigns", __name__, url_prefix="/campaigns")

# What a person may do, and what we say when it is done.
_STEPS = {
    "start": (campaigns.start, "Started. Attempts leave as their hour comes."),
    "pause": (campaigns.pause, "Paused. What was handed over already still arrives; nothing more leaves."),
    "resume": (campaigns.resume, "Resumed."),
    "stop": (campaigns.stop, "Stopped for good. What was not sent is cancelled."),
}


@blueprint.get("")
@requires(Permission.CAMPAIGN_READ)
def index() -> tuple[str, int]:
    """Show campaigns, newest first."""
    with reading() as session:
        page = CampaignsPage(tuple(map(campaign_line, list_campaigns(session))))
    return render("campaigns/index.html", page)


@blueprint.get("/<int:campaign_id>")
@requires(Permission.CAMPAIGN_READ)
def show(campaign_id: int) -> tuple[str, int]:
    """Show one campaign: how far it is and what held it back."""
    return render("campaigns/show.html", _page(campaign_id))


@blueprint.get("/<int:campaign_id>/board")
@requires(Permission.CAMPAIGN_READ)
def board(campaign_id: int) -> tuple[str, int]:
    """Show the figures alone; the page asks for them while the campaign runs."""
    return render("campaigns/_board.html", _page(campaign_id))


@blueprint.post("/<int:campaign_id>/<step>")
@requires(Permission.CAMPAIGN_RUN)
def move(campaign_id: int, step: str) -> Response:
    """Start, pause, resume or stop."""
    if step not in _STEPS:
        raise NotFound("there is no such step")
    act, said = _STEPS[step]
    with writing(actor()) as uow:
        act(uow, campaign_id)
    flash(said, "good")
    return redirect(url_for("campaigns.show", campaign_id=campaign_id), 303)


def _page(campaign_id: int) -> CampaignPage:
    with reading() as session:
        detail = get_campaign(session, campaign_id)
    return campaign_page(detail, may_run=actor().may(Permission.CAMPAIGN_RUN))
