"""The site under test: the scene, an app on it, and somebody logged in."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from collections_app.config import Settings
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.factory import create_app
from collections_app.gateways.blobs import BlobStore
from tests.conftest import FixedClock
from tests.web.scene import PASSWORD, Scene, build

LogIn = Callable[[str], FlaskClient]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_env({"VAR_DIR": str(tmp_path / "var")})


@pytest.fixture
def scene(units: UnitsOfWork, settings: Settings) -> Scene:
    return build(units, BlobStore(settings.var_dir / "blobs"))


@pytest.fixture
def app(settings: Settings, units: UnitsOfWork, clock: FixedClock) -> Flask:
    """Return the whole site; tokens of forms are checked by the tests of the access alone."""
    made = create_app(settings, database=units.database, clock=clock)
    made.config.update(WTF_CSRF_ENABLED=False)
    return made


@pytest.fixture
def log_in(app: Flask, scene: Scene) -> LogIn:
    """Return a function that logs somebody of the scene in."""

    def enter(username: str) -> FlaskClient:
        client = app.test_client()
        answer = client.post("/login", data={"username": username, "password": PASSWORD})
        assert answer.status_code == 303
        return client

    return enter
