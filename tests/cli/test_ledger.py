"""``collections ledger``: the worked example by hand, and what was believed before a reversal."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from collections_app.cli import cli
from collections_app.config import Settings
from collections_app.wiring import App
from tests.conftest import FixedClock
from tests.factories import make_account
from tests.loans import make_loan, pay, reverse

DUES = {date(2026, 3, 1): 1000, date(2026, 4, 1): 1000, date(2026, 5, 1): 1000}


@pytest.fixture
def app(tmp_path: Path, clock: FixedClock) -> App:
    made = App(Settings.from_env({"VAR_DIR": str(tmp_path / "var")}), clock)
    with made.units.begin() as uow:
        loan = make_loan(uow.session, DUES, account_ref="L1")
    pay(made.units, loan, "P1", 1500, date(2026, 5, 5))
    clock.now += timedelta(days=70)
    reverse(made.units, loan, "R1", "P1", 1500, date(2026, 5, 11))
    return made


def ask(app: App, *words: str) -> Result:
    return CliRunner().invoke(cli, ["ledger", *words], obj=app)


def test_show_lays_an_account_open_as_of_a_day(app: App) -> None:
    assert ask(app, "refresh", "--business-date", "2026-05-12").exit_code == 0
    said = ask(app, "show", "L1", "--as-of", "2026-05-10").output
    assert "dpd 39, arrears 15.00 USD, oldest unpaid 2026-04-01" in said
    rows = [line.split() for line in said.splitlines()]
    assert ["1", "scheduled", "2026-03-01", "10.00", "USD", "10.00", "USD", "2026-05-05"] in rows
    assert ["P1", "2", "2", "principal", "5.00", "USD", "default_loan@2000-01-01"] in rows
    later = ask(app, "show", "L1", "--as-of", "2026-05-12").output
    assert "dpd 72, arrears 30.00 USD" in later
    assert "allocations: none" in later


def test_the_ledger_is_not_brought_to_a_day_that_has_not_begun(app: App) -> None:
    refused = ask(app, "refresh", "--business-date", "2062-05-12")
    assert (refused.exit_code, refused.output) == (1, "error: 2062-05-12 lies in the future; today is 2026-05-11\n")
    assert ask(app, "refresh", "--business-date", "2026-05-12").exit_code == 0  # it has, further east


def test_an_episode_is_shown_as_it_stood_on_the_day(app: App, clock: FixedClock) -> None:
    clock.now += timedelta(days=60)
    ask(app, "refresh", "--business-date", "2026-07-01")
    said = ask(app, "show", "L1", "--as-of", "2026-05-12").output
    assert ["2026-03-02", "1", "72", "-", "-"] in [line.split() for line in said.splitlines()]


def test_show_tells_what_was_believed_before_the_reversal_was_known(app: App) -> None:
    ask(app, "refresh", "--business-date", "2026-05-12")
    believed = ask(app, "show", "L1", "--as-of", "2026-05-12", "--known-at", "2026-03-20T00:00:00+0000").output
    assert "dpd 41, arrears 15.00 USD" in believed


def test_refresh_tells_what_it_did_and_does_it_once(app: App) -> None:
    first = json.loads(ask(app, "refresh", "--business-date", "2026-05-12", "--json").output)
    assert (first["derived"], first["episodes_opened"], first["cases_opened"]) == (1, 1, 1)
    again = json.loads(ask(app, "refresh", "--business-date", "2026-05-12", "--full", "--json").output)
    assert {name: n for name, n in again.items() if n} == {"derived": 1}


def test_accounts_due_for_charge_off_are_listed(app: App, clock: FixedClock) -> None:
    clock.now += timedelta(days=60)
    ask(app, "refresh", "--business-date", "2026-07-01")
    said = ask(app, "charge-offs", "--as-of", "2026-07-01").output
    assert ["test", "L1", "2026-06-29", "122", "2,000.00", "USD"] in [line.split() for line in said.splitlines()]


def test_what_is_not_there_is_said_in_a_sentence(app: App) -> None:
    result = ask(app, "show", "nobody", "--as-of", "2026-05-10")
    assert (result.exit_code, result.output) == (1, "error: there is no account 'nobody'\n")
    with app.units.begin() as uow:
        make_account(uow.session, source="other", account_ref="L1")
    assert "several sources have an account 'L1'" in ask(app, "show", "L1", "--as-of", "2026-05-10").output
    kept = ask(app, "show", "L1", "--source", "other", "--as-of", "2026-05-10").output
    assert "its source keeps it: 12 days past due as told for 2026-03-02" in kept
