"""Text messages through Twilio's official SDK: the only file here that may import it."""

import logging
from datetime import timedelta
from typing import Any

import requests
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http import HttpClient
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client
from urllib3.exceptions import NewConnectionError

from collections_app.domain.errors import NotConfigured
from collections_app.gateways.sms import (
    GatewayError,
    GatewayRejected,
    GatewayUnavailable,
    GatewayUncertain,
    SendReceipt,
    SentQuery,
    SmsMessage,
    StatusReport,
)
from collections_app.gateways.twilio_codes import PROVIDER, SEND_ERRORS, Meaning, status_report

log = logging.getLogger(__name__)

_TIMEOUT_SECONDS = 10.0
# The carrier may not hold a message longer than this: released later, it could leave outside lawful hours.
_VALID_SECONDS = 600
_LOOKUP_SLACK = timedelta(minutes=2)


class TwilioSmsGateway:
    """Send by the Messages resource, once; no call is ever retried here."""

    name = PROVIDER

    def __init__(
        self,
        *,
        account_sid: str,
        auth_token: str,
        sender: str,
        public_url: str,
        http_client: HttpClient | None = None,
    ) -> None:
        missing = [
            name
            for name, value in (
                ("TWILIO_ACCOUNT_SID", account_sid),
                ("TWILIO_AUTH_TOKEN", auth_token),
                ("TWILIO_FROM", sender),
            )
            if not value
        ]
        if missing:
            raise NotConfigured(f"Twilio cannot send: set {', '.join(missing)}, or set SMS_GATEWAY=console")
        self._client = Client(account_sid, auth_token, http_client=http_client or _http_client())
        self._sender = {"messaging_service_sid" if sender.startswith("MG") else "from_": sender}
        self._callback = public_url.rstrip("/") + "/webhooks/twilio/status"

    def send(self, message: SmsMessage) -> SendReceipt:
        """Create one message; translate every failure into what it says about the message."""
        try:
            created = self._client.messages.create(
                to=message.to,
                body=message.body,
                # The attempt travels in the callback: a receipt finds it even when this answer gets lost.
                status_callback=f"{self._callback}?attempt={message.attempt_id}",
                validity_period=_VALID_SECONDS,
                **self._sender,
            )
        except TwilioRestException as error:
            raise _meaning_of(error) from error
        except (requests.RequestException, TwilioException, OSError) as error:
            if _never_connected(error):
                raise GatewayUnavailable("connect", "Twilio could not be reached") from error
            raise GatewayUncertain(type(error).__name__, "no clear answer from Twilio") from error
        if not created.sid:
            raise GatewayUncertain("no_sid", "Twilio answered without a reference")
        return SendReceipt(PROVIDER, created.sid)

    def find(self, query: SentQuery) -> StatusReport | None:
        """Look the message up by its reference, else by number, text and time; never create anything."""
        try:
            found = self._fetch(query)
        except TwilioRestException as error:
            if error.status == 404:
                return None
            raise _meaning_of(error) from error
        except (requests.RequestException, TwilioException, OSError) as error:
            raise GatewayUnavailable(type(error).__name__, "Twilio could not be asked") from error
        if found is None or not found.sid:
            return None
        return status_report(
            provider_ref=found.sid,
            word=str(found.status),
            error_code=str(found.error_code) if found.error_code else None,
            attempt_id=query.attempt_id,
        )

    def _fetch(self, query: SentQuery) -> Any:
        if query.provider_ref:
            return self._client.messages(query.provider_ref).fetch()
        candidates = self._client.messages.list(
            to=query.to,
            date_sent_after=query.sent_at - _LOOKUP_SLACK,
            date_sent_before=query.sent_at + timedelta(seconds=_VALID_SECONDS) + _LOOKUP_SLACK,
            limit=50,
        )
        return next((m for m in candidates if m.body == query.body), None)


def _http_client() -> HttpClient:
    # The SDK logs whole URLs at INFO, and ours carry phone numbers: its logger is kept to warnings.
    quiet = logging.getLogger("twilio.quiet")
    quiet.setLevel(logging.WARNING)
    return TwilioHttpClient(timeout=_TIMEOUT_SECONDS, logger=quiet)


def _never_connected(error: Exception) -> bool:
    """Tell whether the failure came before a single byte of the request could leave."""
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.ProxyError):
        return True
    cause = error.args[0] if error.args else None
    return isinstance(getattr(cause, "reason", cause), NewConnectionError)


def _meaning_of(error: TwilioRestException) -> GatewayError:
    code = str(error.code or error.status)
    meaning = SEND_ERRORS.get(code)
    if meaning is Meaning.UNAVAILABLE or (meaning is None and error.status in (401, 403, 429)):
        return GatewayUnavailable(code, "Twilio does not accept messages now")
    if meaning is None:
        log.warning("unknown Twilio answer: status %s, code %s", error.status, code)
        return GatewayUncertain(code, "Twilio answered something we do not know")
    return GatewayRejected(
        code,
        f"Twilio refused the message ({code})",
        is_opt_out=meaning is Meaning.OPTED_OUT,
        is_dead_number=meaning is Meaning.DEAD_NUMBER,
    )
