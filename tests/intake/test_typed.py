"""Values become typed whatever the road: the short way and the exact rule agree on every column."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collections_app.domain.errors import InvalidInput
from collections_app.intake.feed import parse_file
from collections_app.intake.mapping import Mapping, load_mapping, parse_mapping

DAY = date(2026, 3, 2)
OWN = load_mapping("own_feed")
ACCOUNT = {
    "account_id": "A1", "customer_id": "C1", "creditor_id": "Bank", "collector_role": "first_party",
    "product_family": "card", "ccy": "USD", "balance_total": "100", "status": "active",
}  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(
        ["", "0", "-0", "+5", "007", "5.", ".5", "1e3", "0.1234567890", "0.1234567891", "0x10", "NaN", "inf", " 7 ",
         "--1", "1,5", "1.500,25", "１", "9" * 18, "9" * 19, "-" + "9" * 18, "0.2399", "12.5%", "true", "TRUE", "no",
         "2026-02-29",
         "2024-02-29", "2026-2-3", "20260203", "1899-12-31", "2026-03-02T17:00:00Z", "2026-03-02T17:00:00",
         "2026-03-02T17:00:00.123456+08:00", '{"a": 1}', "[1]", "{'a': 1}", '{"a": NaN}']
    ),
    st.decimals(-(10**7), 10**7, places=9).map(str),
    st.integers(-(10**19), 10**19).map(str),
)  # fmt: skip
COLUMNS = ["interest_rate", "limit_or_principal", "origination_date", "secured_flag", "valid_from", "grace_days",
           "itemization_amounts", "ifrs9_stage"]  # fmt: skip


def read(folder: Path, rows: list[dict[str, str]], mapping: Mapping = OWN) -> pl.DataFrame:
    path = folder / "accounts_full_1.csv"
    pl.DataFrame(rows).write_csv(path, null_value="")
    parsed = parse_file(path, mapping, DAY)
    refused = {r.line for r in parsed.rejects}
    assert refused.isdisjoint(parsed.frames["accounts"]["_line"])
    return parsed.frames["accounts"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(COLUMNS), st.lists(VALUES, min_size=1, max_size=6))
def test_a_value_is_the_same_beside_good_ones_bad_ones_and_as_text(
    tmp_path: Path, column: str, values: list[str]
) -> None:
    rows = [{**ACCOUNT, "account_id": f"A{i}", column: value} for i, value in enumerate(values)]
    together = read(tmp_path, rows)
    as_text = read(tmp_path, rows, replace(OWN, null_values=("", "a word that never comes")))
    beside_a_bad_one = read(tmp_path, [*rows, {**ACCOUNT, "account_id": "bad", column: "?!"}])
    alone = pl.concat([read(tmp_path, [row]) for row in rows]).drop("_line")
    assert together.equals(as_text)
    assert together.equals(beside_a_bad_one)
    assert together.drop("_line").equals(alone)


@pytest.mark.parametrize(
    ("column", "text", "field", "value"),
    [
        ("interest_rate", "0.2399", "interest_rate", 239_900_000),
        ("interest_rate", "0.123456789", "interest_rate", 123_456_789),
        ("valid_from", "2026-03-02T01:00:00.5+08:00", "valid_from", "2026-03-01 17:00:00.500000+00:00"),
        ("secured_flag", "TRUE", "is_secured", True),
        ("itemization_amounts", '{"principal": 5}', "itemization", '{"principal": 5}'),
        ("dpd_source", "31.0", "dpd_source", 31),
        ("origination_date", "2024-02-29", "opened_on", date(2024, 2, 29)),
    ],
)
def test_each_type_has_one_meaning(tmp_path: Path, column: str, text: str, field: str, value: object) -> None:
    found = read(tmp_path, [{**ACCOUNT, column: text}])[field][0]
    assert (str(found) if field == "valid_from" else found) == value


@pytest.mark.parametrize(
    ("column", "text", "reason"),
    [
        ("interest_rate", "0.1234567891", "is not a yearly rate as a fraction with at most 9 decimals"),
        ("interest_rate", "24", "is above 10000000000"),
        ("valid_from", "2026-03-02T17:00:00", "is not an instant with its zone, such as 2026-03-02T17:00:00Z"),
        ("secured_flag", "yes", "is not true or false"),
        ("itemization_amounts", "[1]", "is not a JSON object"),
        ("itemization_amounts", r'{"who": "\ud800"}', "is not a JSON object"),
        ("itemization_amounts", '{"principal": 1e999}', "is not a JSON object"),
        ("tol_pct", "5", "is above 1000000000"),
        ("limit_or_principal", "9" * 16, "is above 999999999999999"),
        ("ccy", "usd", "is not a currency code of three letters"),
        ("servicer_id", "s" * 65, "is longer than 64 characters"),
        ("account_id", "a" * 65, "is longer than 64 characters"),
        ("grace_days", "400", "is above 365"),
        ("limit_or_principal", "9" * 19, "is not a whole number of minor units"),
        ("limit_or_principal", "9" * 20, "is not a whole number of minor units"),
    ],
)
def test_a_value_that_the_ledger_could_not_keep_is_refused(tmp_path: Path, column: str, text: str, reason: str) -> None:
    path = tmp_path / "accounts_full_1.csv"
    pl.DataFrame([{**ACCOUNT, column: text}]).write_csv(path)
    parsed = parse_file(path, OWN, DAY)
    assert [(r.column, r.reason) for r in parsed.rejects] == [(column, reason)]
    assert parsed.frames["accounts"].is_empty()


LENDER = """
name: lender
version: 3
source: lender
currency: EUR
delimiter: ";"
decimal: ","
thousands: "."
date_format: ["%d.%m.%Y", "%d.%m.%y"]
encoding: cp1252
null_values: ["k.A."]
profile: eu_card
absent: cured
entities:
  accounts:
    fields:
      account_ref: {column: Konto}
      customer_ref: {column: Kunde}
      creditor: Sparbank
      collector_role: third_party
      product_family: card
      currency: EUR
      balance_amount: {column: Saldo, type: amount}
      arrears_source_amount: {column: Rückstand, type: amount}
      interest_rate: {column: Zins, percent: true}
      due_source_on: {column: Fällig}
      status: {column: Status, map: {offen: active, erledigt: closed}}
      is_secured: {column: Pfand, map: {ja: true, nein: false}}
