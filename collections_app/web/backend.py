"""What views may reach: the units of work, the settings, the rule packs and the stored sound.

``factory.create_app`` puts a ``Backend`` into ``app.extensions``; nothing in ``web`` builds one.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from flask import current_app
from sqlalchemy.orm import Session

from collections_app.config import Settings
from collections_app.db.session import Database
from collections_app.db.unit_of_work import UnitOfWork, UnitsOfWork
from collections_app.domain.permissions import Actor
from collections_app.gateways.blobs import BlobStore
from strategies.packs import PackLibrary

NAME = "collections"


@dataclass(frozen=True)
class Backend:
    """The few things that a web process holds."""

    settings: Settings
    units: UnitsOfWork
    packs: PackLibrary
    blobs: BlobStore
    zone: ZoneInfo


def backend() -> Backend:
    """Return the backend of the running app."""
    held: Backend = current_app.extensions[NAME]
    return held


def database() -> Database:
    """Return the database of the running app."""
    return backend().units.database


def reading() -> AbstractContextManager[Session]:
    """Open a session for queries."""
    return database().reading()


def writing(actor: Actor) -> UnitOfWork:
    """Open a unit of work for this actor: leaving it commits."""
    return backend().units.begin(actor)


def now() -> datetime:
    """Return the clock's instant."""
    return backend().units.clock()
