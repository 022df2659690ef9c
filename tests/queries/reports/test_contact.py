"""Coverage, intensity, connects, right-party contacts and reachability, by hand.

January 2026. Three cases stand in a queue: X with the accounts X1 and X2, Y with Y1, Z with Z1 (never tried).
A fourth case, W with W1, is tried but stands in no queue.

    X   5 Jan  call    no answer
    X   5 Jan  call    RPC, promises to pay
    X   7 Jan  call    voicemail
    Y   6 Jan  call    RPC, refuses
    Y   6 Jan  text    delivered
    W   6 Jan  call    somebody else answers
    W   8 Jan  call    refused by the gate: no attempt

Calls: attempts X 3, Y 1, W 1 = 5; answered 4 (one a machine); RPC 2; promises 1.
Accounts: X's calls are about two accounts each, so on accounts 3 x 2 + 1 + 1 = 8; attempted X1, X2, Y1, W1 = 4.
Queue: X1, X2, Y1, Z1 = 4, of which X1, X2, Y1 = 3 were called.
"""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from collections_app.db.session import Database
from collections_app.db.tables import Decision, QueueEntry, StrategyVersion
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.contact import AttemptStatus, Channel, Mode
from collections_app.domain.outcomes import Disposition, Outcome
from tests.factories import NOW, make_account, make_attempt, make_case, make_episode
from tests.queries.reports.asking import rows_of

AS_OF = date(2026, 1, 31)
BEGAN = date(2025, 12, 20)
O, D = Outcome, Disposition  # noqa: E741 - the table below is to be read as one


@pytest.fixture
def january(units: UnitsOfWork) -> Database:
    with units.begin() as uow:
        session = uow.session
        book = StrategyVersion(name="default", digest="0" * 64, content={}, effective_from=BEGAN, published_at=NOW,
                               published_by="test")  # fmt: skip
        session.add(book)
        session.flush()
        cases = {}
        for name, accounts in (("X", 2), ("Y", 1), ("Z", 1), ("W", 1)):
            case = cases[name] = make_case(session, account=False, opened_on=BEGAN)
            for _ in range(accounts):
                account = make_account(session, customer_id=case.customer_id)
                make_episode(session, account_id=account.id, case_id=case.id, entry_on=BEGAN)
            if name != "W":
                _queue(session, book.id, case.id)
        for name, day, channel, outcome, said in (
            ("X", 5, "voice", O.NO_ANSWER, None), ("X", 5, "voice", O.RPC, D.PTP), ("X", 7, "voice", O.VOICEMAIL, None),
            ("Y", 6, "voice", O.RPC, D.REFUSED), ("Y", 6, "sms", O.DELIVERED, None),
            ("W", 6, "voice", O.THIRD_PARTY, None), ("W", 8, "voice", None, None),
        ):  # fmt: skip
            at = datetime(2026, 1, day, 15, tzinfo=UTC)
            make_attempt(
                session, case_id=cases[name].id, channel=Channel(channel), outcome=outcome, disposition=said,
                mode=Mode.LIVE_AGENT if channel == "voice" else Mode.MESSAGE,
                status=AttemptStatus.DELIVERED if outcome else AttemptStatus.DENIED,
                local_date=date(2026, 1, day), dispatched_at=at, settled_at=at,
            )  # fmt: skip
    return units.database


def _queue(session: Any, version: int, case_id: int, **over: Any) -> None:
    decision = Decision(case_id=case_id, kind="queueing", business_date=BEGAN, strategy_version_id=version, rule_id="Q",
                        result={}, facts={}, arm="champion", propensity=1.0, decided_at=NOW)  # fmt: skip
    session.add(decision)
    session.flush()
    values: dict[str, Any] = {"queue": "early", "priority": 1.0, "placed_on": BEGAN}
    session.add(QueueEntry(case_id=case_id, decision_id=decision.id, **(values | over)))


def _row(database: Database, channel: str, **scope: Any) -> dict[str, Any]:
    rows = rows_of(database, "contact", **({"as_of": AS_OF} | scope))
    (found,) = [r for r in rows if (r["month"], r["channel"]) == ("2026-01", channel)]
    return found


def test_coverage_and_intensity_have_their_own_denominators(january: Database) -> None:
    row = _row(january, "voice")
    assert [row[c] for c in ("queued", "covered", "attempts", "on_accounts", "attempted")] == [4, 3, 5, 8, 4]
    assert (row["coverage"], row["intensity"]) == (0.75, 2.0)


def test_right_party_rates_name_what_they_are_divided_by(january: Database) -> None:
    # 2 RPC: per attempt 2/5, per connect 2/4, per account: X1, X2, Y1 of the 4 attempted. Promises 1 of 2.
    row = _row(january, "voice")
    assert [row[c] for c in ("connects", "voicemails", "rpcs", "ptps")] == [4, 1, 2, 1]
    assert [row[c] for c in ("connect_rate", "rpc_per_attempt", "rpc_per_connect", "rpc_per_account", "ptp_rate")] == [
        0.8, 0.4, 0.5, 0.75, 0.5
    ]  # fmt: skip
    assert row["rpc_per_attempt_low"] < 0.4 < row["rpc_per_attempt_high"]


def test_a_text_is_never_answered_and_accounts_are_not_added_over_channels(january: Database) -> None:
    text, everything = _row(january, "sms"), _row(january, "all")
    assert (text["attempts"], text["connect_rate"], text["rpc_per_connect"]) == (1, None, None)
    # 5 calls + 1 text; Y1 was reached by both and is one account: still 4 attempted, 3 covered.
    assert [everything[c] for c in ("attempts", "attempted", "covered", "on_accounts")] == [6, 4, 3, 9]


def test_an_outcome_that_was_not_settled_yet_is_not_told(january: Database) -> None:
    row = _row(january, "voice", known_at=datetime(2026, 1, 5, 23, tzinfo=UTC))
    assert [row[c] for c in ("attempts", "connects", "rpcs")] == [2, 1, 1]


def test_a_queue_counts_in_the_months_in_which_it_held_the_case(january: Database) -> None:
    rows = rows_of(january, "contact", as_of=AS_OF)
    assert [(r["month"], r["channel"], r["queued"], r["coverage"]) for r in rows] == [
        ("2025-12", "all", 4, 0.0), ("2026-01", "all", 4, 0.75), ("2026-01", "sms", 4, 0.25),
        ("2026-01", "voice", 4, 0.75),
    ]  # fmt: skip


def test_reachability_counts_customers_by_the_day(january: Database) -> None:
    # 5 Jan: X was dialled twice, connected once: 1/1. 6 Jan: Y and W dialled, both connected. 7 Jan: X, a machine.
    rows = rows_of(january, "reachability", as_of=AS_OF)
    assert [(r["day"].day, r["dialled"], r["connected"], r["reachability"]) for r in rows] == [
        (5, 1, 1, 1.0), (6, 2, 2, 1.0), (7, 1, 1, 1.0)
    ]  # fmt: skip
    assert rows_of(january, "reachability", as_of=date(2026, 3, 1)) == []