"""


def test_a_european_spreadsheet_is_read_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "konten.csv"
    path.write_bytes(
        "Konto;Kunde;Saldo;Rückstand;Zins;Fällig;Status;Pfand\r\n"
        "1;9;1.234,56;0,5;12,5 %;31.01.2026;offen;ja\r\n"
        "2;9;1234;k.A.;;01.02.26;erledigt;nein\r\n"
        "3;9;12.34,5;1.5;7;2026-01-31;weg;nein\r\n".encode("cp1252")
    )
    mapping = parse_mapping(LENDER, "lender.yaml")
    parsed = parse_file(path, mapping, DAY)
    names = (
        "balance_amount",
        "arrears_source_amount",
        "interest_rate",
        "due_source_on",
        "status",
        "is_secured",
        "profile",
    )
    assert parsed.frames["accounts"].select(names).rows() == [
        (123_456, 50, 125_000_000, date(2026, 1, 31), "active", True, "eu_card"),
        (123_400, None, None, date(2026, 2, 1), "closed", False, "eu_card"),
    ]
    assert {(r.line, r.column) for r in parsed.rejects} == {(4, c) for c in ("Saldo", "Rückstand", "Fällig", "Status")}
    assert (mapping.absent, mapping.version) == ("cured", 3)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("currency: EUR\n      balance", 'currency: "?"\n      balance'), "still to be decided: accounts.currency"),
        (("version: 3", "version: none"), "version must be a whole number"),
        (("absent: cured", "absent: forget"), "absent 'forget' is not one of"),
        (('decimal: ","', 'decimal: "."'), "cannot be the same character"),
        (('delimiter: ";"', 'delimiter: ";;"'), "delimiter must be one character"),
        (("erledigt: closed", "erledigt: gone"), "'gone' is not a value of kind enum; known are active"),
        (("column: Saldo, type: amount", "column: Saldo, type: date"), "kind money cannot be made by type 'date'"),
        (("balance_amount", "balanced"), "missing balance_amount; unknown balanced"),
        (("profile:", "profil:"), "unknown key profil"),
        (("profile: eu_card", "profile: eu_cart"), "profile 'eu_cart' is not one of"),
        (("collector_role: third_party", "collector_role: bank"), "'bank' is not a value of kind enum"),
        (("entities:\n  accounts:", "entities:\n  loans:"), "unknown entity 'loans'"),
        (("name: lender", "name: [lender"), "not readable as YAML"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused_with_the_place(change: tuple[str, str], says: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse_mapping(LENDER.replace(*change), "lender.yaml")
    assert says in refusal.value.message


def test_days_of_a_spreadsheets_calendar_and_other_names_of_a_column_are_read(tmp_path: Path) -> None:
    text = LENDER.replace(
        "due_source_on: {column: Fällig}", "due_source_on: {column: [due, due_old], format: spreadsheet}"
    )
    text = text.split("      interest_rate")[0] + text[text.index("      due_source_on") :].split("      status")[0]
    text = text.replace("arrears_source_amount: {column: Rückstand, type: amount}\n", "status: active\n")
    path = tmp_path / "k.csv"
    path.write_text("Konto;Kunde;Saldo;due_old\n1;2;3,00;46023\n")
    parsed = parse_file(path, parse_mapping(text, "x"), DAY)
    assert parsed.frames["accounts"]["due_source_on"].to_list() == [date(2026, 1, 1)]
    path.write_text("Konto;Kunde;Saldo;due_old;due\n1;2;3,00;46023;46023\n")
    with pytest.raises(InvalidInput, match="are one field"):
        parse_file(path, parse_mapping(text, "x"), DAY)
