from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.dialogue.spoken import hear_amount, hear_date, hear_digits, say_amount, say_date, say_digits

MONDAY = date(2026, 3, 2)


@given(st.integers(min_value=1, max_value=99_999_999))
def test_an_amount_that_is_said_is_heard_as_the_same_amount(minor: int) -> None:
    assert hear_amount(f"i will pay {say_amount(minor, 'USD')} on friday") == minor


@given(st.dates(min_value=MONDAY, max_value=date(2027, 3, 1)))
def test_a_date_that_is_said_is_heard_as_the_same_date(day: date) -> None:
    assert hear_date(f"i will pay {say_date(day)}", today=MONDAY) == day


@given(st.text(alphabet="0123456789", min_size=1, max_size=12))
def test_digits_that_are_said_are_heard_as_the_same_digits(digits: str) -> None:
    assert hear_digits(say_digits(digits)) == digits


@pytest.mark.parametrize(
    ("text", "minor"),
    [
        ("$1,250.50 on friday", 125_050),
        ("50 dollars", 5_000),
        ("a hundred dollars", 10_000),
        ("fifty", None),
        ("dollars", None),
    ],
)
def test_amounts_as_carriers_write_them(text: str, minor: int | None) -> None:
    assert hear_amount(text) == minor


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("tomorrow", date(2026, 3, 3)), ("on monday", date(2026, 3, 9)), ("the fifth", date(2026, 3, 5)),
        ("on the first", date(2026, 4, 1)), ("march 15th", date(2026, 3, 15)), ("may i pay later", None),
        ("february thirtieth", None), ("end of the month", date(2026, 3, 31)),
    ],
)  # fmt: skip
def test_dates_lie_ahead(text: str, day: date | None) -> None:
    assert hear_date(text, today=MONDAY) == day


def test_a_currency_without_words_is_refused() -> None:
    with pytest.raises(ValueError, match="CNY"):
        say_amount(100, "CNY")
