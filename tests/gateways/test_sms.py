"""One contract for every text gateway; and the real requests of Twilio's SDK against Twilio's description."""

import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from jsonschema import Draft202012Validator
from requests.adapters import BaseAdapter
from twilio.http.http_client import TwilioHttpClient

from collections_app.domain.contact import AttemptStatus
from collections_app.domain.errors import NotConfigured
from collections_app.gateways.sms import (
    GatewayRejected,
    GatewayUnavailable,
    GatewayUncertain,
    SentQuery,
    SmsGateway,
    SmsMessage,
    StatusReport,
    mask_number,
    segments,
)
from collections_app.gateways.sms_console import INVALID_NUMBER, OPTED_OUT_NUMBER, ConsoleSmsGateway
from collections_app.gateways.sms_twilio import TwilioSmsGateway
from collections_app.gateways.twilio_codes import STATUSES, status_report

SID = "AC" + "0" * 32
TO = "+15125550199"
SENT_AT = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)


@dataclass
class CarrierSimulator(BaseAdapter):
    """Twilio's Messages resource behind the SDK's own HTTP session: real requests, no network."""

    failure: Exception | tuple[int, int] | None = None
    seen: list[requests.PreparedRequest] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    numbers: Any = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        super().__init__()

    def close(self) -> None: ...

    def send(self, request: requests.PreparedRequest, *_args: Any, **_kw: Any) -> requests.Response:  # type: ignore[override]
        self.seen.append(request)
        if isinstance(self.failure, Exception):
            raise self.failure
        if self.failure is not None:
            status, code = self.failure
            return self._answer(request, status, {"code": code, "message": "no", "status": status})
        if request.method == "GET":
            return self._look_up(request)
        form = {k: v[0] for k, v in parse_qs(str(request.body)).items()}
        refused = {INVALID_NUMBER: 21211, OPTED_OUT_NUMBER: 21610}.get(form["To"])
        if refused:
            return self._answer(request, 400, {"code": refused, "message": "no", "status": 400})
        made = {
            "sid": f"SM{next(self.numbers):032x}",
            "to": form["To"],
            "body": form["Body"],
            "status": "queued",
        }
        self.messages.append(made)
        return self._answer(request, 201, made)

    def _look_up(self, request: requests.PreparedRequest) -> requests.Response:
        path = urlsplit(str(request.url)).path
        by_sid = re.search(r"/Messages/(\w+)\.json", path)
        if by_sid:
            found = [m for m in self.messages if m["sid"] == by_sid[1]]
            return self._answer(request, 200 if found else 404, found[0] if found else {"code": 20404})
        wanted = parse_qs(urlsplit(str(request.url)).query)["To"][0]
        found = [m for m in self.messages if m["to"] == wanted]
        return self._answer(request, 200, {"messages": found, "page": 0, "page_size": 50, "uri": "/"})

    @staticmethod
    def _answer(request: requests.PreparedRequest, status: int, body: dict[str, Any]) -> requests.Response:
        response = requests.Response()
        response.status_code, response.request = status, request
        response.raw = io.BytesIO(json.dumps(body).encode())
        response.headers["Content-Type"] = "application/json"
        return response


def _twilio(carrier: CarrierSimulator, **over: str) -> TwilioSmsGateway:
    http = TwilioHttpClient(timeout=1)
    http.session.mount("https://", carrier)  # type: ignore[union-attr]
    values = {"account_sid": SID, "auth_token": "t" * 32, "sender": "+15125550100",
              "public_url": "https://collect.example.com"} | over  # fmt: skip
    return TwilioSmsGateway(**values, http_client=http)


def _make_twilio() -> SmsGateway:
    return _twilio(CarrierSimulator())


def _make_console() -> SmsGateway:
    return ConsoleSmsGateway(io.StringIO())


@pytest.mark.parametrize("make", [_make_twilio, _make_console])
class TestEveryGateway:
    """What dispatch relies on, whoever carries."""

    def test_a_sent_message_has_a_reference_of_its_own(self, make: Callable[[], SmsGateway]) -> None:
        gateway = make()
        first = gateway.send(SmsMessage(1, TO, "hello"))
        second = gateway.send(SmsMessage(2, TO, "hello"))
        assert first.provider == gateway.name
        assert first.provider_ref != second.provider_ref
        assert 0 < len(first.provider_ref) <= 64

    def test_an_impossible_number_is_rejected_as_dead(self, make: Callable[[], SmsGateway]) -> None:
        with pytest.raises(GatewayRejected) as refused:
            make().send(SmsMessage(1, INVALID_NUMBER, "hello"))
        assert (refused.value.code, refused.value.is_dead_number, refused.value.is_opt_out) == (
            "21211",
            True,
            False,
        )

    def test_a_number_that_opted_out_is_rejected_as_such(self, make: Callable[[], SmsGateway]) -> None:
        with pytest.raises(GatewayRejected) as refused:
            make().send(SmsMessage(1, OPTED_OUT_NUMBER, "hello"))
        assert (refused.value.code, refused.value.is_opt_out) == ("21610", True)

    def test_a_message_can_be_found_again_without_its_reference(self, make: Callable[[], SmsGateway]) -> None:
        gateway = make()
        sent = gateway.send(SmsMessage(7, TO, "hello"))
        found = gateway.find(SentQuery(7, TO, "hello", SENT_AT))
        assert found is not None
        assert found.provider_ref == sent.provider_ref
        again = gateway.find(SentQuery(7, TO, "hello", SENT_AT, provider_ref=sent.provider_ref))
        assert again is not None

    def test_what_was_never_sent_is_not_found(self, make: Callable[[], SmsGateway]) -> None:
        assert make().find(SentQuery(7, TO, "hello", SENT_AT)) is None


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (requests.ConnectTimeout(), GatewayUnavailable),
        (requests.ReadTimeout(), GatewayUncertain),
        (requests.ConnectionError("reset by peer"), GatewayUncertain),
        ((500, 20500), GatewayUncertain),
        ((503, 20503), GatewayUncertain),
        ((429, 20429), GatewayUnavailable),
        ((401, 20003), GatewayUnavailable),
        ((400, 21617), GatewayRejected),
        ((400, 30460), GatewayRejected),
        ((400, 99999), GatewayUncertain),
    ],
)
def test_every_failure_of_twilio_is_one_of_three(failure: Any, expected: type[Exception]) -> None:
    with pytest.raises(expected):
        _twilio(CarrierSimulator(failure=failure)).send(SmsMessage(1, TO, "hello"))


