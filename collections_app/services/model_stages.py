"""The stages of a model's life: every move is ordered by a person and written down."""

import sqlalchemy as sa

from collections_app.db.tables import ModelMove, ModelVersion
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.errors import Conflict, InvalidInput, NotAllowed, NotFound
from collections_app.domain.model_stages import MOVES, Stage
from collections_app.domain.permissions import SYSTEM, Permission

_NOTE_LENGTH = 500


def move(uow: UnitOfWork, *, name: str, version: str, to: Stage, note: str = "") -> ModelVersion:
    """Move a version to another stage; a champion that was there before retires. A person's decision.

    Four eyes: who trained a model does not make it the champion (the system's own training is nobody's).
    A card with alarms becomes champion only with a note of what was inspected. Raise NotAllowed, NotFound,
    Conflict (the stage admits no such move) or InvalidInput. Moving to where it stands changes nothing.
    """
    uow.actor.require(Permission.MODEL_APPROVE)
    if uow.actor.id is None:
        raise NotAllowed("a model is moved by a person, never by the system")
    if len(note) > _NOTE_LENGTH:
        raise InvalidInput(f"a note has at most {_NOTE_LENGTH} characters, this one {len(note)}")
    versions = {
        v.version: v
        for v in uow.session.scalars(sa.select(ModelVersion).where(ModelVersion.name == name).with_for_update())
    }
    if version not in versions:
        raise NotFound(f"there is no {name} {version}; `collections model list` shows what there is")
    chosen = versions[version]
    if chosen.stage == to:
        return chosen
    if to not in MOVES[Stage(chosen.stage)]:
        raise Conflict(f"{name} {version} is {chosen.stage}: from there it does not become {to}")
    if to == Stage.CHAMPION:
        _check_champion(uow, chosen, note)
        for other in versions.values():
            if other.stage == Stage.CHAMPION:
                _write(uow, other, Stage.RETIRED, f"{version} took its place")
        uow.session.flush()  # one champion at a time, also between the two statements
        chosen.approved_at, chosen.approved_by = uow.now, uow.actor.name
    _write(uow, chosen, to, note.strip())
    return chosen


def _check_champion(uow: UnitOfWork, model: ModelVersion, note: str) -> None:
    if model.trained_by == uow.actor.name != SYSTEM.name:
        raise NotAllowed(f"{uow.actor.name} trained {model.name} {model.version}: another person approves it")
    alarms = model.card.get("alarms") or ()
    if alarms and not note.strip():
        told = "one" if len(alarms) == 1 else f"{len(alarms)}, of which the first"
        raise NotAllowed(
            f"{model.name} {model.version} has alarms that must be inspected first ({told}): {alarms[0]} Read them on "
            f"the model's page or with `collections model show`, and say in the note what was inspected.",
            code="alarms_not_inspected",
        )


def _write(uow: UnitOfWork, model: ModelVersion, to: Stage, note: str) -> None:
    uow.session.add(
        ModelMove(
            model_version_id=model.id, from_stage=model.stage, to_stage=to, note=note,
            moved_at=uow.now, moved_by=uow.actor.name,
        )
    )  # fmt: skip
    model.stage = to
