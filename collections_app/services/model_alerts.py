"""What a person does about a trigger that fired: look, and close it with what was found.

Apart from ``monitoring``, so that a web process closes an alert without loading what raises one.
"""

import sqlalchemy as sa

from collections_app.db.tables import ModelAlert
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.errors import Conflict, InvalidInput, NotFound
from collections_app.domain.permissions import Permission

_NOTE_LENGTH = 500


def close(uow: UnitOfWork, *, alert_id: int, note: str) -> ModelAlert:
    """Close an open alert with a word on what was found and done. Raise NotFound, Conflict or InvalidInput."""
    uow.actor.require(Permission.MODEL_APPROVE)
    alert = uow.session.scalar(sa.select(ModelAlert).where(ModelAlert.id == alert_id).with_for_update())
    if alert is None:
        raise NotFound(f"there is no alert {alert_id}; `collections model alerts` shows what there is")
    if alert.closed_at is not None:
        raise Conflict(f"alert {alert_id} was closed by {alert.closed_by}")
    if not note.strip() or len(note) > _NOTE_LENGTH:
        raise InvalidInput(f"say in at most {_NOTE_LENGTH} characters what was found and done")
    alert.closed_at, alert.closed_by, alert.note = uow.now, uow.actor.name, note.strip()
    return alert
