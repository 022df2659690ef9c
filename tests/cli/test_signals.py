"""The signals command, over a real database."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from click.testing import CliRunner

from collections_app.cli.signals import group
from collections_app.db.session import Database
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.errors import NotFound
from collections_app.services import signals
from tests.factories import TODAY, make_customer


@dataclass
class Parts:
    """The two parts that the command asks its app for."""

    database: Database
    units: UnitsOfWork


@pytest.fixture
def parts(units: UnitsOfWork) -> Parts:
    yesterday = TODAY - timedelta(days=1)
    asked = {
        "customer_ref": ["C1", "C2"], "provider": ["bureau"] * 2, "product": ["enquiries"] * 2,
        "snapshot_on": [yesterday] * 2, "hit_status": ["hit", "no_hit"], "purpose_code": ["post_loan"] * 2,
        "consent_ref": ["K"] * 2, "cost_amount": [150, 30], "cost_currency": ["USD"] * 2,
    }  # fmt: skip
    told = {
        "enquiry_ref": ["E1", "E2"], "customer_ref": ["C1"] * 2, "provider": ["bureau"] * 2, "key_type": ["id"] * 2,
        "institution": ["a", "b"], "institution_type": ["bank", "p2p"], "local_hour": [9, 23],
        "enquired_at": [datetime(2026, 2, 27, 15, tzinfo=UTC)] * 2, "is_own": [False] * 2,
    }  # fmt: skip
    with units.begin() as uow:
        for ref in ("C1", "C2", "C3"):
            make_customer(uow.session, customer_ref=ref)
        signals.write_signals(uow.session, pl.DataFrame(asked), source="test", business_date=TODAY)
        signals.write_enquiries(uow.session, pl.DataFrame(told), source="test", business_date=TODAY)
    return Parts(units.database, units)


def run(parts: Parts, *words: str) -> str:
    result = CliRunner().invoke(group, [*words, "--as-of", TODAY.isoformat()], obj=parts, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_computing_and_showing_what_was_known(parts: Parts) -> None:
    assert "asked 2, counted 2, hit 1, no hit 1" in run(parts, "compute")
    assert json.loads(run(parts, "compute", "--json"))["bureau"]["written"] == 0
    shown = run(parts, "show", "C1")
    assert f"C1 on {TODAY}: known to the bureau, last asked {TODAY}" in shown
    assert "7d                   2             2           1" in shown
    assert "the bureau does not know the customer" in run(parts, "show", "C2")
    assert "C3 on 2026-03-02: not asked" in run(parts, "show", "C3")
    assert json.loads(run(parts, "show", "C3", "--json"))["status"] == "not_queried"


def test_the_cost_of_a_hit(parts: Parts) -> None:
    run(parts, "compute")
    assert "1.80 USD" in run(parts, "cost")
    row = json.loads(run(parts, "cost", "--json"))[0]
    assert (row["queries"], row["hits"], row["per_hit"]["minor"]) == (2, 1, 180)


def test_a_customer_that_nobody_knows(parts: Parts) -> None:
    with pytest.raises(NotFound):
        run(parts, "show", "C9")


def test_without_a_bureau_there_is_nothing_to_compute_or_pay(units: UnitsOfWork) -> None:
    empty = Parts(units.database, units)
    assert "no bureau was asked" in run(empty, "compute")
    assert "no vendor was asked" in run(empty, "cost")
