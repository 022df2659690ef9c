"""What the pages say and what their forms do."""

import json

import pytest
import sqlalchemy as sa

from collections_app.config import Settings
from collections_app.db import tables as t
from collections_app.db.session import Database
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.contact import AttemptStatus, CampaignStatus
from collections_app.domain.outcomes import Disposition, Outcome
from collections_app.factory import create_app
from tests.conftest import FixedClock
from tests.web.conftest import LogIn
from tests.web.scene import LONG_NAME, Scene
from tests.web.scene_rows import stop


def _point(units: UnitsOfWork, case_id: int) -> int:
    with units.database.reading() as session:
        case = session.get_one(t.Case, case_id)
        found = session.scalar(
            sa.select(t.ContactPoint.id).where(t.ContactPoint.customer_id == case.customer_id, t.ContactPoint.rank == 1)
        )
    assert found is not None
    return found


def _start(units: UnitsOfWork, scene: Scene, log_in: LogIn) -> int:
    answer = log_in("mara").post(f"/cases/{scene.top_case}/calls", data={"point_id": _point(units, scene.top_case)})
    assert answer.status_code == 303
    with units.database.reading() as session:
        attempt = session.scalars(sa.select(t.ContactAttempt).order_by(t.ContactAttempt.id.desc())).first()
    assert attempt is not None
    assert attempt.status is AttemptStatus.SENDING
    return attempt.id


def test_health_tells_whether_the_database_is_there_and_current(
    scene: Scene, settings: Settings, log_in: LogIn
) -> None:
    good = log_in("mara").get("/health")
    assert good.status_code == 200
    assert good.json["status"] == "ok"
    assert good.json["migration"] == good.json["head"]
    gone = create_app(settings, database=Database("postgresql://nobody:hidden@127.0.0.1:9/none"))
    bad = gone.test_client().get("/health")
    assert bad.status_code == 503
    assert bad.json["database"] == "unreachable"
    assert "hidden" not in json.dumps(bad.json)


@pytest.mark.parametrize(
    ("username", "says"),
    [
        ("mara", "2 of your 2 cases wait for a call"),
        ("sofia", "Listen to what was flagged"),
        ("tom", "First reminder"),
        ("ines", "The open book"),
        ("adam", "Latest runs"),
    ],
)
def test_each_role_starts_with_its_own_day(log_in: LogIn, username: str, says: str) -> None:
    page = log_in(username).get("/")
    assert page.status_code == 200
    assert says in page.text


def test_the_worklist_says_why_in_the_rules_own_words(scene: Scene, log_in: LogIn) -> None:
    page = log_in("mara").get("/worklist").text
    assert "A promise was broken; a person should ask why." in page
    assert page.index(LONG_NAME) < page.index("王小明")
    assert "Somebody Else" not in page
    assert "Somebody Else" in log_in("sofia").get("/worklist").text


def test_the_case_file_masks_numbers_and_names_the_model(units: UnitsOfWork, scene: Scene, log_in: LogIn) -> None:
    page = log_in("mara").get(f"/cases/{scene.top_case}").text
    with units.database.reading() as session:
        value = session.get_one(t.ContactPoint, _point(units, scene.top_case)).value
    assert value not in page
    assert value[2:5] in page
    assert "c-card 2026-02-11 as of Mon 2 Mar" in page
    assert "The account is far past due now" in page
    assert "1,284.50" in page


def test_a_call_with_a_promise_is_recorded_whole(units: UnitsOfWork, scene: Scene, log_in: LogIn) -> None:
    attempt_id = _start(units, scene, log_in)
    client = log_in("mara")
    page = client.get(f"/cases/{scene.top_case}").text
    assert "What happened?" in page
    assert "Say that the call is recorded." in page
    with units.database.reading() as session:
        account_id = session.scalars(
            sa.select(t.Account.id).join(t.Case, t.Case.customer_id == t.Account.customer_id)
            .where(t.Case.id == scene.top_case)
        ).one()  # fmt: skip
    typed = {"outcome": "rpc", "disposition": "ptp", "note": "Paid on Friday.", "account_id": account_id,
             "amount": "1,000.00", "due_on": "2026-03-06", "method": "transfer", "then": "next"}  # fmt: skip
    answer = client.post(f"/cases/{scene.top_case}/calls/{attempt_id}/outcome", data=typed)
    assert answer.status_code == 303
    assert answer.location == "/worklist/next"
    assert client.get("/worklist/next").location == f"/cases/{scene.second_case}"
    with units.database.reading() as session:
        attempt = session.get_one(t.ContactAttempt, attempt_id)
        promise = session.scalars(sa.select(t.Promise).where(t.Promise.attempt_id == attempt_id)).one()
    assert (attempt.outcome, attempt.disposition) == (Outcome.RPC, Disposition.PTP)
    assert (promise.amount, promise.due_on.isoformat()) == (100_000, "2026-03-06")
    assert "Called today" in client.get("/worklist?show=worked").text


