"""What the values of a column look like: numbers and how they are written, dates and their forms, words, numbers
to call, keys. Looked at in a sample; nothing of a value leaves but its shape and, of short lists, its words."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

NULL_WORDS = frozenset({
    "na", "n/a", "#n/a", "nan", "null", "none", "nil", "-", "--", "\\n", "k.a.", "无", "空", "不详", "(null)",
})  # fmt: skip
DATE_FORMS = (
    "%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%Y%m%d", "%Y.%m.%d", "%d-%m-%Y", "%m-%d-%Y",
    "%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%b %d, %Y", "%Y年%m月%d日", "%b-%Y",
    "%y-%b", "%b-%y", "%Y-%m", "%m/%Y",
)  # fmt: skip
TIME_FORMS = (
    "%Y-%m-%dT%H:%M:%S",
    *(f"{day} {clock}" for day in DATE_FORMS[:8] for clock in ("%H:%M:%S", "%H:%M")),
)
_POINT = re.compile(r"[+-]?\d+(?:\.(\d+))?\Z")
_COMMA = re.compile(r"[+-]?\d+,(\d+)\Z")
_GROUPED_POINT = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?\Z")
_GROUPED_COMMA = re.compile(r"[+-]?\d{1,3}(?:\.\d{3})+(?:,\d+)?\Z")
_SIGN = re.compile(r"^(?:[$€£¥￥元]|[A-Z]{3} )\s*|\s*(?:[$€£¥￥元%]| [A-Z]{3})$")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+\Z")
_PHONE = re.compile(r"(?:\+|00)?[\d\s().\-/]{7,20}\Z")
_CN_MOBILE = re.compile(r"(?:\+?86)?1[3-9]\d{9}\Z")
_CURRENCY = re.compile(r"[A-Z]{3}\Z")
_COUNTRY = re.compile(r"[A-Z]{2}\Z")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)\Z")
_SPACED = re.compile(r"[^\W\d]+,? +[^\W\d]")
_MOST = 0.98
_FEW = 40
_PROBE, _LOOK = 20, 1_000


@dataclass(frozen=True)
class Number:
    """How a column of numbers is written. ``decimals``: the most digits after the point that are no zeros."""

    low: float
    high: float
    decimals: int
    point: str = "."
    grouped: bool = False
    sign: str = ""


@dataclass(frozen=True)
class Profile:
    """One column of a sample. ``kinds``: everything that (nearly) all its values could be.

    ``forms``: the date forms that read them all. ``words``: the distinct values when they are few. ``filled``,
    ``distinct``: shares of the rows.
    """

    name: str
    kinds: frozenset[str]
    filled: float
    distinct: float
    rows: int
    nulls: tuple[str, ...] = ()
    forms: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    number: Number | None = None


def profile_column(name: str, values: list[str]) -> Profile:
    """Look at the values of one column, stripped."""
    nulls = tuple(sorted({v for v in values if v.lower() in NULL_WORDS}))
    given = [v for v in values if v and v.lower() not in NULL_WORDS]
    distinct = list(dict.fromkeys(given))
    if not given:
        return Profile(name, frozenset({"empty"}), 0.0, 0.0, len(values), nulls)
    kinds: set[str] = set()
    tests: dict[str, Callable[[str], object]] = {
        "email": _EMAIL.match, "phone": _is_phone, "currency": _CURRENCY.match, "country": _COUNTRY.match,
        "instant": _INSTANT.match, "spaced": _SPACED.search,
    }  # fmt: skip
    kinds |= {kind for kind, test in tests.items() if _share(distinct, test) >= _MOST}
    forms = (*DATE_FORMS, *TIME_FORMS)
    for part in (distinct[:_PROBE], distinct[:_LOOK]):  # few forms outlive the first values
        forms = tuple(f for f in forms if _share(part, partial(_is_date, form=f)) >= _MOST)
    kinds |= {"date"} if forms else set()
    number = _number(distinct)
    if number:
        kinds |= {"number"} | ({"int"} if not number.decimals else set())
    if len(distinct) == len(given) and max(map(len, distinct)) <= 64 and len(given) > 1:
        kinds.add("unique")
    few = tuple(distinct) if len(distinct) <= _FEW else ()
    if few and max(map(len, few)) <= 60:
        kinds.add("words")
    return Profile(
        name, frozenset(kinds), len(given) / len(values), len(distinct) / len(given), len(values), nulls, forms,
        words=few, number=number,
    )  # fmt: skip


def _share(values: list[str], test: Callable[[str], object]) -> float:
    return sum(1 for v in values if test(v)) / len(values)


def _is_phone(value: str) -> bool:
    if not _PHONE.match(value) or not 7 <= sum(c.isdigit() for c in value) <= 15:
        return False
    return bool(value.startswith("+") or _CN_MOBILE.match(value) or not value.isdigit())


def _is_date(value: str, form: str) -> bool:
    if not any(c.isdigit() for c in value) or ("%Y%m%d" in form and len(value) != 8):
        return False
    try:
        return 1900 <= datetime.strptime(value, form).year <= 2100  # noqa: DTZ007 - only the shape is asked
    except ValueError:
        return False


def _number(distinct: list[str]) -> Number | None:
    """Return how the numbers are written (point, groups, signs, decimals), or nothing when they are none."""
    plain = [_SIGN.sub("", v).strip() for v in distinct]
    sign = next((v.replace(p, "").strip() for v, p in zip(distinct, plain, strict=True) if v != p), "")
    # "1,200" says nothing: a thousand, or a little more than one.
    comma = sum(
        1
        for v in plain
        if (_COMMA.match(v) and not _GROUPED_POINT.match(v))
        or (_GROUPED_COMMA.match(v) and ("," in v or v.count(".") > 1))
    )
    point = sum(1 for v in plain if (_POINT.match(v) and "." in v) or (_GROUPED_POINT.match(v) and "." in v))
    mark = "," if comma > point else "."
    group = "." if mark == "," else ","
    grouped_form = _GROUPED_COMMA if mark == "," else _GROUPED_POINT
    grouped = any(grouped_form.match(v) for v in plain)
    values: list[float] = []
    decimals = 0
    for value in plain:
        bare = value.replace(group, "") if grouped_form.match(value) else value
        match = _POINT.match(bare.replace(",", ".") if mark == "," else bare)
        if match is None or (mark == "," and "." in bare):
            continue
        decimals = max(decimals, len((match[1] or "").rstrip("0")))
        values.append(float(match[0]))
    if len(values) < _MOST * len(distinct):
        return None
    return Number(min(values), max(values), decimals, mark, grouped, sign)