def test_a_refused_connection_is_known_not_to_have_sent() -> None:
    http = TwilioHttpClient(timeout=1)

    class Nowhere(requests.adapters.HTTPAdapter):
        def send(self, request: requests.PreparedRequest, *args: Any, **kw: Any) -> requests.Response:
            request.url = "http://127.0.0.1:1/"
            return super().send(request, *args, **kw)

    http.session.mount("https://", Nowhere())  # type: ignore[union-attr]
    gateway = TwilioSmsGateway(account_sid=SID, auth_token="t", sender="+15125550100", public_url="https://x.example",
                               http_client=http)  # fmt: skip
    with pytest.raises(GatewayUnavailable):
        gateway.send(SmsMessage(1, TO, "hello"))


def test_a_failed_send_is_asked_for_once_and_never_retried() -> None:
    carrier = CarrierSimulator(failure=requests.ReadTimeout())
    with pytest.raises(GatewayUncertain):
        _twilio(carrier).send(SmsMessage(1, TO, "hello"))
    assert len(carrier.seen) == 1


def test_missing_credentials_are_named_in_one_sentence() -> None:
    with pytest.raises(NotConfigured, match="TWILIO_AUTH_TOKEN, TWILIO_FROM"):
        TwilioSmsGateway(account_sid=SID, auth_token="", sender="", public_url="https://x.example")


@pytest.mark.real_data
@pytest.mark.parametrize(("sender", "name"), [("+15125550100", "From"), ("MG" + "0" * 32, "MessagingServiceSid")])
def test_the_request_is_one_that_twilios_own_description_admits(shared: Path, sender: str, name: str) -> None:
    carrier = CarrierSimulator()
    _twilio(carrier, sender=sender).send(SmsMessage(41, TO, "您好 hello"))
    request = carrier.seen[0]
    api = json.loads((shared / "data/twilio_oai/twilio_api_v2010.json").read_text(encoding="utf-8"))
    operation = api["paths"]["/2010-04-01/Accounts/{AccountSid}/Messages.json"]["post"]
    content = operation["requestBody"]["content"]["application/x-www-form-urlencoded"]

    assert request.method == "POST"
    assert request.url == f"https://api.twilio.com/2010-04-01/Accounts/{SID}/Messages.json"
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    form = {k: v[0] for k, v in parse_qs(str(request.body)).items()}
    assert set(form) <= set(content["schema"]["properties"])
    typed = form | {"ValidityPeriod": int(form["ValidityPeriod"])}
    schema = content["schema"] | {"components": api["components"]}
    assert list(Draft202012Validator(schema).iter_errors(typed)) == []
    assert form[name] == sender
    assert form["StatusCallback"] == "https://collect.example.com/webhooks/twilio/status?attempt=41"


@pytest.mark.real_data
def test_every_status_that_twilio_describes_is_translated(shared: Path) -> None:
    api = json.loads((shared / "data/twilio_oai/twilio_api_v2010.json").read_text(encoding="utf-8"))
    words = set(api["components"]["schemas"]["message_enum_status"]["enum"]) - {"receiving", "received"}
    assert words == set(STATUSES)


def test_an_unknown_status_changes_nothing_but_is_kept() -> None:
    report = status_report(provider_ref="SM1", word="teleported", error_code=None)
    assert (report.word, report.status) == ("teleported", None)


def test_the_console_writes_a_masked_number_and_no_text_and_reports_delivery() -> None:
    stream, reports = io.StringIO(), list[StatusReport]()
    ConsoleSmsGateway(stream, on_receipt=reports.append).send(SmsMessage(3, TO, "a private text"))
    line = json.loads(stream.getvalue())
    assert TO not in stream.getvalue()
    assert "private" not in stream.getvalue()
    assert line["simulated"] is True
    assert [(r.attempt_id, r.status) for r in reports] == [(3, AttemptStatus.DELIVERED)]


@pytest.mark.parametrize(
    ("body", "parts"), [("x" * 160, 1), ("x" * 161, 2), ("好" * 70, 1), ("好" * 71, 2), ("好" * 135, 3)]
)
def test_segments_are_counted_as_carriers_bill_them(body: str, parts: int) -> None:
    assert segments(body) == parts


def test_a_masked_number_keeps_country_and_last_two_digits() -> None:
    assert mask_number(TO) == "+1********99"
