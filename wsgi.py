"""What a web server loads: ``gunicorn wsgi:app``."""

from collections_app.config import Settings
from collections_app.factory import create_app

app = create_app(Settings.from_env())
