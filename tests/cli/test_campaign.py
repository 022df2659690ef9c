"""The campaign command, over a real database."""

import json
from dataclasses import dataclass

import pytest
from click.testing import CliRunner

from collections_app.cli.campaign import group
from collections_app.db import tables as t
from collections_app.db.session import Database
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.contact import CampaignStatus, Channel, Mode
from collections_app.domain.errors import Conflict
from tests.factories import NOW, TODAY, make_attempt


@dataclass
class Parts:
    """The two parts that the command asks its app for."""

    database: Database
    units: UnitsOfWork


@pytest.fixture
def parts(units: UnitsOfWork) -> Parts:
    with units.begin() as uow:
        campaign = t.Campaign(
            name="first_reminder", business_date=TODAY, channel=Channel.SMS, mode=Mode.MESSAGE,
            step="first_reminder", template_id="payment_reminder@1", status=CampaignStatus.RUNNING,
            created_by="test", created_at=NOW,
        )  # fmt: skip
        uow.session.add(campaign)
        uow.session.flush()
        make_attempt(uow.session, campaign_id=campaign.id)
    return Parts(units.database, units)


def _run(parts: Parts, *words: str) -> str:
    answer = CliRunner().invoke(group, list(words), obj=parts, catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return answer.output


def test_campaigns_are_listed_for_people_and_for_machines(parts: Parts) -> None:
    assert "first_reminder" in _run(parts, "list")
    (row,) = json.loads(_run(parts, "list", "--business-date", TODAY.isoformat(), "--json"))
    assert (row["status"], row["counts"]) == ("running", {"planned": 1})
    assert json.loads(_run(parts, "list", "--business-date", "2020-01-01", "--json")) == []


def test_a_campaign_is_paused_resumed_and_stopped_by_its_number(parts: Parts) -> None:
    assert "is paused" in _run(parts, "pause", "1")
    assert "running again" in _run(parts, "resume", "1")
    assert "is stopped" in _run(parts, "stop", "1")
    assert "stopped; 1 cancelled" in _run(parts, "show", "1")


def test_what_a_campaign_cannot_do_is_refused(parts: Parts) -> None:
    with pytest.raises(Conflict, match="is running"):
        _run(parts, "start", "1")
