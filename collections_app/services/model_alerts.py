"""What a person does about a trigger that fired: look, and close it with what was found."""

import sqlalchemy as sa

from collections_app.db.tables import ModelAlert
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.errors import InvalidInput, NotFound
from collections_app.domain.permissions import Permission

_NOTE_LENGTH = 500


def close(uow: UnitOfWork, *, alert_id: int, note: str) -> ModelAlert:
    """Close an open alert; one that is closed already stays as it is. Raise NotFound or InvalidInput."""
    uow.actor.require(Permission.MODEL_APPROVE)
    said = note.strip()
    if not said:
        raise InvalidInput("write what was found and what is done about it")
    if len(said) > _NOTE_LENGTH:
        raise InvalidInput(f"a note has at most {_NOTE_LENGTH} characters, this one {len(said)}")
    alert = uow.session.scalar(sa.select(ModelAlert).where(ModelAlert.id == alert_id).with_for_update())
    if alert is None:
        raise NotFound("there is no such alert")
    if alert.closed_at is None:
        alert.closed_at, alert.closed_by, alert.note = uow.now, uow.actor.name, said
    return alert
