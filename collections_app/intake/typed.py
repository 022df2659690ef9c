"""Raw columns to typed canonical fields, a whole column at a time, with a reason for each refused value.

A whole column of well-written values takes the shortest way; only where some value fails is each looked at by
the exact rule. The two agree on every value that the short way accepts.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import polars as pl

from collections_app.domain.errors import InvalidInput
from collections_app.domain.money import exponent
from collections_app.intake.mapping import Field, Mapping

EARLIEST, LATEST = date(1900, 1, 1), date(2100, 12, 31)
# 18 digits: their sums over a portfolio still fit 64 bits.
LARGEST = 10**18 - 1
# Day 1 of a spreadsheet's calendar is 1900-01-01, and it has a 29 February 1900.
_SPREADSHEET_DAY_0 = date(1899, 12, 30)
SPREADSHEET = "spreadsheet"
_INSTANT = "%Y-%m-%dT%H:%M:%S%.f%#z"
_RATE_PLACES = 9


@dataclass(frozen=True)
class Typing:
    """How a raw column becomes typed: ``exact`` for any value; ``short`` when ``fine`` (one boolean) holds of all
    and it makes no further null."""

    exact: pl.Expr
    reason: str
    short: pl.Expr | None = None
    fine: pl.Expr | None = None


def raw_text(name: str, nulls: tuple[str, ...], *, clean: bool, dtype: pl.DataType) -> pl.Expr:
    """Return a raw column stripped, with the source's words for nothing as null; numbers stay numbers."""
    column = pl.col(name)
    if dtype != pl.String:
        return column
    words = [word for word in nulls if word]
    text = column if clean else column.str.strip_chars()
    if clean and not words:
        return text
    return pl.when(~text.is_in(["", *words])).then(text)


def convert(field: Field, raw: pl.Expr, mapping: Mapping, dtype: pl.DataType) -> Typing:
    """Return how a field is made of its raw column; null where a value does not convert."""
    if dtype != pl.String:  # read as whole numbers already
        return _of_numbers(field, raw, mapping)
    maker = _MAKERS.get(field.type)
    if maker is None:
        raise InvalidInput(f"{field.name}: type {field.type} cannot be read from a column")
    return maker(field, raw, mapping)


def translate(field: Field, raw: pl.Expr) -> tuple[pl.Expr, str]:
    """Replace source words by ours; a word that the mapping does not know is refused."""
    known = ", ".join(repr(k) for k in list(field.map)[:8])
    values = list(field.map.values())
    if all(isinstance(v, bool) or v is None for v in values):
        dtype: type[pl.DataType] = pl.Boolean
    elif all(isinstance(v, int) or v is None for v in values):
        dtype = pl.Int64
    else:
        dtype, values = pl.String, [None if v is None else str(v) for v in values]
    return (
        raw.cast(pl.String).replace_strict(list(field.map), values, default=None, return_dtype=dtype),
        f"is not a value this mapping knows ({known}...)",
    )


def nanos(value: object) -> int:
    """Return a yearly rate, written as a fraction, in billionths; raise InvalidInput when it is none."""
    try:
        scaled = Decimal(str(value)).scaleb(_RATE_PLACES)
        if scaled == scaled.to_integral_value():
            return int(scaled)
    except ArithmeticError:
        pass
    raise InvalidInput(f"{value!r} is not a rate with at most {_RATE_PLACES} decimals, such as 0.2399")


def _of_numbers(field: Field, raw: pl.Expr, mapping: Mapping) -> Typing:
    small = pl.when(raw.is_between(-LARGEST, LARGEST)).then(raw)
    if field.type in ("int", "minor"):
        return Typing(small, _NOT_WHOLE[field.type])
    scale = 10 ** exponent(mapping.currency)
    if field.type == "amount":
        largest = LARGEST // scale
        return Typing(pl.when(raw.is_between(-largest, largest)).then(raw * scale), _not_amount(mapping))
    raise InvalidInput(f"{field.name}: type {field.type} is not read from numbers")


_NOT_WHOLE = {"int": "is not a whole number", "minor": "is not a whole number of minor units"}


