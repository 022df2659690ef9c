"""Rates as the house counts them: what counts as cash, what absorbs, how sure a share is (domain brief §2.3, §2.4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import sqrt

from collections_app.domain.contact import Channel

# Only money counts as cash, and a reversal takes back what it reverses (§8.4).
CASH_SIGN = {"payment": 1, "writeoff_recovery": 1, "reversal": -1, "chargeback": -1, "refund": -1}

# States that an account does not come back from; the status that a source tells -> the state of the matrix (§2.3).
ABSORBING = {"closed": "paid_off", "settled": "paid_off", "charged_off": "charged_off", "sold": "sold"}
PAID_OFF, CHARGED_OFF, SOLD = "paid_off", "charged_off", "sold"

# Channels that cost money for each use. A cure after one of them is not a self-cure (§2.3, strict reading).
PAID_CHANNELS = (Channel.VOICE, Channel.SMS, Channel.LETTER, Channel.VISIT)

_Z95 = 1.959964  # two-sided 95 %


@dataclass(frozen=True)
class Share:
    """``part`` of ``whole`` with its Wilson interval at 95 %. All three are None when the whole is nothing."""

    value: float | None
    low: float | None
    high: float | None


def ratio(part: int, whole: int) -> float | None:
    """Return part / whole; nothing to divide by is not known, never 0."""
    return part / whole if whole else None


def share(part: int, whole: int) -> Share:
    """Return a share of counted things with its interval (Wilson 1927): honest for few things and for 0 and 1."""
    if not whole:
        return Share(None, None, None)
    p, z2 = part / whole, _Z95**2
    centre = (p + z2 / (2 * whole)) / (1 + z2 / whole)
    half = _Z95 / (1 + z2 / whole) * sqrt(p * (1 - p) / whole + z2 / (4 * whole * whole))
    return Share(p, max(0.0, centre - half), min(1.0, centre + half))


def roll_to_loss(forward: Sequence[float | None]) -> list[float | None]:
    """Return for each bucket the product of its own and all later forward rates, the last one into charge-off.

    It assumes that a month forgets the one before (Markov, §2.3). Unknown as soon as one rate on the way is.
    """
    products: list[float | None] = []
    product: float | None = 1.0
    for rate in reversed(forward):
        product = None if product is None or rate is None else product * rate
        products.append(product)
    return products[::-1]


def is_month_end(on: date) -> bool:
    """Tell whether a day is the last of its month."""
    return (on + timedelta(days=1)).day == 1


def last_month_ends(as_of: date) -> tuple[date, date]:
    """Return the two latest month ends that are not after ``as_of``, the earlier first."""
    end = as_of if is_month_end(as_of) else as_of.replace(day=1) - timedelta(days=1)
    return end.replace(day=1) - timedelta(days=1), end
