"""Our signature check against Twilio's own validator."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from collections_app.gateways.twilio_signature import is_genuine, signature

TOKEN = "0123456789abcdef0123456789abcdef"
FORM = {"MessageSid": ["SM1"], "MessageStatus": ["delivered"], "Body": ["您好 & hello=+1"]}


@given(st.dictionaries(st.text(min_size=1, max_size=10), st.text(max_size=30), max_size=6))
def test_we_sign_as_twilio_does(form: dict[str, str]) -> None:
    url = "https://example.com/webhooks/twilio/status?attempt=7"
    assert signature(TOKEN, url, {k: [v] for k, v in form.items()}) == RequestValidator(TOKEN).compute_signature(
        url, form
    )


@pytest.mark.parametrize(
    ("signed_url", "seen_url"),
    [
        ("https://example.com/a?b=1", "https://example.com/a?b=1"),
        ("https://example.com:443/a", "https://example.com/a"),
        ("https://example.com/a", "https://example.com:443/a"),
        ("http://example.com:8000/a", "http://example.com:8000/a"),
        ("http://example.com/a", "http://example.com:8000/a"),
    ],
)
def test_the_port_may_be_signed_or_not_as_twilio_validates_it(signed_url: str, seen_url: str) -> None:
    given_signature = signature(TOKEN, signed_url, FORM)
    theirs = RequestValidator(TOKEN).validate(seen_url, {k: v[0] for k, v in FORM.items()}, given_signature)
    assert is_genuine(TOKEN, seen_url, FORM, given_signature) is theirs is True


def test_a_changed_field_a_changed_address_or_another_token_is_not_genuine() -> None:
    url = "https://example.com/a"
    good = signature(TOKEN, url, FORM)
    assert not is_genuine(TOKEN, url, FORM | {"MessageStatus": ["failed"]}, good)
    assert not is_genuine(TOKEN, "https://example.com/b", FORM, good)
    assert not is_genuine("another", url, FORM, good)


@pytest.mark.parametrize(("token", "given_signature"), [(TOKEN, None), (TOKEN, ""), ("", "x"), (TOKEN, "ünicode")])
def test_no_signature_or_no_token_is_not_genuine(token: str, given_signature: str | None) -> None:
    assert not is_genuine(token, "https://example.com/a", FORM, given_signature)