def test_a_refused_promise_leaves_the_call_open_and_keeps_what_was_typed(
    units: UnitsOfWork, scene: Scene, log_in: LogIn
) -> None:
    attempt_id = _start(units, scene, log_in)
    client = log_in("mara")
    with units.database.reading() as session:
        case = session.get_one(t.Case, scene.top_case)
        account_id = session.scalars(sa.select(t.Account.id).where(t.Account.customer_id == case.customer_id)).one()
    typed = {"outcome": "rpc", "disposition": "ptp", "note": "Keep me.", "account_id": account_id,
             "amount": "999999.00", "due_on": "2026-03-06"}  # fmt: skip
    answer = client.post(f"/cases/{scene.top_case}/calls/{attempt_id}/outcome", data=typed)
    assert answer.status_code == 422
    assert "The promised amount is more than what is overdue." in answer.text
    assert "Keep me." in answer.text
    assert 'value="999999.00"' in answer.text
    with units.database.reading() as session:
        assert session.get_one(t.ContactAttempt, attempt_id).outcome is None


def test_a_disposition_that_needs_a_conversation_is_refused_without_one(
    units: UnitsOfWork, scene: Scene, log_in: LogIn
) -> None:
    attempt_id = _start(units, scene, log_in)
    url = f"/cases/{scene.top_case}/calls/{attempt_id}/outcome"
    answer = log_in("mara").post(url, data={"outcome": "no_answer", "disposition": "dispute"})
    assert answer.status_code == 422
    assert "needs a conversation" in answer.text
    nothing = log_in("mara").post(url, data={})
    assert "Choose what happened." in nothing.text


def test_a_stopped_customer_cannot_be_called_and_the_page_says_why(
    units: UnitsOfWork, scene: Scene, log_in: LogIn
) -> None:
    point_id = _point(units, scene.top_case)
    with units.begin() as uow:
        stop(uow.session, scene.top_case)
    client = log_in("mara")
    page = client.get(f"/cases/{scene.top_case}").text
    assert "Rule HS-DISPUTE" in page
    assert 'data-key="c"' not in page
    client.post(f"/cases/{scene.top_case}/calls", data={"point_id": point_id})
    with units.database.reading() as session:
        refused = session.scalars(sa.select(t.ContactAttempt).order_by(t.ContactAttempt.id.desc())).first()
        assert refused is not None
        assert refused.status is AttemptStatus.DENIED


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"amount": "abc", "due_on": "2026-03-06"}, "Write an amount in USD"),
        ({"amount": "10.00", "due_on": "soon"}, "Choose the day on which the customer will pay."),
        ({"amount": "10.00", "due_on": "2027-01-01"}, "more than 14 days away"),
        ({"amount": "-1", "due_on": "2026-03-06"}, "must be more than zero"),
        ({"amount": "10.00", "due_on": "2026-03-01"}, "lies in the past"),
        ({"amount": "10.00", "due_on": "2026-03-06", "account_id": "0"}, "Choose the account"),
    ],
)
def test_a_promise_that_cannot_be_says_why_beside_its_field(
    units: UnitsOfWork, scene: Scene, log_in: LogIn, typed: dict[str, str], says: str
) -> None:
    with units.database.reading() as session:
        case = session.get_one(t.Case, scene.top_case)
        account_id = session.scalars(sa.select(t.Account.id).where(t.Account.customer_id == case.customer_id)).one()
    answer = log_in("mara").post(f"/cases/{scene.top_case}/promises", data={"account_id": account_id} | typed)
    assert answer.status_code == 422
    assert says in answer.text


def test_a_note_is_added_and_an_empty_one_refused(scene: Scene, log_in: LogIn) -> None:
    client = log_in("mara")
    url = f"/cases/{scene.top_case}/notes"
    assert client.post(url, data={"text": "  "}).status_code == 422
    assert client.post(url, data={"text": "Calls back <b>tomorrow</b>"}).status_code == 303
    page = client.get(f"/cases/{scene.top_case}").text
    assert "Calls back &lt;b&gt;tomorrow&lt;/b&gt;" in page


