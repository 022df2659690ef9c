"""Files as lenders send them, none of which follows our feed: what `suggest` is tried on."""

from collections.abc import Callable
from pathlib import Path

ROWS = range(1, 61)


def german_spreadsheet(path: Path) -> None:
    """Semicolons, decimal commas, day first, Windows letters, a spreadsheet's first line."""
    head = (
        "Kontonummer;Kundennummer;Name;Saldo;Rückstand;Verzugstage;Fällig seit;Sollzins;Kontostatus;Telefon;E-Mail;"
        "Währung"
    )
    rows = [
        f"{10_000 + i};{500 + i // 2};Müller {i};{i}.234,5{i % 10};{i % 50},0{i % 10};{i % 60};"
        f"{i % 28 + 1:02d}.0{i % 9 + 1}.2025;12,5 %;"
        f"{['offen', 'erledigt', 'gestundet', 'seltsam'][i % 4]};+49 170 {1_000_000 + i};m{i}@example.de;EUR"
        for i in ROWS
    ]
    path.write_bytes("\r\n".join(["sep=;", head, *rows, ""]).encode("cp1252"))


def chinese_export(path: Path) -> None:
    """Chinese headers and words, GB encoding, slashes in dates, a rate as a fraction."""
    head = "借据号,客户号,客户姓名,产品类型,贷款余额,逾期金额,逾期天数,放款日期,年利率,贷款状态,手机号,性别"
    rows = [
        f"JJ{i:08d},KH{i:06d},张{i},{['信用卡', '消费贷'][i % 2]},{i * 100}.55,{i}.05,{i % 90},"
        f"2024/0{i % 9 + 1}/1{i % 9},0.1{i % 9}5,{['正常', '逾期', '结清', '核销'][i % 4]},138{i:08d},男"
        for i in ROWS
    ]
    path.write_bytes("\n".join([head, *rows, ""]).encode("gb18030"))


def american_report(path: Path) -> None:
    """Dollar signs and thousands separators, month first, names with commas, shortened headers."""
    head = (
        "Acct No,Borrower,Loan Amt,Curr Bal,Past Due Amt,Days Past Due,Orig Dt,Next Due Date,APR,Acct Status,"
        "Home Phone,SSN"
    )
    rows = [
        f'"{i:09d}","Smith, Pat","${i * 1000:,}.00","${i * 903:,}.10","${i * 30:,}.00",{i % 120},'
        f"{i % 12 + 1}/{i % 28 + 1}/2024,0{i % 9 + 1}/05/2026,{5 + i % 20}.99%,"
        f"{['CURRENT', 'CHARGED OFF', 'PAID IN FULL'][i % 3]},(212) 555-{i:04d},***-{i}"
        for i in ROWS
    ]
    path.write_text("\r\n".join([head, *rows, ""]))


def german_payments(path: Path) -> None:
    """Payments with returned debits, by another delimiter than a comma."""
    rows = [
        f"B{i};V{i % 50};{i},{i % 100:02d};{i % 28 + 1:02d}.02.2026;{['Rücklastschrift', 'Zahlung'][min(i % 9, 1)]}"
        for i in ROWS
    ]
    path.write_text("\n".join(["Buchungsnummer;Vertragsnummer;Betrag;Wertstellung;Buchungsart", *rows, ""]))


def schedule_with_pipes(path: Path) -> None:
    """A repayment schedule in camel case, amounts in cents."""
    rows = [f"{i // 12}|{i % 12}|2026-{i % 12 + 1:02d}-05|{i * 1000}|{i * 10}|{i}" for i in ROWS]
    path.write_text(
        "\n".join(["LoanNumber|InstallmentNo|DueDate|PrincipalDueCents|InterestDueCents|FeeDueCents", *rows, ""])
    )


def unicode_text(path: Path) -> None:
    """A spreadsheet's "Unicode text": UTF-16 and tabs, a yes/no column, an unusual word for nothing."""
    rows = [
        f"{i}\tK{i}\t{i}.50\t{['Active', 'Closed'][i % 2]}\t{['Y', 'N'][i % 2]}\t{['N/A', 12][i % 2]}" for i in ROWS
    ]
    head = "Account Number\tCustomer Number\tOutstanding Balance\tStatus\tSecured\tDPD"
    path.write_bytes("\n".join([head, *rows, ""]).encode("utf-16"))


LENDERS: dict[str, Callable[[Path], None]] = {
    "konten.csv": german_spreadsheet,
    "loans.csv": chinese_export,
    "report.csv": american_report,
    "zahlungen.csv": german_payments,
    "schedule.csv": schedule_with_pipes,
    "unicode.csv": unicode_text,
}
