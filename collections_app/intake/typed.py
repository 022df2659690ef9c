"""Text columns to typed canonical fields, a whole column at a time, with a reason for each refused value."""

from datetime import date

import polars as pl

from collections_app.domain.errors import InvalidInput
from collections_app.domain.money import exponent
from collections_app.intake.mapping import Field

EARLIEST, LATEST = date(1900, 1, 1), date(2100, 12, 31)


def raw_text(column: str, nulls: tuple[str, ...]) -> pl.Expr:
    """Return a text column stripped, with the source's words for nothing as null."""
    stripped = pl.col(column).str.strip_chars()
    return pl.when(stripped.is_in(list(nulls))).then(None).otherwise(stripped)


def convert(field: Field, raw: pl.Expr, currency: str) -> tuple[pl.Expr, str]:
    """Return the typed expression (null where it does not convert) and the sentence for a refusal."""
    if field.type == "id":
        return pl.when(raw.str.len_chars() <= 64).then(raw), "is longer than 64 characters"
    if field.type == "text":
        return pl.when(raw.str.len_chars() <= 200).then(raw), "is longer than 200 characters"
    if field.type == "int":
        # 3.0 is how floats write 3; 3.5 is not a whole number
        return raw.str.extract(r"^(-?\d{1,18})(?:\.0+)?$").cast(pl.Int64, strict=False), "is not a whole number"
    if field.type == "minor":
        return raw.str.extract(r"^(-?\d{1,18})$").cast(pl.Int64, strict=False), "is not a whole number of minor units"
    if field.type == "amount":
        return _amount(raw, currency, rounded=field.rounded), f"is not an amount in {currency}"
    if field.type == "date":
        return _date(raw, field.format), f"is not a date ({_words(field.format)}) between 1900 and 2100"
    if field.type == "instant":
        parsed = raw.str.to_datetime("%Y-%m-%dT%H:%M:%S%#z", strict=False, time_zone="UTC")
        return parsed, "is not an instant like 2026-03-02T17:00:00Z"
    if field.type == "enum":
        return pl.when(raw.is_in(list(field.values))).then(raw), f"is not one of {', '.join(field.values)}"
    if field.type == "list":
        return raw, ""
    raise InvalidInput(f"{field.name}: type {field.type} cannot be read from a column")


def translate(field: Field, raw: pl.Expr) -> tuple[pl.Expr, str]:
    """Replace source words by ours; a word that the mapping does not know is refused."""
    known = ", ".join(repr(k) for k in list(field.map)[:8])
    values = list(field.map.values())
    dtype = pl.Int64 if all(isinstance(v, int) for v in values) else pl.String
    texts = values if dtype == pl.Int64 else [None if v is None else str(v) for v in values]
    return (
        raw.replace_strict(list(field.map), texts, default=None, return_dtype=dtype),
        f"is not a value this mapping knows ({known}...)",
    )


def _amount(raw: pl.Expr, currency: str, *, rounded: bool) -> pl.Expr:
    places = exponent(currency)
    if rounded:
        near: pl.Expr = (raw.cast(pl.Float64, strict=False) * 10**places).round().cast(pl.Int64, strict=False)
        return near
    pattern = rf"^(-?)(\d{{1,15}})(?:\.(\d{{0,{places}}})0*)?$" if places else r"^(-?)(\d{1,15})(?:\.0*)?$"
    whole = raw.str.extract(pattern, 2).cast(pl.Int64, strict=False)
    cents = (
        raw.str.extract(pattern, 3).fill_null("").str.pad_end(places, "0").cast(pl.Int64, strict=False)
        if places
        else pl.lit(0, pl.Int64)
    )
    sign = pl.when(raw.str.starts_with("-")).then(pl.lit(-1)).otherwise(pl.lit(1))
    amount: pl.Expr = (whole * 10**places + cents) * sign
    return amount


def _date(raw: pl.Expr, form: str) -> pl.Expr:
    # A month alone ("Mar-2018") means its first day.
    parsed = (
        raw.str.to_date(form, strict=False)
        if "%d" in form
        else (pl.lit("01 ") + raw).str.to_date("%d " + form, strict=False)
    )
    plausible: pl.Expr = pl.when(parsed.is_between(EARLIEST, LATEST)).then(parsed).otherwise(None)
    return plausible


def _words(form: str) -> str:
    return form.replace("%Y", "YYYY").replace("%y", "YY").replace("%m", "MM").replace("%d", "DD").replace("%b", "Mon")
