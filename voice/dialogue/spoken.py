"""Amounts, dates and digits as they are spoken in English, both ways."""

import calendar
import re
from datetime import date, timedelta

from voice.phrases import normalise

_UNITS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ORDINALS = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh",
    "twelfth",
    "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth",
)  # fmt: skip
_VALUES = {w: n for n, w in enumerate(_UNITS)} | {w: 10 * n for n, w in enumerate(_TENS) if w}
_ORDINAL_VALUES = {w: n for n, w in enumerate(_ORDINALS, 1)} | {"twentieth": 20, "thirtieth": 30}
_DIGITS = {w: str(n) for n, w in enumerate(_UNITS[:10])} | {"oh": "0"}
_MONTHS = [m.lower() for m in calendar.month_name]
_DAYS = [d.lower() for d in calendar.day_name]
_CURRENCIES = {"USD": "dollars", "TWD": "dollars", "GBP": "pounds", "EUR": "euros"}
_MAJOR = {"dollar", "dollars", "pounds", "euros", "bucks"}


def say_number(number: int) -> str:
    """Spell 0 to 999,999."""
    if number < 20:
        return _UNITS[number]
    if number < 100:
        tens, rest = divmod(number, 10)
        return _TENS[tens] + (f" {_UNITS[rest]}" if rest else "")
    size, name = (100, "hundred") if number < 1000 else (1000, "thousand")
    high, rest = divmod(number, size)
    return f"{say_number(high)} {name}" + (f" {say_number(rest)}" if rest else "")


def can_say(currency: str) -> bool:
    """Tell whether amounts of this currency have English words here."""
    return currency in _CURRENCIES


def say_amount(minor: int, currency: str) -> str:
    """Spell an amount of a currency with cents, as a robot says it."""
    unit = _CURRENCIES.get(currency)
    if unit is None:
        raise ValueError(f"the English script cannot say amounts in {currency}; it knows {', '.join(_CURRENCIES)}")
    whole, cents = divmod(minor, 100)
    spoken = f"{say_number(whole)} {unit}"
    return f"{spoken} and {say_number(cents)} cents" if cents else spoken


def say_date(day: date) -> str:
    """Say a date as weekday, month and ordinal."""
    return f"{_DAYS[day.weekday()]} {_MONTHS[day.month]} {_ordinal(day.day)}"


def _ordinal(number: int) -> str:
    if number < 20:
        return _ORDINALS[number - 1]
    tens, rest = divmod(number, 10)
    return f"{_TENS[tens]} {_ORDINALS[rest - 1]}" if rest else {2: "twentieth", 3: "thirtieth"}[tens]


def say_digits(digits: str) -> str:
    """Say digits one by one."""
    return " ".join(_UNITS[int(d)] for d in digits if d.isdigit())


def hear_digits(text: str) -> str:
    """Return every digit heard, whether spoken ("seven oh") or written ("70")."""
    return "".join(_DIGITS.get(w, w if w.isdigit() else "") for w in normalise(text).split())


def hear_amount(text: str) -> int | None:
    """Return the amount of money heard in minor units, None when no currency word follows a number."""
    line = re.sub(r"(?<=\d),(?=\d{3})", "", text.lower())
    written = re.search(r"[$£€]\s*(\d+)(?:\.(\d\d))?|(\d+)(?:\.(\d\d))? (?:dollars?|pounds|euros|bucks)", line)
    if written:
        whole, cents = (written.group(1) or written.group(3)), (written.group(2) or written.group(4) or "0")
        return int(whole) * 100 + int(cents)
    words = normalise(text).split()
    for at, word in enumerate(words):
        if word in _MAJOR:
            major = _number_before(words, at)
            if major is None:
                continue
            rest = words[at + 1 :]
            cents_at = rest.index("cents") if "cents" in rest else None
            minor = _number_before(rest, cents_at) if cents_at is not None else None
            return major * 100 + (minor or 0)
    return None


def _number_before(words: list[str], end: int) -> int | None:
    """Read the longest number that ends just before ``end``."""
    start = end
    while start > 0 and words[start - 1] in _VALUES.keys() | {"hundred", "thousand", "and", "a"}:
        start -= 1
    total = part = 0
    seen = False
    for word in words[start:end]:
        if word in _VALUES:
            part, seen = part + _VALUES[word], True
        elif word == "hundred":
            part, seen = max(part, 1) * 100, True
        elif word == "thousand":
            total, part, seen = total + max(part, 1) * 1000, 0, True
    return total + part if seen else None


def hear_date(text: str, *, today: date) -> date | None:
    """Return the coming date that was named, None when none was."""
    words = normalise(text).split()
    line = f" {' '.join(words)} "
    for phrase, days in (
        (" tomorrow ", 1),
        (" today ", 0),
        (" tonight ", 0),
        (" now ", 0),
        (" next week ", 7),
    ):
        if phrase in line:
            return today + timedelta(days=days)
    if " end of the month " in line:
        return today.replace(day=calendar.monthrange(today.year, today.month)[1])
    by_month = _month_and_day(words, today)
    if by_month is not None:
        return by_month
    for word in words:
        if word in _DAYS:
            return today + timedelta(days=(_DAYS.index(word) - today.weekday() - 1) % 7 + 1)
    return None


def _month_and_day(words: list[str], today: date) -> date | None:
    """Read "march fifth", "the fifth of march" or "the fifth": the next such day."""
    number = _day_number(words)
    if number is None:
        return None
    month = next((_MONTHS.index(w) for w in words if w in _MONTHS[1:]), None)
    # "may" is also a verb; a month counts only beside an ordinal, which is required above.
    for ahead in range(13):
        year, index = divmod(today.year * 12 + today.month - 1 + ahead, 12)
        if month in (None, index + 1) and number <= calendar.monthrange(year, index + 1)[1]:
            day = date(year, index + 1, number)
            if day >= today:
                return day
    return None


def _day_number(words: list[str]) -> int | None:
    for at, word in enumerate(words):
        if word in _ORDINAL_VALUES:
            before = words[at - 1] if at else ""
            return _ORDINAL_VALUES[word] + (_VALUES[before] if before in ("twenty", "thirty") else 0)
        written = re.fullmatch(r"(\d{1,2})(?:st|nd|rd|th)", word)
        if written and 1 <= int(written.group(1)) <= 31:
            return int(written.group(1))
    return None
