"""``collections intake``: files one by one without cases of half a day, and corrected rows reach the ledger."""

from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from collections_app.cli import cli
from collections_app.config import Settings
from collections_app.db.tables import Account, Case
from collections_app.wiring import App
from tests.conftest import FixedClock

FILES = {
    "customers": "customer_id,party_type,language,country\nC1,person,en,US\n",
    "accounts": "account_id,customer_id,creditor_id,collector_role,product_family,ccy,balance_total,status\n"
    "L1,C1,Bank,first_party,instalment,USD,3000,active\n",
    "instalments": "account_id,seq,due_date,principal_due\nL1,1,2026-02-01,1000\nL1,2,2026-03-01,2000\n",
    "payments": "payment_id,account_id,amount,ccy,kind,status,value_date\n"
    "P1,L1,1000,USD,payment,settled,2026-02-01\nP2,L1,2000,USD,payment,settled,01.03.2026\n",
}
DAY = ("--mapping", "own_feed", "--business-date", "2026-03-03")


@pytest.fixture
def app(tmp_path: Path, clock: FixedClock) -> App:
    for entity, text in FILES.items():
        (tmp_path / f"{entity}_delta_001.csv").write_text(text, encoding="utf-8")
    made = App(Settings.from_env({"VAR_DIR": str(tmp_path / "var")}), clock)
    with made.units.begin():
        return made


def ask(app: App, *words: str) -> Result:
    return CliRunner().invoke(cli, ["intake", *words], obj=app)


def cases(app: App) -> list[date | None]:
    with app.database.reading() as session:
        return list(session.scalars(sa.select(Case.closed_on).order_by(Case.id)))


def arrears(app: App) -> int:
    with app.database.reading() as session:
        return session.scalars(sa.select(Account.arrears_amount)).one()


def test_files_of_one_day_make_no_cases_before_the_last_is_in_and_corrected_rows_close_theirs(
    app: App, tmp_path: Path
) -> None:
    first, *between, last = (str(tmp_path / f"{entity}_delta_001.csv") for entity in FILES)
    for path in (first, *between):
        assert ask(app, "import", path, *DAY, "--no-refresh").exit_code == 0
    assert cases(app) == []
    assert ask(app, "import", last, *DAY, "--max-rejects", "0.5").exit_code == 0
    assert (cases(app), arrears(app)) == ([None], 2000)
    listed = ask(app, "rejects").output
    assert "payments_delta_001.csv line 3, column 'value_date'" in listed
    batch = listed.split()[1].rstrip(",")
    rejected = tmp_path / "rejected.csv"
    written = ask(app, "rejects", "--batch", batch, "--from", last, "--out", str(rejected))
    assert written.output.startswith("1 rows written")
    rejected.write_text(rejected.read_text("utf-8").replace("01.03.2026", "2026-03-01"), encoding="utf-8")
    assert ask(app, "resubmit", batch, str(rejected), "--mapping", "own_feed").output == (
        "1 of 1 rows accepted; 0 wait on\n"
    )
    assert (cases(app), arrears(app)) == ([date(2026, 3, 3)], 0)


def test_what_is_told_later_leaves_the_days_before_as_they_were(app: App, tmp_path: Path, clock: FixedClock) -> None:
    for entity in ("customers", "accounts", "instalments"):
        ask(app, "import", str(tmp_path / f"{entity}_delta_001.csv"), *DAY)
    closed = tmp_path / "accounts_delta_002.csv"
    closed.write_text(FILES["accounts"].replace("3000,active", "0,closed"), encoding="utf-8")
    clock.now += timedelta(days=3)
    assert ask(app, "import", str(closed), *DAY[:3], "2026-03-05").exit_code == 0
    shown = [
        CliRunner().invoke(cli, ["ledger", "show", "L1", "--as-of", day], obj=app).output.splitlines()[:2]
        for day in ("2026-03-04", "2026-03-05")
    ]
    assert shown[0] == [
        "account L1 of own_feed, active, as of 2026-03-04",
        "dpd 31, arrears 30.00 USD, oldest unpaid 2026-02-01",
    ]
    assert shown[1] == [
        "account L1 of own_feed, closed, as of 2026-03-05",
        "dpd 0, arrears 0.00 USD, oldest unpaid None",
    ]


def test_a_manifest_may_have_any_name(app: App, tmp_path: Path) -> None:
    odd = tmp_path / "delivery_0303.json"
    odd.write_text("{}", encoding="utf-8")
    assert "not a feed manifest: business_date is missing" in ask(app, "import", str(odd), *DAY).output


def test_a_batch_that_is_not_there_is_no_batch_without_refused_rows(app: App) -> None:
    result = ask(app, "rejects", "--batch", "99")
    assert (result.exit_code, result.output) == (1, "error: there is no batch 99\n")
