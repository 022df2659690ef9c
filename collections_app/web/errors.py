"""Errors as pages: one sentence that says what to do, with the right status."""

from dataclasses import dataclass

import structlog
from flask import Flask, render_template
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from collections_app.domain.errors import (
    Conflict,
    DomainError,
    InvalidInput,
    NotAllowed,
    NotConfigured,
    NotFound,
)

_STATUS: dict[type[DomainError], int] = {
    InvalidInput: 422,
    NotFound: 404,
    NotAllowed: 403,
    Conflict: 409,
    NotConfigured: 503,
}
_SAID = {
    400: ("That request was not complete", "Go back and try again."),
    403: ("This is not open to you", "If you need it for your work, ask your administrator."),
    404: ("There is nothing here", "It does not exist, or it is not among your cases."),
    405: ("That cannot be done here", "Go back and use the buttons of the page."),
    413: ("That is too much at once", "Send less text."),
    429: ("Too many tries", "Wait five minutes, then try again."),
}
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ErrorPage:
    """What went wrong and what to do."""

    status: int
    title: str
    sentence: str


def status_of(error: DomainError) -> int:
    """Return the HTTP status that fits a domain error."""
    return next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 400)


def sentence(error: DomainError) -> str:
    """Return the error's message as a sentence."""
    text = error.message.rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."


def _page(status: int, title: str, said: str) -> tuple[str, int]:
    return render_template("errors/error.html", page=ErrorPage(status, title, said)), status


def install(app: Flask) -> None:
    """Turn every error into a page."""

    @app.errorhandler(DomainError)
    def _domain(error: DomainError) -> tuple[str, int]:
        status = status_of(error)
        title = _SAID.get(status, ("That did not work", ""))[0]
        return _page(status, title, _SAID[404][1] if status == 404 else sentence(error))

    @app.errorhandler(CSRFError)
    def _csrf(_error: CSRFError) -> tuple[str, int]:
        return _page(400, "This page was open for too long", "Go back, reload the page and send it again.")

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> tuple[str, int] | HTTPException:
        status = error.code or 500
        if status < 400:
            return error
        title, said = _SAID.get(status, ("That did not work", "Go back and try again."))
        return _page(status, title, said)

    @app.errorhandler(Exception)
    def _unexpected(error: Exception) -> tuple[str, int]:
        log.error("view failed", error=type(error).__name__, exc_info=error)
        return _page(500, "Something broke on our side", "Nothing was changed. Try again in a minute.")
