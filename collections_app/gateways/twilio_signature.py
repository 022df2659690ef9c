"""Twilio's webhook signature, with the standard library only: a web worker never loads the SDK."""

import base64
import hmac
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit, urlunsplit

_DEFAULT_PORTS = {"https": 443, "http": 80}


def signature(token: str, url: str, form: Mapping[str, Iterable[str]]) -> str:
    """Return the signature of a form post: HMAC-SHA1 of the URL and every field, sorted, unseparated."""
    text = url + "".join(name + value for name in sorted(form) for value in sorted(set(form[name])))
    # SHA-1 is Twilio's choice; as a keyed HMAC it is not affected by collisions.
    return base64.b64encode(hmac.digest(token.encode(), text.encode(), "sha1")).decode()


def is_genuine(token: str, url: str, form: Mapping[str, Iterable[str]], given: str | None) -> bool:
    """Tell whether the post was signed with our token. No token or no signature = no."""
    if not token or not given:
        return False
    return any(
        hmac.compare_digest(signature(token, form_of_url, form).encode(), given.encode())
        for form_of_url in _with_and_without_port(url)
    )


def _with_and_without_port(url: str) -> tuple[str, str]:
    """Return both spellings: Twilio is not consistent about the port that it signs."""
    parts = urlsplit(url)
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 80)
    bare = parts.netloc.removesuffix(f":{parts.port}") if parts.port else parts.netloc
    return (
        urlunsplit(parts._replace(netloc=bare)),
        urlunsplit(parts._replace(netloc=f"{bare}:{port}")),
    )
