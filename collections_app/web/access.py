"""Who may open what: login, CSRF, and a refusal of every endpoint that does not say whom it is for."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from flask import Flask, abort, current_app, redirect, request, session, url_for
from flask_login import LoginManager, UserMixin, current_user
from flask_wtf import CSRFProtect
from werkzeug.wrappers import Response

from collections_app.domain.permissions import Actor, Permission
from collections_app.queries import people
from collections_app.web.backend import reading

View = TypeVar("View", bound=Callable[..., Any])
csrf = CSRFProtect()
_MARK = "access_rule"
PUBLIC = "public"
SIGNED_IN = "signed in"
# Numbers of rows: what 64 bits hold for certain.
_DIGITS = 18


class SignedIn(UserMixin):  # type: ignore[misc]  # flask-login ships no types
    """The person behind a session, as flask-login wants it."""

    def __init__(self, user: people.UserRow) -> None:
        self.id = str(user.id)
        self.display_name = user.display_name
        self.actor = user.actor


def public(view: View) -> View:
    """Mark a view that anybody may open without a session."""
    setattr(view, _MARK, PUBLIC)
    return view


def signed_in(view: View) -> View:
    """Mark a view for everybody who has logged in."""
    setattr(view, _MARK, SIGNED_IN)
    return view


def requires(*permissions: Permission) -> Callable[[View], View]:
    """Mark a view for those whose role grants every one of ``permissions``."""

    def mark(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            for permission in permissions:
                actor().require(permission)
            return view(*args, **kwargs)

        setattr(guarded, _MARK, permissions)
        return guarded  # type: ignore[return-value]

    return mark


def rule_of(view: Callable[..., Any] | None) -> Any:
    """Return how a view is marked, None when it is not."""
    return getattr(view, _MARK, None)


def actor() -> Actor:
    """Return who acts in this request."""
    acting: Actor = current_user.actor
    return acting


def install(app: Flask) -> None:
    """Guard every request of the app."""
    csrf.init_app(app)
    manager = LoginManager(app)
    manager.session_protection = "basic"

    @manager.user_loader  # type: ignore[untyped-decorator]
    def _load(user_id: str) -> SignedIn | None:
        with reading() as db:
            user = people.find_active_user(db, int(user_id)) if user_id.isdigit() else None
        return SignedIn(user) if user else None

    public(app.view_functions["static"])
    app.before_request(_guard)
    app.before_request(_keepable)


def _guard() -> Response | None:
    """Let through what is marked public, ask strangers to log in, refuse what carries no mark."""
    if request.endpoint is None:
        return None  # no such address: the 404 page tells nothing
    from_mark = rule_of(_view())
    if from_mark == PUBLIC:
        return None
    if not current_user.is_authenticated:
        wanted = request.full_path.rstrip("?") if request.method == "GET" else None
        return redirect(url_for("auth.login", next=wanted if wanted != "/" else None))
    if from_mark is None:
        abort(403)
    session.permanent = True  # idle time-out: every request renews it
    return None


def _keepable() -> None:
    """Refuse what no database can be asked for: numbers beyond 64 bits, text with a zero character."""
    if any(isinstance(value, int) and value >= 10**_DIGITS for value in (request.view_args or {}).values()):
        abort(404)
    for name, text in (pair for given in (request.args, request.form) for pair in given.items(multi=True)):
        is_number = name.endswith("_id") or name in ("attempt", "after")
        if "\0" in text or (is_number and text.isdecimal() and len(text) > _DIGITS):
            abort(400)


def _view() -> Callable[..., Any] | None:
    return current_app.view_functions.get(request.endpoint or "")
