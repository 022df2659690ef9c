"""Entry, cure, self-cure and re-default from a handful of episodes, worked by hand."""

from datetime import date
from typing import Any

import pytest

from collections_app.db.tables import Decision, Instalment, StrategyVersion
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.cases import EpisodeEnd
from collections_app.domain.contact import AttemptStatus, Channel
from collections_app.domain.errors import InvalidInput
from collections_app.domain.outcomes import Outcome
from tests.factories import NOW, make_account, make_attempt, make_case, make_episode, make_standing
from tests.queries.reports.asking import rows_of

JANUARY = date(2026, 1, 5)
CURED = EpisodeEnd.CURED


def test_an_episode_counts_in_a_window_once_the_window_is_over(units: UnitsOfWork) -> None:
    # Four episodes of January, as of 1 March:
    #   5 Jan -> cured 4 Feb (day 30)     in 30 yes
    #   5 Jan -> cured 5 Feb (day 31)     in 30 no; the 60 days end on 6 March: not over
    #   5 Jan -> paid off 20 Jan          in 30 yes
    #   31 Jan -> open                    30 days end on 2 March: not over, so not in the denominator
    with units.begin() as uow:
        for entry, end, reason in (
            (JANUARY, date(2026, 2, 4), CURED), (JANUARY, date(2026, 2, 5), CURED),
            (JANUARY, date(2026, 1, 20), EpisodeEnd.PAID_OFF), (date(2026, 1, 31), None, None),
        ):  # fmt: skip
            make_episode(uow.session, entry_on=entry, ended_on=end, end_reason=reason)
    found = {r["days"]: r for r in rows_of(units.database, "cure-rate", as_of=date(2026, 3, 1))}
    assert [found[30][c] for c in ("entered", "episodes", "cured", "cure_rate")] == ["2026-01", 3, 2, 2 / 3]
    assert [found[60][c] for c in ("episodes", "cured", "cure_rate", "cure_rate_low")] == [0, 0, None, None]


def test_a_charge_off_is_no_cure_and_a_cure_after_the_date_is_not_known_on_it(units: UnitsOfWork) -> None:
    # As of 5 February (day 31): one was charged off on day 10, one is cured on day 40 of which nobody knows yet.
    with units.begin() as uow:
        make_episode(uow.session, entry_on=JANUARY, ended_on=date(2026, 1, 15), end_reason=EpisodeEnd.CHARGED_OFF)
        make_episode(uow.session, entry_on=JANUARY, ended_on=date(2026, 2, 14), end_reason=CURED)
    found = {r["days"]: r for r in rows_of(units.database, "cure-rate", as_of=date(2026, 2, 5))}
    assert (found[30]["episodes"], found[30]["cured"]) == (2, 0)


def test_a_self_cure_had_neither_a_conversation_nor_anything_that_costs(units: UnitsOfWork) -> None:
    # Five episodes of 5 January, all cured on 10 January (day 5), as of 1 February:
    #   nothing sent                      self-cure
    #   an e-mail sent                    self-cure: it costs nothing and nobody spoke
    #   a text sent on 6 January          no
    #   the customer called in (RPC)      no
    #   a text on 20 January, after it    self-cure
    # One more, untreated and not cured: 3 of 6.
    with units.begin() as uow:
        session = uow.session
        sms, mail, voice = Channel.SMS, Channel.EMAIL, Channel.VOICE
        for channel, day, more in (
            (None, None, {}), (mail, 6, {}), (sms, 6, {}),
            (voice, 6, {"direction": "inbound", "outcome": Outcome.RPC}), (sms, 20, {}),
        ):  # fmt: skip
            case = make_case(session, account=False)
            account = make_account(session, customer_id=case.customer_id)
            make_episode(session, account_id=account.id, case_id=case.id, entry_on=JANUARY,
                         ended_on=date(2026, 1, 10), end_reason=CURED)  # fmt: skip
            if channel:
                said: dict[str, Any] = {"channel": channel, "local_date": date(2026, 1, day or 0), **more}
                make_attempt(session, case_id=case.id, status=AttemptStatus.SENT, **said)
        make_episode(session, entry_on=JANUARY)
    (row, month) = rows_of(units.database, "self-cure", as_of=date(2026, 2, 1))
    assert [row[c] for c in ("reading", "days", "episodes", "cured")] == ["strict", 10, 6, 3]
    assert row["self_cure_rate"] == 0.5
    assert (month["days"], month["episodes"]) == (30, 0)


