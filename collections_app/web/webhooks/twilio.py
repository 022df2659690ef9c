"""Twilio's callbacks: verify the signature, store, acknowledge; and the next line of a robot call.

The posts come without a session; what admits them is the signature over the whole URL and every field.
"""

from functools import wraps
from typing import Any

from flask import Blueprint, Response, abort, request

from collections_app.domain.permissions import Actor, Role
from collections_app.gateways.twilio_codes import PROVIDER, status_report
from collections_app.gateways.twilio_signature import is_genuine
from collections_app.services import receipts, robocalls
from collections_app.web.access import View, csrf, public
from collections_app.web.backend import backend, writing

blueprint = Blueprint("twilio_webhooks", __name__, url_prefix="/webhooks/twilio")
csrf.exempt(blueprint)  # the signature stands in for the token

CARRIER = Actor(id=None, name="twilio", role=Role.SYSTEM)
_NO_ANSWER = '<?xml version="1.0" encoding="UTF-8"?><Response/>'


def signed(view: View) -> View:
    """Refuse a post that Twilio did not sign with our token."""

    @wraps(view)
    def verified(*args: Any, **kwargs: Any) -> Response:
        settings = backend().settings
        form = {name: request.form.getlist(name) for name in request.form}
        given = request.headers.get("X-Twilio-Signature")
        # The public address, not the one a proxy forwarded to: that is what Twilio called and signed.
        query = f"?{request.query_string.decode()}" if request.query_string else ""
        url = settings.public_url.rstrip("/") + request.path + query
        if not is_genuine(settings.twilio_auth_token, url, form, given):
            abort(403)
        answer: Response = view(*args, **kwargs)
        return answer

    return public(verified)  # type: ignore[return-value]


@blueprint.post("/status")
@signed
def status() -> Response:
    """Take a status callback of a message."""
    sid, word = request.form.get("MessageSid"), request.form.get("MessageStatus")
    if not sid or not word:
        abort(400)
    report = status_report(
        provider_ref=sid[:64],
        word=word[:32],
        error_code=(request.form.get("ErrorCode") or None),
        attempt_id=request.args.get("attempt", type=int),
    )
    with writing(CARRIER) as uow:
        receipts.apply_receipt(uow, report)
    return Response(status=204)


@blueprint.post("/inbound")
@signed
def inbound() -> Response:
    """Take a message that a customer wrote; any answer leaves through dispatch, not here."""
    sid, sender = request.form.get("MessageSid"), request.form.get("From")
    if not sid or not sender:
        abort(400)
    with writing(CARRIER) as uow:
        receipts.receive_message(
            uow,
            provider=PROVIDER,
            provider_ref=sid[:64],
            sender=sender[:200],
            body=request.form.get("Body", ""),
        )
    return Response(_NO_ANSWER, mimetype="text/xml")


@blueprint.post("/voice")
@signed
def voice() -> Response:
    """Answer the carrier that waits on the line of a robot call with the next thing to say."""
    attempt_id = request.args.get("attempt", type=int)
    if attempt_id is None:
        abort(400)
    form = request.form
    with writing(CARRIER) as uow:
        said = robocalls.next_turn(
            uow,
            attempt_id=attempt_id,
            heard=form.get("SpeechResult") or form.get("Digits"),
            action_url=f"{backend().settings.public_url.rstrip('/')}{request.path}?attempt={attempt_id}",
            answered_by_machine=form.get("AnsweredBy", "").startswith(("machine", "fax")),
        )
    return Response(said, mimetype="text/xml")


@blueprint.post("/voice/status")
@signed
def voice_status() -> Response:
    """Take the last word of the carrier on a robot call."""
    attempt_id, word = request.args.get("attempt", type=int), request.form.get("CallStatus")
    if attempt_id is None or not word:
        abort(400)
    seconds = request.form.get("CallDuration", default=0, type=int)
    with writing(CARRIER) as uow:
        robocalls.close_call(uow, attempt_id=attempt_id, carrier_status=word[:32], seconds=seconds)
    return Response(status=204)
