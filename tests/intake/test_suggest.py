"""A proposal for an unknown file names columns, types and words rightly, and leaves to a person what it cannot know."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from collections_app.cli.intake_suggest import suggest
from collections_app.domain.errors import InvalidInput
from collections_app.intake.feed import ParsedFile, parse_file
from collections_app.intake.mapping import OPEN, load_mapping, open_choices, parse_mapping
from collections_app.intake.profiling import profile_column
from collections_app.intake.proposal import propose
from tests.intake.lenders import LENDERS

DAY = date(2026, 3, 2)
# What a person knows of the lender and the file does not say.
ANSWERS = {
    "source": "lender", "currency": "USD", "bucket_table": "intl", "country": "DE", "creditor": "Bank",
    "collector_role": "third_party", "product_family": "instalment", "status": "active", "seltsam": "active",
    "type": "amount", "zone": "Europe/Berlin", "customer_ref": "1",
}  # fmt: skip
# What each file's rows must become: fields of the first row of an entity.
EXPECTED: dict[str, tuple[str, dict[str, Any]]] = {
    "konten.csv": ("accounts", {
        "account_ref": "10001", "customer_ref": "500", "currency": "EUR", "interest_rate": 125_000_000,
        "balance_amount": 123_451, "arrears_source_amount": 101, "due_source_on": date(2025, 2, 2), "dpd_source": 1,
        "status": "closed",
    }),
    "loans.csv": ("accounts", {
        "account_ref": "JJ00000001", "customer_ref": "KH000001", "product_family": "instalment",
        "opened_on": date(2024, 2, 11), "interest_rate": 115_000_000, "balance_amount": 10_055,
        "arrears_source_amount": 105, "dpd_source": 1, "status": "active",
    }),
    "report.csv": ("accounts", {
        "account_ref": "000000001", "customer_ref": "000000001", "opened_on": date(2024, 2, 2),
        "limit_amount": 100_000, "balance_amount": 90_310, "interest_rate": 69_900_000,
        "arrears_source_amount": 3_000, "due_source_on": date(2026, 2, 5), "status": "charged_off",
    }),
    "zahlungen.csv": ("payments", {
        "payment_ref": "B1", "account_ref": "V1", "amount": 101, "kind": "payment", "status": "settled",
        "value_on": date(2026, 2, 2),
    }),
    "schedule.csv": ("instalments", {
        "account_ref": "0", "seq": 1, "due_on": date(2026, 2, 5), "principal_due_amount": 1_000,
        "interest_due_amount": 10, "fee_due_amount": 1,
    }),
    "unicode.csv": ("accounts", {
        "account_ref": "1", "customer_ref": "K1", "balance_amount": 150, "status": "closed", "is_secured": False,
        "dpd_source": 12,
    }),
}  # fmt: skip


def answered(text: str) -> str:
    """Decide every open choice of a proposal as a person would."""

    def fill(data: Any, key: str) -> Any:
        if isinstance(data, dict):
            return {k: fill(v, key if k in ("column", "value") else str(k)) for k, v in data.items()}
        return ANSWERS[key] if data == OPEN else data

    return yaml.safe_dump(fill(yaml.safe_load(text), ""), allow_unicode=True)


def read(path: Path, text: str) -> ParsedFile:
    return parse_file(path, parse_mapping(text, "proposal"), DAY)


@pytest.mark.parametrize("name", LENDERS)
def test_a_lenders_file_becomes_right_rows_once_its_open_choices_are_decided(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    LENDERS[name](path)
    proposal = propose(path)
    with pytest.raises(InvalidInput, match="still to be decided") as refusal:
        parse_mapping(proposal.text, name)
    assert all(choice in refusal.value.message for choice in proposal.open)
    parsed = read(path, answered(proposal.text))
    entity, expected = EXPECTED[name]
    assert {r.reason for r in parsed.rejects} <= {"a reversal or chargeback must name the payment that it reverses"}
    row = parsed.frames[entity].row(0, named=True)
    assert {field: row[field] for field in expected} == expected


def test_phones_and_addresses_of_accounts_become_contact_points_where_there_are_any(tmp_path: Path) -> None:
    path = tmp_path / "konten.csv"
    LENDERS["konten.csv"](path)
    raw = path.read_bytes().replace(b"m7@example.de", b"").replace(b"+49 170 1000009", b"")
    path.write_bytes(raw)
    parsed = read(path, answered(propose(path).text))
    points = parsed.frames["contact_points"]
    assert points.group_by("kind").len().sort("kind").rows() == [("email", 59), ("mobile", 59)]
    assert parsed.frames["accounts"].height == 60
    assert parsed.frames["customers"].height == 31


def test_what_may_not_be_read_is_never_proposed(tmp_path: Path) -> None:
    path = tmp_path / "loans.csv"
    LENDERS["loans.csv"](path)
    proposal = propose(path)
    assert "(protected: 性别)" in proposal.text
    assert "性别" in yaml.safe_load(proposal.text)["ignored_columns"]


def test_dates_that_read_two_ways_and_amounts_without_decimals_are_left_to_a_person(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = [f"{i},C{i},{i * 5},0{i % 9 + 1}/0{i % 8 + 1}/2026,active" for i in range(1, 40)]
    path.write_text("\n".join(["account_id,customer_id,balance,due_date,status", *rows]))
    proposal = propose(path)
    assert {"accounts.balance_amount.type", "accounts.due_source_on.format"} <= set(proposal.open)
    path.write_text(path.read_text() + "\n99,C99,7,01/31/2026,active\n")
    fields = yaml.safe_load(propose(path).text)["entities"]["accounts"]["fields"]
    assert fields["due_source_on"]["format"] == "%m/%d/%Y"


def test_a_second_proposal_keeps_what_was_decided_and_bumps_the_version(tmp_path: Path) -> None:
    path = tmp_path / "konten.csv"
    LENDERS["konten.csv"](path)
    decided = answered(propose(path).text).replace("creditor: Bank", "creditor: Sparbank")
    again = propose(path, before=decided)
    data = yaml.safe_load(again.text)
    assert (data["version"], again.open) == (2, [])
    assert data["entities"]["accounts"]["fields"]["creditor"] == "Sparbank"
    assert "kept from version 1" in again.text
    gone = path.read_bytes().replace(b"Kontostatus", b"Zustand")
    path.write_bytes(gone)
    assert "accounts.status" in propose(path, before=decided).open


def test_a_mapping_of_other_rows_is_not_written_over(tmp_path: Path) -> None:
    path, other = tmp_path / "konten.csv", tmp_path / "pmts.csv"
    LENDERS["konten.csv"](path)
    decided = answered(propose(path).text)
    other.write_text(
        "payment_id,account_id,amount,value_date\n" + "".join(f"P{i},A{i},{i}.50,2026-03-02\n" for i in range(9))
    )
    with pytest.raises(InvalidInput, match=r"maps accounts, .*, and this file holds payments: name another"):
        propose(other, before=decided)


def test_a_column_that_only_an_unlikely_guess_would_read_is_listed_as_unread(tmp_path: Path) -> None:
    path = tmp_path / "phones.csv"
    path.write_text("cust_no,type,phone,consent\n" + "".join(f"C{i},cell,+1512555{i:04},Y\n" for i in range(30)))
    data = yaml.safe_load(propose(path).text)
    read = {spec["column"] for spec in data["entities"]["contact_points"]["fields"].values() if isinstance(spec, dict)}
    assert sorted(read | set(data["ignored_columns"])) == ["consent", "cust_no", "phone", "type"]


def test_enquiries_of_a_chinese_bureau_and_german_customers_are_recognised(tmp_path: Path) -> None:
    bureau, kunden = tmp_path / "查询记录.csv", tmp_path / "Kunden.csv"
    bureau.write_text(
        "查询编号,客户编号,征信机构,查询主键,查询机构,机构类型,查询时间,本机构查询\n"
        + "".join(
            f"CX{i},KH{i % 7},百行征信,身份证,机构{i % 4},银行,2026/11/{i % 9 + 1:02} 08:01:02,否\n" for i in range(40)
        )
    )
    fields = yaml.safe_load(propose(bureau).text)["entities"]["enquiries"]["fields"]
    assert (fields["enquiry_ref"]["column"], fields["customer_ref"]["column"]) == ("查询编号", "客户编号")
    assert fields["key_type"]["map"] == {"身份证": "id"}
    assert fields["is_own"]["map"] == {"否": False}
    kunden.write_text(
        "Kundennummer;Name;Land;Mobil;E-Mail\n"
        + "".join(f"{1000 + i};Groß, Jörg;DE;+49 151 {i:07};k{i}@example.de\n" for i in range(40))
    )
    data = yaml.safe_load(propose(kunden).text)
    assert data["entities"]["customers"]["fields"]["customer_ref"] == {"column": "Kundennummer"}
    assert [row["kind"] for row in data["entities"]["contact_points"]["repeat"]] == ["mobile", "email"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", b"", "the file is empty"),
        ("a.csv", b" \n\n", "the file is empty"),
        ("a.csv", b"id,balance\n", "no rows after the header"),
        ("a.csv", b"1,2,3\n4,5,6\n", "line 1 looks like data"),
        ("a.csv", b"a,a\n1,2\n", "column 'a' appears twice"),
        ("a.csv", bytes(range(256)), "holds zero bytes"),
        ("a.csv", b"PK\x03\x04 something", "Excel workbook"),
        ("a.csv", b"%PDF-1.7 something", "PDF"),
        ("a.csv.gz", b"\x1f\x8b\x08 cut", "not a whole gzip file"),
        ("a.parquet", b"PAR1 cut", "not a readable Parquet file"),
        ("a.csv", b"colour,size\nred,big\nblue,small\n", "not recognised as any entity"),
    ],
)
def test_a_file_without_a_table_is_refused_with_the_reason(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InvalidInput) as refusal:
        propose(path)
    assert says in refusal.value.message


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="a folder"):
        propose(tmp_path)
    with pytest.raises(InvalidInput, match="no such file"):
        propose(tmp_path / "none.csv")


def test_a_named_entity_is_proposed_even_when_nothing_fits(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("colour,size\nred,big\nblue,small\n")
    proposal = propose(path, entity="placements")
    assert {"placements.account_ref.column", "placements.placed_on.column"} <= set(proposal.open)


def test_the_command_writes_the_file_and_says_what_is_open(tmp_path: Path) -> None:
    path, out = tmp_path / "zahlungen.csv", tmp_path / "z.yaml"
    LENDERS["zahlungen.csv"](path)
    shown = CliRunner().invoke(suggest, [str(path)])
    assert shown.exit_code == 0
    assert open_choices(yaml.safe_load(shown.output)) == ["source", "currency", "bucket_table", "payments.currency"]
    first = CliRunner().invoke(suggest, [str(path), "--out", str(out)])
    assert "still to be decided: source, currency, bucket_table, payments.currency" in first.output
    out.write_text(answered(out.read_text()))
    second = CliRunner().invoke(suggest, [str(path), "--out", str(out)])
    assert "version 2" in second.output
    assert "nothing is open" in second.output
    assert load_mapping(str(out)).version == 2
    out.write_text("just: text")
    assert isinstance(CliRunner().invoke(suggest, [str(path), "--out", str(out)]).exception, InvalidInput)


@pytest.mark.parametrize(
    ("values", "kind", "forms"),
    [
        (["2026-01-31", "2026-02-01"], "date", ("%Y-%m-%d",)),
        (["31.01.2026", "01.02.2026"], "date", ("%d.%m.%Y",)),
        (["Jan-2018", "Mar-2018"], "date", ("%b-%Y",)),
        (["20260131", "20260201"], "date", ("%Y%m%d",)),
        (["2026年1月31日"], "date", ("%Y年%m月%d日",)),
        (["2026-01-31T10:00:00Z"], "instant", ()),
        (["a@b.de", "c@d.com"], "email", ()),
        (["+49 170 123456", "(212) 555-0100"], "phone", ()),
        (["13800000001", "13900000002"], "phone", ()),
        (["USD", "EUR"], "currency", ()),
    ],
)
def test_values_are_known_by_their_shape(values: list[str], kind: str, forms: tuple[str, ...]) -> None:
    profile = profile_column("x", values)
    assert kind in profile.kinds
    assert profile.forms == forms


@pytest.mark.parametrize(
    ("values", "point", "grouped", "decimals"),
    [
        (["1.234,56", "12,5"], ",", True, 2),
        (["1,234.56", "12.5"], ".", True, 2),
        (["1234.5", "7"], ".", False, 1),
        (["$1,200", "$7"], ".", True, 0),
        (["1.234.567", "12"], ",", True, 0),
    ],
)
def test_numbers_are_read_as_their_lender_writes_them(
    values: list[str], point: str, grouped: bool, decimals: int
) -> None:
    number = profile_column("x", values).number
    assert number is not None
    assert (number.point, number.grouped, number.decimals) == (point, grouped, decimals)


@pytest.mark.real_data
def test_real_files_are_understood_or_refused_with_a_reason(shared: Path) -> None:
    understood = {}
    for path in sorted((shared / "data").glob("*/*.csv")):
        try:
            proposal = propose(path)
        except InvalidInput:
            continue  # no table, or of nothing that a feed tells
        fields = yaml.safe_load(proposal.text)["entities"]["accounts"]["fields"]
        understood[path.name] = {name: spec["column"] for name, spec in fields.items() if isinstance(spec, dict)}
    # Against the mappings that people wrote for these files.
    for file, shipped in {
        "lendingclub_5000_full_columns.csv": "lendingclub_full",
        "openintro_loans_full_schema.csv": "lendingclub_openintro",
        "UCI_Credit_Card.csv": "uci_credit_card",
    }.items():
        (accounts,) = (e for e in load_mapping(shipped).entities if e.entity == "accounts")
        truth = {f.name: f.columns[0] for f in accounts.rows[0] if f.columns}
        right = {name for name, column in truth.items() if understood[file].get(name) == column}
        # Arrears and days past due follow there from other columns: no name says so.
        assert set(truth) - right <= {"arrears_source_amount", "dpd_source"}
    assert set(understood) == {
        "lendingclub_5000_full_columns.csv", "openintro_loans_full_schema.csv", "UCI_Credit_Card.csv",
    }  # fmt: skip