def test_a_text_that_was_refused_by_the_gate_is_no_treatment(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        case = make_case(uow.session, account=False)
        account = make_account(uow.session, customer_id=case.customer_id)
        make_episode(uow.session, account_id=account.id, case_id=case.id, entry_on=JANUARY,
                     ended_on=date(2026, 1, 10), end_reason=CURED)  # fmt: skip
        make_attempt(uow.session, case_id=case.id, status=AttemptStatus.DENIED, local_date=date(2026, 1, 6))
    row = rows_of(units.database, "self-cure", as_of=date(2026, 2, 1))[0]
    assert (row["episodes"], row["cured"]) == (1, 1)


def test_the_hold_out_arm_is_read_apart(units: UnitsOfWork) -> None:
    # Two episodes of the hold-out, one cured on day 5: 1 of 2. One episode of the champion arm: not in these rows.
    with units.begin() as uow:
        session = uow.session
        book = StrategyVersion(name="default", digest="0" * 64, content={}, effective_from=JANUARY, published_at=NOW,
                               published_by="test")  # fmt: skip
        session.add(book)
        session.flush()
        for arm, ended in (("holdout", date(2026, 1, 10)), ("holdout", None), ("champion", date(2026, 1, 10))):
            case = make_case(session, account=False)
            account = make_account(session, customer_id=case.customer_id)
            make_episode(session, account_id=account.id, case_id=case.id, entry_on=JANUARY, ended_on=ended,
                         end_reason=CURED if ended else None)  # fmt: skip
            session.add(
                Decision(case_id=case.id, kind="treatment", business_date=JANUARY, strategy_version_id=book.id,
                         rule_id="T", result={}, facts={}, arm=arm, propensity=0.03, decided_at=NOW)
            )  # fmt: skip
    held = [r for r in rows_of(units.database, "self-cure", as_of=date(2026, 2, 1)) if r["reading"] == "hold-out"]
    assert [(r["days"], r["episodes"], r["cured"]) for r in held] == [(10, 2, 1), (30, 0, 0)]


def test_a_cure_that_did_not_last_is_counted_by_how_soon_it_broke(units: UnitsOfWork) -> None:
    # Three cures on 10 January, as of 20 March (69 days later: 30 and 60 are over, 90 is not).
    #   overdue again on 5 February (day 26), goes on to DPD 30 on 6 March (day 55)
    #   overdue again on 15 February (day 36), paid after 5 days
    #   never again
    # DPD 1: 1 of 3 in 30 days, 2 of 3 in 60.  DPD 30: 0 of 3 in 30 days, 1 of 3 in 60.
    with units.begin() as uow:
        for again, until in ((date(2026, 2, 5), None), (date(2026, 2, 15), date(2026, 2, 20)), (None, None)):
            account = make_account(uow.session)
            spans = [(date(2025, 12, 1), 5, True), (date(2026, 1, 10), 0, False)]
            spans += [(again, 1, True)] if again else []
            spans += [(until, 0, False)] if until else []
            for from_on, dpd, ages in spans:
                make_standing(uow.session, account_id=account.id, from_on=from_on, dpd=dpd, is_ageing=ages)
            make_episode(uow.session, account_id=account.id, entry_on=date(2025, 12, 1),
                         ended_on=date(2026, 1, 10), end_reason=CURED)  # fmt: skip
    rows = rows_of(units.database, "re-default", as_of=date(2026, 3, 20))
    assert [(r["dpd"], r["days"], r["cures"], r["redefaulted"]) for r in rows] == [
        (1, 30, 3, 1), (1, 60, 3, 2), (1, 90, 0, 0), (30, 30, 3, 0), (30, 60, 3, 1), (30, 90, 0, 0)
    ]  # fmt: skip
    assert rows[1]["redefault_rate"] == 2 / 3


def test_the_entry_rate_asks_who_of_those_due_was_overdue_the_day_after(units: UnitsOfWork) -> None:
    # Due on 5 January, 4 accounts: 100 each but the third, 300.
    #   pays in time; in an episode since December (cannot enter); does not pay: DPD 1 on 6 January (300); pays.
    # By count 1/4, of those current 1/3; by amount 300/600.
    with units.begin() as uow:
        for amount, entry in ((100, None), (100, date(2025, 12, 9)), (300, date(2026, 1, 6)), (100, None)):
            account = make_account(uow.session, currency="USD")
            for seq, part in ((1, amount - 10), (2, 10)):  # two lines due on one day are one account due
                uow.session.add(
                    Instalment(account_id=account.id, schedule_version=0, seq=seq, due_on=JANUARY,
                               principal_due_amount=part)
                )  # fmt: skip
            if entry:
                make_episode(uow.session, account_id=account.id, entry_on=entry)
    (row,) = rows_of(units.database, "entry-rate", as_of=date(2026, 1, 20))
    assert [row[c] for c in ("due_on", "due", "overdue", "entered")] == [JANUARY, 4, 1, 1]
    assert [row[c] for c in ("entry_rate", "entry_rate_current", "entry_rate_amount")] == [0.25, 1 / 3, 0.5]
    assert rows_of(units.database, "entry-rate", as_of=JANUARY) == []


def test_what_keeps_only_the_last_word_refuses_to_say_what_was_known(units: UnitsOfWork) -> None:
    with pytest.raises(InvalidInput, match="only the last word is kept"):
        rows_of(units.database, "cure-rate", as_of=JANUARY, known_at=NOW)
