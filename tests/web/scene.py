"""One small day at a collections house, for the tests of the site."""

from dataclasses import dataclass

from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.cases import CaseStage
from collections_app.domain.permissions import Actor, Role
from collections_app.gateways.blobs import BlobStore
from collections_app.services.users import create_user
from tests.factories import (
    TODAY,
    make_agent,
    make_assignment,
    make_case,
)
from tests.web import scene_rows as rows
from tests.web.scene_call import recording

LONG_NAME = "Wilhelmina Alexandra van der Bergh-Castellanos y Montenegro"
PASSWORD = "correct-horse-battery"
SETUP = Actor(id=None, name="setup", role=Role.ADMIN)


@dataclass(frozen=True)
class Scene:
    """What the tests need to name."""

    agent_id: int
    top_case: int
    second_case: int
    other_case: int
    closed_case: int
    campaign: int
    flagged: int
    audited: int
    findings: tuple[int, ...]
    run: int


def build(units: UnitsOfWork, blobs: BlobStore) -> Scene:
    """Write the day through factories and services, in one unit of work."""
    with units.begin(SETUP) as uow:
        session = uow.session
        agent, other = make_agent(session, name="Mara Lindt"), make_agent(session, name="Jonas Okafor")
        for username, name, role, agent_id in (
            ("mara", "Mara Lindt", Role.AGENT, agent.id),
            ("sofia", "Sofia Berg", Role.SUPERVISOR, None),
            ("tom", "Tom Ahmed", Role.SCHEDULER, None),
            ("ines", "Ines Roth", Role.STRATEGIST, None),
            ("adam", "Adam Novak", Role.ADMIN, None),
        ):
            create_user(uow, username=username, display_name=name, password=PASSWORD, role=role, agent_id=agent_id)
        where = {"version": rows.book(session), "run": rows.score_run(session)}
        top = rows.case(session, **where, name=LONG_NAME, priority=352.4, rule="Q-BROKEN", dpd=43, arrears=128_450)
        rows.history(session, top)
        second = rows.case(session, **where, name="王小明", priority=221.0, rule="Q-RISK", dpd=12, arrears=25_000)
        stranger = rows.case(
            session,
            **where,
            name="Somebody Else",
            priority=300.0,
            rule="Q-RISK",
            dpd=9,
            arrears=999_999_999_900,
        )
        for row, owner in ((top, agent), (second, agent), (stranger, other)):
            make_assignment(session, case_id=row.id, agent_id=owner.id)
        closed = make_case(session, account=False, stage=CaseStage.CLOSED, closed_on=TODAY, close_reason="cured")
        make_assignment(session, case_id=closed.id, agent_id=agent.id)
        flagged, findings = recording(session, blobs, top.id, agent.id, pitch=220.0)
        audited, _ = recording(session, blobs, second.id, agent.id, pitch=330.0, stream="random", findings=False)
        return Scene(
            agent_id=agent.id,
            top_case=top.id,
            second_case=second.id,
            other_case=stranger.id,
            closed_case=closed.id,
            campaign=rows.campaign(session).id,
            flagged=flagged.id,
            audited=audited.id,
            findings=tuple(findings),
            run=rows.run(session).id,
        )
