"""How personal data leaves the database for a screen: phones as 3 + 4, mail as first letter + domain."""

import re
from functools import lru_cache

import phonenumbers

from collections_app.domain.contact import PointKind

_DOTS = "•••"


def mask_point(kind: PointKind, value: str) -> str:
    """Return what an agent may see of a contact point."""
    if kind is PointKind.EMAIL:
        name, _, domain = value.partition("@")
        return f"{name[:1]}{_DOTS}@{domain}"
    if kind is PointKind.POSTAL:
        return f"{value[:3]}{_DOTS}"
    return mask_phone(value)


@lru_cache(maxsize=4096)
def mask_phone(value: str) -> str:
    """Keep the country code, the first three and the last four digits of a number."""
    try:
        number = phonenumbers.parse(value, None)
    except phonenumbers.NumberParseException:
        digits = re.sub(r"\D", "", value)
        return f"{digits[:3]} {_DOTS} {digits[-4:]}" if len(digits) > 7 else _DOTS
    national = str(number.national_number)
    return f"+{number.country_code} {national[:3]} {_DOTS} {national[-4:]}"
