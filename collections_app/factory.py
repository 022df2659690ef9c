"""The composition root of the web: settings in, a Flask app out."""

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response

from collections_app.config import Settings
from collections_app.db.session import Database
from collections_app.db.unit_of_work import Clock, UnitsOfWork, clock_from
from collections_app.gateways.blobs import BlobStore
from collections_app.web import access, backend, errors, formatting, page
from collections_app.web.auth.throttle import Throttle
from collections_app.web.auth.views import THROTTLE
from collections_app.web.backend import Backend
from collections_app.web.routes import register_blueprints
from strategies.packs import DEFAULT_PACKS, load_packs

WEB = Path(__file__).parent / "web"
IDLE = timedelta(minutes=15)

# No inline script or style anywhere: what a customer wrote can never run.
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "media-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


def create_app(settings: Settings, *, database: Database | None = None, clock: Clock | None = None) -> Flask:
    """Build the site. ``database`` and ``clock`` are given by tests and by the demo."""
    app = Flask("collections_app", template_folder=str(WEB / "templates"), static_folder=str(WEB / "static"))
    is_production = settings.environment == "production"
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=is_production,
        SESSION_COOKIE_NAME="session",
        PERMANENT_SESSION_LIFETIME=IDLE,
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session: a form left open for an hour still counts
        MAX_CONTENT_LENGTH=256 * 1024,
        MAX_FORM_MEMORY_SIZE=256 * 1024,
        SEND_FILE_MAX_AGE_DEFAULT=timedelta(hours=1),
        TEMPLATES_AUTO_RELOAD=False,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    packs = Path(settings.rule_packs) if settings.rule_packs else DEFAULT_PACKS
    app.extensions[backend.NAME] = Backend(
        settings=settings,
        units=UnitsOfWork(database or Database(settings.database_url), clock or _clock(settings)),
        packs=load_packs(packs),
        blobs=BlobStore(settings.var_dir / "blobs"),
        zone=ZoneInfo(settings.day_zone),
    )
    app.extensions[THROTTLE] = Throttle()
    access.install(app)
    errors.install(app)
    formatting.install(app)
    page.install(app, has_htmx=(WEB / "static" / "vendor" / "htmx.min.js").is_file())
    register_blueprints(app)
    if is_production:
        # One proxy in front ends TLS; its word on scheme and address is believed, nobody else's.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)  # type: ignore[method-assign]
    _add_headers(app, is_production=is_production)
    return app


def _clock(settings: Settings) -> Clock:
    return clock_from(datetime.fromisoformat(settings.demo_clock) if settings.demo_clock else None)


def _add_headers(app: Flask, *, is_production: bool) -> None:
    @app.after_request
    def _headers(response: Response) -> Response:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        if is_production:
            response.headers.setdefault("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
        if response.mimetype in ("text/html", "audio/wav", "application/json"):
            response.headers["Cache-Control"] = "no-store"
        return response
