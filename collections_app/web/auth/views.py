"""Log in, log out, light or dark."""

from urllib.parse import urlsplit

from flask import Blueprint, current_app, redirect, request, session, url_for
from flask_login import current_user, login_user, logout_user
from werkzeug.wrappers import Response

from collections_app.domain.permissions import Actor
from collections_app.queries import people
from collections_app.services import users
from collections_app.web.access import SignedIn, public, signed_in
from collections_app.web.auth.pages import LoginPage
from collections_app.web.auth.throttle import Throttle
from collections_app.web.backend import backend, now, reading
from collections_app.web.page import THEME_COOKIE, THEMES, render

blueprint = Blueprint("auth", __name__)
THROTTLE = "login_throttle"
_REFUSED = "That username and password do not belong together."
_PAUSED = "Too many tries for this username. Wait five minutes, then try again."


@blueprint.get("/login")
@public
def login() -> tuple[str, int] | Response:
    """Show the login form."""
    if current_user.is_authenticated:
        return redirect(url_for("home.index"))
    return render("auth/login.html", LoginPage(wanted=local_address(request.args.get("next"))))


@blueprint.post("/login")
@public
def enter() -> tuple[str, int] | Response:
    """Check name and password; the same words for an unknown name and for a wrong password."""
    username = request.form.get("username", "").strip().lower()[:64]
    wanted = local_address(request.form.get("next"))
    throttle: Throttle = current_app.extensions[THROTTLE]
    if throttle.is_closed(username, now()):
        return render("auth/login.html", LoginPage(username, _PAUSED, wanted), status=429)
    acting = _authenticate(username, request.form.get("password", ""))
    if acting is None:
        throttle.failed(username, now())
        return render("auth/login.html", LoginPage(username, _REFUSED, wanted), status=422)
    throttle.succeeded(username)
    session.clear()
    with reading() as db:
        user = people.find_active_user(db, acting.id or 0)
    if user is not None:
        login_user(SignedIn(user))
    return redirect(wanted or url_for("home.index"), 303)


@blueprint.post("/logout")
@signed_in
def logout() -> Response:
    """End the session."""
    logout_user()
    session.clear()
    return redirect(url_for("auth.login"), 303)


@blueprint.post("/theme")
@public
def theme() -> Response:
    """Remember light, dark or the system's choice, and go back to the page."""
    response = redirect(local_address(request.form.get("next")) or url_for("home.index"), 303)
    wanted = request.form.get("theme", "")
    if wanted in THEMES:
        response.set_cookie(THEME_COOKIE, wanted, max_age=365 * 86_400, samesite="Lax", httponly=True,
                            secure=current_app.config["SESSION_COOKIE_SECURE"])  # fmt: skip
    return response


def local_address(wanted: str | None) -> str:
    """Return an address only if it is a path of this site: no other host, no scheme, no ``//``."""
    if not wanted or not wanted.startswith("/") or wanted.startswith(("//", "/\\")) or "\\" in wanted:
        return ""
    parts = urlsplit(wanted)
    return "" if parts.scheme or parts.netloc or any(ord(c) < 32 for c in wanted) else wanted


def _authenticate(username: str, password: str) -> Actor | None:
    with backend().units.begin() as uow:
        return users.authenticate(uow, username, password)