def test_a_closed_case_offers_nothing_to_do(scene: Scene, log_in: LogIn) -> None:
    page = log_in("mara").get(f"/cases/{scene.closed_case}").text
    assert "This case is closed" in page
    assert "Record a promise" not in page


def test_a_search_with_one_answer_opens_it(scene: Scene, log_in: LogIn) -> None:
    answer = log_in("mara").post("/search", data={"q": "wilhelmina"})
    assert answer.location == f"/cases/{scene.top_case}"
    assert "Nothing found" in log_in("mara").post("/search", data={"q": "%%"}).text


def test_a_campaign_is_started_paused_and_resumed_once_each(units: UnitsOfWork, scene: Scene, log_in: LogIn) -> None:
    client, url = log_in("tom"), f"/campaigns/{scene.campaign}"
    for step, becomes in (("start", "running"), ("pause", "paused"), ("resume", "running"), ("stop", "stopped")):
        assert client.post(f"{url}/{step}").status_code == 303
        with units.database.reading() as session:
            assert session.get_one(t.Campaign, scene.campaign).status is CampaignStatus(becomes)
        assert client.post(f"{url}/{step}").status_code == 409
    assert client.post(f"{url}/explode").status_code == 404
    page = client.get(f"{url}/board").text
    assert "An open dispute stops collection" in page
    assert "<html" not in page


def test_a_verdict_is_given_once_per_finding(units: UnitsOfWork, scene: Scene, log_in: LogIn) -> None:
    client, url = log_in("sofia"), f"/recordings/{scene.flagged}"
    assert "if you do not pay today the police will come" in client.get(url).text
    given = {"finding_id": scene.findings[0], "verdict": "confirmed", "comment": "A clear threat."}
    assert client.post(f"{url}/reviews", data=given).status_code == 303
    again = client.post(f"{url}/reviews", data=given)
    assert again.status_code == 422
    assert "verdict on this already" in again.text
    wrong = client.post(f"{url}/reviews", data={"finding_id": scene.findings[1], "verdict": "guilty"})
    assert "A verdict is one of" in wrong.text
    with units.database.reading() as session:
        review = session.scalars(sa.select(t.Review)).one()
    assert (review.verdict, review.comment) == ("confirmed", "A clear threat.")


def test_a_call_of_the_blind_audit_is_judged_whole(units: UnitsOfWork, scene: Scene, log_in: LogIn) -> None:
    client, url = log_in("sofia"), f"/recordings/{scene.audited}"
    assert "Is there a breach in this call?" in client.get(url).text
    assert client.post(f"{url}/reviews", data={"verdict": "confirmed"}).status_code == 303
    assert "1 of 1 audited" in client.get("/").text


def test_the_sound_can_be_asked_for_in_parts(scene: Scene, log_in: LogIn) -> None:
    url = f"/recordings/{scene.flagged}/audio"
    with log_in("sofia").get(url, headers={"Range": "bytes=100-199"}) as part:
        assert part.status_code == 206
        assert len(part.data) == 100
        assert part.headers["Content-Range"].startswith("bytes 100-199/")
        assert part.mimetype == "audio/wav"


def test_runs_tell_their_steps(scene: Scene, log_in: LogIn) -> None:
    assert "3 of 3" in log_in("tom").get("/runs").text
    page = log_in("tom").get(f"/runs/{scene.run}").text
    assert "quarantined <b>2</b>" in page


def test_light_or_dark_is_remembered_and_comes_back_to_the_page(scene: Scene, log_in: LogIn) -> None:
    client = log_in("mara")
    answer = client.post("/theme", data={"theme": "dark", "next": "/worklist"})
    assert answer.location == "/worklist"
    assert 'data-theme="dark"' in client.get("/worklist").text
    assert client.post("/theme", data={"theme": "neon", "next": "//evil"}).location == "/"


def test_an_unexpected_failure_shows_one_sentence_and_nothing_of_the_inside(
    scene: Scene, log_in: LogIn, clock: FixedClock
) -> None:
    client = log_in("mara")
    answer = client.get("/worklist?after=nonsense")
    assert answer.status_code == 422
    assert "Start again from its top" in answer.text or "start again from its top" in answer.text
    assert client.get("/nothing-here").status_code == 404
