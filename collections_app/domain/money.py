"""Money as whole minor units and a currency; never a float (domain brief §0.1)."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from collections_app.domain.errors import InvalidInput

# ISO 4217 exponents that are not 2. Amounts in these currencies have no, or three, decimals.
_EXPONENTS = {
    "BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0, "RWF": 0,
    "UGX": 0, "UYI": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
    "BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
}  # fmt: skip


def exponent(currency: str) -> int:
    """Return the number of decimals of an ISO 4217 currency."""
    return _EXPONENTS.get(currency, 2)


def to_minor(text: str, currency: str) -> int:
    """Read a decimal amount as minor units; refuse more decimals than the currency has."""
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        raise InvalidInput(f"{text!r} is not an amount; write digits and one decimal point") from None
    if not value.is_finite():
        raise InvalidInput(f"{text!r} is not a finite amount")
    scaled = value.scaleb(exponent(currency))
    if scaled != scaled.to_integral_value():
        raise InvalidInput(f"{text!r} has more decimals than {currency} allows ({exponent(currency)})")
    return int(scaled)


@dataclass(frozen=True, order=True)
class Money:
    """An amount in minor units of one currency. Arithmetic across currencies is refused."""

    minor: int
    currency: str

    def __add__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.minor + other.minor, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.minor - other.minor, self.currency)

    def _same(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise InvalidInput(f"cannot combine {self.currency} with {other.currency}")

    def decimal(self) -> Decimal:
        """Return the amount in major units, exact."""
        return Decimal(self.minor).scaleb(-exponent(self.currency))

    def __str__(self) -> str:
        return f"{self.decimal():,.{exponent(self.currency)}f} {self.currency}"
