"""Twilio's callbacks over HTTP: signed ones are stored, unsigned ones are refused."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from twilio.request_validator import RequestValidator

from collections_app.config import Settings
from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.contact import AttemptStatus, Channel, Mode
from collections_app.gateways.blobs import BlobStore
from collections_app.web import access
from collections_app.web.backend import NAME, Backend
from collections_app.web.webhooks.twilio import blueprint
from strategies.packs import DEFAULT_PACKS, load_packs
from tests.factories import NOW, make_attempt

TOKEN = "a-token-of-the-test"
PUBLIC = "https://collect.example.com"


@pytest.fixture
def web(units: UnitsOfWork, tmp_path: Path) -> FlaskClient:
    """Return a client of an app that holds nothing but the webhooks, with all guards on."""
    app = Flask("webhooks")
    app.secret_key = "x" * 32
    settings = Settings.from_env({"TWILIO_AUTH_TOKEN": TOKEN, "PUBLIC_URL": PUBLIC + "/"})
    app.extensions[NAME] = Backend(
        settings=settings,
        units=units,
        packs=load_packs(DEFAULT_PACKS),
        blobs=BlobStore(tmp_path),
        zone=ZoneInfo("UTC"),
    )
    access.install(app)
    app.register_blueprint(blueprint)
    return app.test_client()


def _post(web: FlaskClient, path: str, form: dict[str, str], *, signed_as: str | None = None) -> int:
    signature = RequestValidator(TOKEN).compute_signature(PUBLIC + (signed_as or path), form)
    return web.post(path, data=form, headers={"X-Twilio-Signature": signature}).status_code


def test_a_signed_status_moves_the_attempt(web: FlaskClient, units: UnitsOfWork) -> None:
    with units.begin() as uow:
        attempt_id = make_attempt(uow.session, status=AttemptStatus.SENDING, dispatched_at=NOW).id
    path = f"/webhooks/twilio/status?attempt={attempt_id}"
    form = {"MessageSid": "SM1", "MessageStatus": "delivered", "To": "+15125550199"}
    assert _post(web, path, form) == 204
    assert _post(web, path, form) == 204
    with units.database.reading() as session:
        attempt = session.get_one(t.ContactAttempt, attempt_id)
        assert (attempt.status, attempt.provider, attempt.provider_ref) == ("delivered", "twilio", "SM1")
        assert len(session.scalars(sa.select(t.Receipt)).all()) == 1


def test_a_signed_stop_is_taken_and_answered_with_an_empty_document(web: FlaskClient, units: UnitsOfWork) -> None:
    with units.begin() as uow:
        attempt = make_attempt(uow.session)
        number = uow.session.get_one(t.ContactPoint, attempt.contact_point_id).value
    form = {"MessageSid": "SM2", "From": number, "To": "+15125550100", "Body": "STOP"}
    signature = RequestValidator(TOKEN).compute_signature(PUBLIC + "/webhooks/twilio/inbound", form)
    answer = web.post("/webhooks/twilio/inbound", data=form, headers={"X-Twilio-Signature": signature})
    assert (answer.status_code, answer.mimetype) == (200, "text/xml")
    assert "<Response/>" in answer.text
    with units.database.reading() as session:
        assert len(session.scalars(sa.select(t.OptOut)).all()) == 1


@pytest.mark.parametrize("path", ["/webhooks/twilio/status", "/webhooks/twilio/inbound"])
@pytest.mark.parametrize("signature", [None, "", "bm9uc2Vuc2U="])
def test_an_unsigned_post_is_refused_and_stores_nothing(
    web: FlaskClient, units: UnitsOfWork, path: str, signature: str | None
) -> None:
    headers = {} if signature is None else {"X-Twilio-Signature": signature}
    form = {"MessageSid": "SM1", "MessageStatus": "delivered", "From": "+15125550199", "Body": "STOP"}
    assert web.post(path, data=form, headers=headers).status_code == 403
    with units.database.reading() as session:
        assert session.scalars(sa.select(t.Receipt)).all() == []
        assert session.scalars(sa.select(t.InboundMessage)).all() == []


def test_the_query_is_part_of_what_is_signed(web: FlaskClient) -> None:
    form = {"MessageSid": "SM1", "MessageStatus": "delivered"}
    assert _post(web, "/webhooks/twilio/status?attempt=8", form, signed_as="/webhooks/twilio/status?attempt=7") == 403


@pytest.mark.parametrize("form", [{}, {"MessageSid": "SM1"}, {"MessageStatus": "sent"}])
def test_a_signed_post_that_lacks_a_field_is_a_bad_request(web: FlaskClient, form: dict[str, str]) -> None:
    assert _post(web, "/webhooks/twilio/status", form) == 400


def _say(web: FlaskClient, path: str, form: dict[str, str]) -> str:
    signature = RequestValidator(TOKEN).compute_signature(PUBLIC + path, form)
    answer = web.post(path, data=form, headers={"X-Twilio-Signature": signature})
    assert (answer.status_code, answer.mimetype) == (200, "text/xml")
    return answer.text


def test_a_robot_call_is_walked_turn_by_turn_and_names_no_debt_before_the_identity(
    web: FlaskClient, units: UnitsOfWork
) -> None:
    with units.begin() as uow:
        attempt = make_attempt(
            uow.session, channel=Channel.VOICE, mode=Mode.AI_VOICE, status=AttemptStatus.SENDING, dispatched_at=NOW
        )
        account = uow.session.scalars(sa.select(t.Account).where(t.Account.customer_id == attempt.customer_id)).one()
        account.account_ref = "card-4417"
        attempt_id = attempt.id
    path = f"/webhooks/twilio/voice?attempt={attempt_id}"
    greeting = _say(web, path, {"CallSid": "CA1"})
    asked = _say(web, path, {"CallSid": "CA1", "SpeechResult": "yes speaking"})
    for before in (greeting, asked):
        assert "payment" not in before.lower()
    told = _say(web, path, {"CallSid": "CA1", "SpeechResult": "four four one seven"})
    assert "your payment was due" in told.lower()
    status = f"/webhooks/twilio/voice/status?attempt={attempt_id}"
    assert _post(web, status, {"CallSid": "CA1", "CallStatus": "completed", "CallDuration": "41"}) == 204
    assert _post(web, status, {"CallSid": "CA1", "CallStatus": "completed", "CallDuration": "41"}) == 204
    with units.database.reading() as session:
        settled = session.get_one(t.ContactAttempt, attempt_id)
        assert settled.outcome is not None
        assert len(session.scalars(sa.select(t.RobotCall)).one().turns) >= 2


def test_an_unsigned_turn_is_refused(web: FlaskClient) -> None:
    assert web.post("/webhooks/twilio/voice?attempt=1", data={}).status_code == 403
