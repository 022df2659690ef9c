"""A model moves from stage to stage by a person's word, and every move is written down."""

from collections.abc import Sequence

import pytest
import sqlalchemy as sa

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.errors import Conflict, InvalidInput, NotAllowed, NotFound
from collections_app.domain.model_stages import MOVES, Stage
from collections_app.domain.permissions import SYSTEM, Actor, Role
from collections_app.queries.model_versions import list_models
from collections_app.services import model_stages

SAM = Actor(id=7, name="sam", role=Role.STRATEGIST)


def add_version(
    units: UnitsOfWork, version: str, *, stage: str = "challenger", by: str = "system", alarms: Sequence[str] = ()
) -> None:
    with units.begin() as uow:
        uow.session.add(
            t.ModelVersion(name="c-card", version=version, stage=stage, bundle_key=f"c-card/{version}",
                           card={"alarms": list(alarms)}, trained_at=uow.now, trained_by=by)
        )  # fmt: skip


def move(units: UnitsOfWork, version: str, to: Stage, *, by: Actor = SAM, note: str = "") -> None:
    with units.begin(by) as uow:
        model_stages.move(uow, name="c-card", version=version, to=to, note=note)


def stages(units: UnitsOfWork) -> dict[str, tuple[str, str | None]]:
    with units.database.reading() as session:
        return {m.version: (m.stage, m.approved_by) for m in list_models(session)}


def moves(units: UnitsOfWork) -> list[tuple[str, str, str, str, str]]:
    with units.database.reading() as session:
        return [
            tuple(row)
            for row in session.execute(
                sa.select(t.ModelVersion.version, t.ModelMove.from_stage, t.ModelMove.to_stage, t.ModelMove.moved_by,
                          t.ModelMove.note)
                .join(t.ModelVersion, t.ModelVersion.id == t.ModelMove.model_version_id).order_by(t.ModelMove.id)
            )
        ]  # fmt: skip


def test_a_new_champion_retires_the_one_before_and_both_moves_are_told(units: UnitsOfWork) -> None:
    add_version(units, "a")
    add_version(units, "b")
    move(units, "a", Stage.CHAMPION)
    move(units, "b", Stage.CHAMPION, note="better on the autumn book")
    assert stages(units) == {"a": ("retired", "sam"), "b": ("champion", "sam")}
    assert moves(units) == [
        ("a", "challenger", "champion", "sam", ""),
        ("a", "champion", "retired", "sam", "b took its place"),
        ("b", "challenger", "champion", "sam", "better on the autumn book"),
    ]


def test_moving_to_where_it_stands_writes_nothing(units: UnitsOfWork) -> None:
    add_version(units, "a", stage="shadow")
    move(units, "a", Stage.SHADOW)
    assert moves(units) == []


def test_the_system_never_moves_a_model(units: UnitsOfWork) -> None:
    add_version(units, "a")
    with pytest.raises(NotAllowed):
        move(units, "a", Stage.CHAMPION, by=SYSTEM)
    with pytest.raises(NotAllowed, match="by a person"):
        move(units, "a", Stage.SHADOW, by=Actor(id=None, name="script", role=Role.STRATEGIST))
    assert stages(units) == {"a": ("challenger", None)}


def test_who_trained_a_model_does_not_approve_it_but_may_move_it_elsewhere(units: UnitsOfWork) -> None:
    add_version(units, "a", by="sam")
    with pytest.raises(NotAllowed, match="another person approves it"):
        move(units, "a", Stage.CHAMPION)
    move(units, "a", Stage.SHADOW)
    move(units, "a", Stage.CHAMPION, by=Actor(id=8, name="kim", role=Role.STRATEGIST))
    assert stages(units) == {"a": ("champion", "kim")}


@pytest.mark.parametrize("note", ["", "  "])
def test_alarms_are_inspected_before_a_card_may_work(units: UnitsOfWork, note: str) -> None:
    add_version(units, "a", alarms=["KS 0.71 is above 0.60."])
    with pytest.raises(NotAllowed, match=r"KS 0\.71 .* what was inspected"):
        move(units, "a", Stage.CHAMPION, note=note)
    move(units, "a", Stage.SHADOW)  # a shadow decides nothing: no inspection is needed
    move(units, "a", Stage.CHAMPION, note="every feature's time stamp was checked")
    assert stages(units)["a"] == ("champion", "sam")


def test_many_alarms_are_told_as_a_count_and_the_first(units: UnitsOfWork) -> None:
    add_version(units, "a", alarms=["KS 0.71 is above 0.60.", "Only 3 events.", "One feature leads."])
    with pytest.raises(NotAllowed, match=r"\(3, of which the first\): KS 0\.71 .* model show") as refusal:
        move(units, "a", Stage.CHAMPION)
    assert "Only 3" not in refusal.value.message


@pytest.mark.parametrize(("start", "to"), [(a, b) for a in Stage for b in Stage if b != a and b not in MOVES[a]])
def test_a_move_that_the_stages_do_not_know_is_refused(units: UnitsOfWork, start: Stage, to: Stage) -> None:
    add_version(units, "a", stage=start)
    with pytest.raises(Conflict, match=f"is {start}: from there it does not become {to}"):
        move(units, "a", to)


def test_an_unknown_version_and_an_endless_note_are_refused(units: UnitsOfWork) -> None:
    add_version(units, "a")
    with pytest.raises(NotFound, match="no c-card zz"):
        move(units, "zz", Stage.CHAMPION)
    with pytest.raises(InvalidInput, match="at most 500 characters"):
        move(units, "a", Stage.CHAMPION, note="x" * 501)


def test_an_agent_may_not_move_a_model(units: UnitsOfWork) -> None:
    add_version(units, "a")
    with pytest.raises(NotAllowed):
        move(units, "a", Stage.SHADOW, by=Actor(id=3, name="ann", role=Role.AGENT, agent_id=1))
