"""Every blueprint of the site, in one list."""

from flask import Flask

from collections_app.web.auth.views import blueprint as auth
from collections_app.web.campaigns.views import blueprint as campaigns
from collections_app.web.care.views import blueprint as care
from collections_app.web.cases.views import blueprint as cases
from collections_app.web.health.views import blueprint as health
from collections_app.web.home.views import blueprint as home
from collections_app.web.models.views import blueprint as models
from collections_app.web.people.views import blueprint as people
from collections_app.web.promises.views import blueprint as promises
from collections_app.web.recordings.views import blueprint as recordings
from collections_app.web.reports.views import blueprint as reports
from collections_app.web.runs.views import blueprint as runs
from collections_app.web.webhooks.twilio import blueprint as twilio
from collections_app.web.worklist.views import blueprint as worklist

BLUEPRINTS = (
    auth, home, worklist, cases, care, promises, recordings, campaigns, reports, models, runs, people, health, twilio,
)  # fmt: skip


def register_blueprints(app: Flask) -> None:
    """Give the app its addresses."""
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
