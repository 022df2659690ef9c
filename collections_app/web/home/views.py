"""Where everybody starts: the day of their role."""

from collections.abc import Callable

from flask import Blueprint
from sqlalchemy.orm import Session

from collections_app.domain.permissions import Permission, Role
from collections_app.queries import campaigns, dashboards, reviews, runs, worklist
from collections_app.web.access import actor, signed_in
from collections_app.web.backend import reading
from collections_app.web.campaigns.pages import campaign_line
from collections_app.web.home.pages import AgentHome, BookHome, SchedulerHome, SupervisorHome
from collections_app.web.page import business_date, render, work_day
from collections_app.web.worklist.pages import WorklistPage

blueprint = Blueprint("home", __name__)
_SHOWN = 8


@blueprint.get("/")
@signed_in
def index() -> tuple[str, int]:
    """Show the day of the role."""
    template, build = _HOMES.get(actor().role, ("home/book.html", _book))
    with reading() as session:
        page = build(session)
    return render(template, page)


def _agent(session: Session) -> AgentHome:
    day = work_day()
    waiting = worklist.list_worklist(session, actor(), day=day, limit=_SHOWN)
    return AgentHome(dashboards.get_agent_day(session, actor(), day), WorklistPage(waiting, show_agent=False))


def _supervisor(session: Session) -> SupervisorHome:
    waiting = reviews.list_flagged_recordings(session, limit=_SHOWN)
    return SupervisorHome(
        dashboards.get_review_day(session, since=work_day().since),
        tuple(waiting),
        dashboards.list_stages(session),
    )


def _scheduler(session: Session) -> SchedulerHome:
    found = campaigns.list_campaigns(session, on=business_date())
    return SchedulerHome(tuple(map(campaign_line, found)), runs.list_runs(session, limit=_SHOWN).rows)


def _book(session: Session) -> BookHome:
    stages = dashboards.list_stages(session) if actor().may(Permission.CASE_READ_ALL) else ()
    return BookHome(stages, runs.list_runs(session, limit=_SHOWN).rows)


_HOMES: dict[Role, tuple[str, Callable[[Session], object]]] = {
    Role.AGENT: ("home/agent.html", _agent),
    Role.SUPERVISOR: ("home/supervisor.html", _supervisor),
    Role.SCHEDULER: ("home/scheduler.html", _scheduler),
}