def _text(field: Field, raw: pl.Expr, mapping: Mapping) -> Typing:
    longest = field.length or 200
    exact = pl.when(raw.str.len_chars() <= longest).then(raw)
    return Typing(exact, f"is longer than {longest} characters", raw, raw.str.len_bytes().max() <= longest)


def _whole(field: Field, raw: pl.Expr, mapping: Mapping) -> Typing:
    # 3.0 is how floats write 3; 3.5 is not a whole number
    tail = r"(?:\.0+)?" if field.type == "int" else ""
    exact = raw.str.extract(rf"^([+-]?\d{{1,18}}){tail}$").cast(pl.Int64, strict=False)
    return Typing(exact, _NOT_WHOLE[field.type], raw.cast(pl.Int64, strict=False), raw.str.len_bytes().max() <= 18)


def _not_amount(mapping: Mapping) -> str:
    shape = "" if mapping.decimal == "." and not mapping.thousands else f" written with {mapping.decimal!r}"
    return f"is not an amount in {mapping.currency}{shape}"


def _amount(field: Field, raw: pl.Expr, mapping: Mapping) -> Typing:
    text = _plain_number(raw, mapping)
    places = exponent(mapping.currency)
    if field.rounded:
        near = (text.cast(pl.Float64, strict=False) * 10**places).round()
        return Typing(pl.when(near.abs() <= LARGEST).then(near).cast(pl.Int64, strict=False), _not_amount(mapping))
    return _decimal(text, places, 18 - places, _not_amount(mapping))


def _plain_number(raw: pl.Expr, mapping: Mapping) -> pl.Expr:
    """Rewrite the lender's number with a point; thousands separators only where they belong."""
    text = raw
    if mapping.thousands:
        mark, point = f"[{mapping.thousands}]", rf"\{mapping.decimal}"
        grouped = text.str.contains(rf"^[+-]?\d{{1,3}}(?:{mark}\d{{3}})+(?:{point}\d*)?$")
        text = pl.when(grouped).then(text.str.replace_all(mapping.thousands, "", literal=True)).otherwise(text)
    if mapping.decimal != ".":
        # A point is no decimal sign here: a number that still has one is none.
        text = pl.when(~text.str.contains(".", literal=True)).then(text.str.replace(mapping.decimal, ".", literal=True))
    return text


def _decimal(text: pl.Expr, places: int, digits: int, reason: str) -> Typing:
    plain = text.str.contains(rf"^-?\d{{1,{digits}}}(?:\.\d{{1,{places}}})?$" if places else rf"^-?\d{{1,{digits}}}$")
    short = text.cast(pl.Decimal(18, places), strict=False).to_physical().cast(pl.Int64)
    return Typing(_scaled(text, places, digits), reason, short, plain.all())


def _scaled(text: pl.Expr, places: int, digits: int) -> pl.Expr:
    """Read a decimal number as whole 10^-places parts, exactly; further decimals must be zeros."""
    pattern = (
        rf"^([+-]?)(\d{{1,{digits}}})(?:\.(\d{{0,{places}}})0*)?$"
        if places
        else rf"^([+-]?)(\d{{1,{digits}}})(?:\.0*)?$"
    )
    whole = text.str.extract(pattern, 2).cast(pl.Int64, strict=False)
    part = (
        text.str.extract(pattern, 3).fill_null("").str.pad_end(places, "0").cast(pl.Int64, strict=False)
        if places
        else pl.lit(0, pl.Int64)
    )
    sign = pl.when(text.str.starts_with("-")).then(pl.lit(-1)).otherwise(pl.lit(1))
    scaled: pl.Expr = (whole * 10**places + part) * sign
    return scaled


def _rate(field: Field, raw: pl.Expr, mapping: Mapping) -> Typing:
    text = _plain_number(raw.str.strip_suffix("%").str.strip_chars() if field.percent else raw, mapping)
    places = _RATE_PLACES - 2 if field.percent else _RATE_PLACES
    said = "a rate in percent" if field.percent else "a yearly rate as a fraction"
    reason = f"is not {said} with at most {places} decimals"
    if field.rounded:
        near = (text.cast(pl.Float64, strict=False) * 10**places).round()
        return Typing(pl.when(near.abs() <= LARGEST).then(near).cast(pl.Int64, strict=False), reason)
    return _decimal(text, places, 6, reason)


