"""Twilio places the call and then asks our webhook for each line. One of the SDK's two doors."""

import requests
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from collections_app.domain.errors import NotConfigured
from voice.calls import CallOrder, CallResult, CallStatus

_RING_SECONDS = 25


class TwilioCarrier:
    """Places outbound calls, recorded in two channels, with answering-machine detection."""

    name = "twilio"

    def __init__(
        self, *, account_sid: str, auth_token: str, sender: str, public_url: str, client: Client | None = None
    ) -> None:
        """Take the credentials; raise NotConfigured that names every missing one."""
        given = {"TWILIO_ACCOUNT_SID": account_sid, "TWILIO_AUTH_TOKEN": auth_token, "TWILIO_FROM": sender}
        missing = [name for name, value in given.items() if not value]
        if missing:
            names = " and ".join(missing)
            raise NotConfigured(f"robot calls through Twilio need {names}: set them, or CARRIER=simulator")
        self._client = client or Client(account_sid, auth_token)
        self._sender = sender
        self._webhook = public_url.rstrip("/") + "/webhooks/twilio/voice"

    def place(self, order: CallOrder) -> CallResult:
        """Order the call once. No answer from Twilio means that it may ring: uncertain, never repeated."""
        try:
            call = self._client.calls.create(
                to=order.to,
                from_=self._sender,
                url=f"{self._webhook}?attempt={order.attempt_id}",
                method="POST",
                status_callback=f"{self._webhook}/status?attempt={order.attempt_id}",
                status_callback_event=["completed"],
                status_callback_method="POST",
                record=True,
                recording_channels="dual",
                machine_detection="Enable",
                timeout=_RING_SECONDS,
            )
        except TwilioRestException as error:
            # A 4xx is Twilio's clear no; anything else may have been placed before it failed.
            refused = 400 <= error.status < 500 and error.status != 408
            status = CallStatus.REFUSED if refused else CallStatus.UNCERTAIN
            return CallResult(status, self.name, error_code=str(error.code or error.status))
        except requests.ConnectTimeout:
            return CallResult(CallStatus.REFUSED, self.name, error_code="unreachable")
        except requests.RequestException as error:
            return CallResult(CallStatus.UNCERTAIN, self.name, error_code=type(error).__name__[:32])
        return CallResult(CallStatus.PLACED, self.name, provider_ref=call.sid)
