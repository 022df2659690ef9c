"""The frame around every page: who is here, their places, the business date, light or dark."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask, render_template, request
from flask_login import current_user

from collections_app.domain.permissions import Permission, Role
from collections_app.queries.runs import find_business_date
from collections_app.queries.worklist import WorkDay, start_of_day
from collections_app.web.backend import backend, now, reading

THEMES = ("auto", "light", "dark")
THEME_COOKIE = "theme"


@dataclass(frozen=True)
class Place:
    """One entry of the left rail."""

    endpoint: str
    label: str
    icon: str
    needs: Permission | None = None
    only: tuple[Role, ...] = ()

    def holds(self, endpoint: str) -> bool:
        """Tell whether an endpoint lies in this place; a case lies in the worklist."""
        area = endpoint.split(".")[0]
        return self.endpoint.split(".")[0] == ("worklist" if area == "cases" else area)


PLACES: tuple[Place, ...] = (
    Place("home.index", "Today", "sun"),
    Place("worklist.index", "Worklist", "list", Permission.CASE_READ, (Role.AGENT,)),
    Place("promises.index", "Promises", "handshake", Permission.CASE_READ, (Role.AGENT, Role.SUPERVISOR)),
    Place("recordings.index", "Review", "wave", Permission.RECORDING_REVIEW),
    Place("campaigns.index", "Campaigns", "send", Permission.CAMPAIGN_READ),
    Place("worklist.index", "Cases", "list", Permission.CASE_READ_ALL),
    Place("care.approvals", "Decide", "check", Permission.PLAN_DECIDE),
    Place("reports.index", "Reports", "chart", Permission.REPORT_READ),
    Place("models.index", "Models", "scale", Permission.REPORT_READ),
    Place("runs.index", "Runs", "clock", Permission.JOB_READ),
    Place("people.index", "People", "people", Permission.USER_MANAGE),
)


@dataclass(frozen=True)
class Frame:
    """What the layout shows around a page."""

    display_name: str
    role: Role | None
    places: tuple[Place, ...]
    here: str
    business_date: date
    today: date
    zone: ZoneInfo
    theme: str
    has_htmx: bool
    may_search: bool


def render(template: str, page: object, *, status: int = 200) -> tuple[str, int]:
    """Render a page's dataclass inside the frame."""
    return render_template(template, page=page), status


def is_fragment() -> bool:
    """Tell whether htmx asks for a part of a page."""
    return request.headers.get("HX-Request") == "true" and "HX-History-Restore-Request" not in request.headers


def business_date() -> date:
    """Return the day that the house speaks of: the latest finished day, else the clock's."""
    with reading() as session:
        return find_business_date(session) or local_today()


def local_today() -> date:
    """Return the clock's calendar date in the house's zone."""
    return now().astimezone(backend().zone).date()


def work_day() -> WorkDay:
    """Return the day that is worked now."""
    return WorkDay(start_of_day(now(), backend().zone), business_date())


def install(app: Flask, *, has_htmx: bool) -> None:
    """Give every template its frame."""

    @app.context_processor
    def _frame() -> dict[str, Any]:
        known = current_user.is_authenticated
        role = current_user.actor.role if known else None
        today = local_today()
        theme = request.cookies.get(THEME_COOKIE, "auto")
        frame = Frame(
            display_name=current_user.display_name if known else "",
            role=role,
            places=tuple(p for p in PLACES if known and _belongs(p)),
            here=request.endpoint or "",
            business_date=business_date() if known else today,
            today=today,
            zone=backend().zone,
            theme=theme if theme in THEMES else "auto",
            has_htmx=has_htmx,
            may_search=known and current_user.actor.may(Permission.CASE_READ),
        )
        return {"frame": frame}


def _belongs(place: Place) -> bool:
    acting = current_user.actor
    return (place.needs is None or acting.may(place.needs)) and (not place.only or acting.role in place.only)