def _date(field: Field, raw: pl.Expr, mapping: Mapping) -> Typing:
    # Each form must make a likely date: YYYY reads "26" as the year 26.
    parsed = [_day(raw, form) for form in field.formats]
    plausible = pl.coalesce(pl.when(p.is_between(EARLIEST, LATEST)).then(p) for p in parsed)
    return Typing(plausible, f"is not a date ({' or '.join(map(_words, field.formats))}) between 1900 and 2100")


def _day(raw: pl.Expr, form: str) -> pl.Expr:
    if form == SPREADSHEET:
        days = raw.str.extract(r"^(\d{1,6})(?:\.0+)?$").cast(pl.Int32, strict=False)
        return (pl.lit(_SPREADSHEET_DAY_0) + pl.duration(days=days)).cast(pl.Date)
    if "%d" in form:
        return raw.str.to_date(form, strict=False, cache=False)
    # A month alone ("Mar-2018") means its first day.
    return (pl.lit("01 ") + raw).str.to_date("%d " + form, strict=False)


def _words(form: str) -> str:
    pairs = {"%Y": "YYYY", "%y": "YY", "%m": "MM", "%d": "DD", "%b": "Mon", "%H": "hh", "%M": "mm", "%S": "ss"}
    for code, word in pairs.items():
        form = form.replace(code, word)
    return form


def _instant(field: Field, raw: pl.Expr, mapping: Mapping) -> Typing:
    if field.formats:
        shape = f"{' or '.join(map(_words, field.formats))}, {mapping.zone} time"
        parsed = pl.coalesce(_local(raw, form, mapping.zone) for form in field.formats)
    else:
        shape = "with its zone, such as 2026-03-02T17:00:00Z"
        parsed = raw.str.to_datetime(_INSTANT, strict=False, time_zone="UTC", time_unit="us")
    plausible = pl.when(parsed.dt.date().is_between(EARLIEST, LATEST)).then(parsed)
    return Typing(plausible, f"is not an instant ({shape})" if field.formats else f"is not an instant {shape}")


def _local(raw: pl.Expr, form: str, zone: str | None) -> pl.Expr:
    # An hour that comes twice is the first of the two; one that the clock leaves out is refused.
    naive = raw.str.to_datetime(form, strict=False, time_unit="us")
    here = naive.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return here.dt.convert_time_zone("UTC")


def _enum(field: Field, raw: pl.Expr, mapping: Mapping) -> Typing:
    good = raw.is_in(list(field.values))
    return Typing(pl.when(good).then(raw), f"is not one of {', '.join(field.values)}", raw, good.all())


def _bool(field: Field, raw: pl.Expr, mapping: Mapping) -> Typing:
    low = raw.str.to_lowercase()
    exact = pl.when(low == "true").then(pl.lit(value=True)).when(low == "false").then(pl.lit(value=False))
    return Typing(exact, "is not true or false", raw == "true", raw.is_in(["true", "false"]).all())


def _currency(field: Field, raw: pl.Expr, mapping: Mapping) -> Typing:
    good = raw.str.contains("^[A-Z]{3}$")
    return Typing(pl.when(good).then(raw), "is not a currency code of three letters", raw, good.all())


def _json(field: Field, raw: pl.Expr, mapping: Mapping) -> Typing:
    exact = raw.map_elements(_json_object, return_dtype=pl.String, skip_nulls=True)
    return Typing(exact, "is not a JSON object")


def _json_object(text: str) -> str | None:
    try:
        value = json.loads(text, parse_constant=_no_constant)
        # Half a surrogate pair, or a number beyond any float, is JSON by the letter; no database keeps it.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return None
    # A zero character is JSON and is no text that a database keeps.
    return text if isinstance(value, dict) and "\\u0000" not in text else None


def _no_constant(name: str) -> None:
    raise ValueError(name)


_MAKERS: dict[str, Callable[[Field, pl.Expr, Mapping], Typing]] = {
    "id": _text,
    "text": _text,
    "list": _text,
    "int": _whole,
    "minor": _whole,
    "amount": _amount,
    "rate": _rate,
    "date": _date,
    "instant": _instant,
    "enum": _enum,
    "bool": _bool,
    "currency": _currency,
    "json": _json,
}
