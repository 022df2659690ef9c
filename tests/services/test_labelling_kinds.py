"""Each labeller reads its tables, once; beside the label stand the arm, its probability and whether it was worked."""

from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.cases import EpisodeEnd
from collections_app.domain.contact import AttemptStatus, Channel, Mode
from collections_app.domain.outcomes import Outcome
from collections_app.domain.promises import PromiseStatus
from collections_app.queries.label_facts import matured_labels
from collections_app.services import labelling
from tests.factories import make_account, make_attempt, make_case, make_episode, make_standing

MONDAY = date(2026, 1, 5)
_number = count()


def at(on: date, hour: int = 15) -> datetime:
    return datetime(on.year, on.month, on.day, hour, tzinfo=UTC)


def after(days: int) -> date:
    return MONDAY + timedelta(days=days)


def overdue(session: Session, *, entry: date = MONDAY, days: int = 200, ended: int | None = None) -> tuple[int, int]:
    """Make a case with one account that is late from ``entry`` on, and let it cure after ``ended`` days."""
    case = make_case(session, account=False, opened_on=entry)
    account = make_account(session, customer_id=case.customer_id)
    end = {} if ended is None else {"ended_on": entry + timedelta(days=ended), "end_reason": EpisodeEnd.CURED}
    make_episode(session, account_id=account.id, case_id=case.id, entry_on=entry, max_dpd=ended or days, **end)
    make_standing(session, account_id=account.id, from_on=entry, dpd=1, is_ageing=True)
    if ended is not None:
        make_standing(session, account_id=account.id, from_on=entry + timedelta(days=ended), dpd=0)
    return case.id, account.id


def decide(session: Session, case_id: int, on: date, arm: str, propensity: float) -> None:
    book = t.StrategyVersion(name="b", digest=f"{next(_number)}", content={}, effective_from=on, published_at=at(on),
                             published_by="x")  # fmt: skip
    session.add(book)
    session.flush()
    session.add(
        t.Decision(case_id=case_id, kind="treatment", business_date=on, strategy_version_id=book.id, rule_id="r",
                   result={}, facts={}, arm=arm, propensity=propensity, decided_at=at(on))
    )  # fmt: skip
    session.flush()


def touch(session: Session, case_id: int, on: date, **over: Any) -> None:
    values: dict[str, Any] = {
        "channel": Channel.VOICE, "mode": Mode.LIVE_AGENT, "status": AttemptStatus.DELIVERED, "local_date": on,
        "dispatched_at": at(on), "settled_at": at(on), "outcome": Outcome.NO_ANSWER,
    }  # fmt: skip
    make_attempt(session, case_id=case_id, **{**values, **over})


def mature(units: UnitsOfWork, on: date) -> dict[str, int]:
    with units.begin() as uow:
        return labelling.mature(uow, business_date=on)


def stored(units: UnitsOfWork, label: str) -> dict[tuple[int, date], t.TrainingLabel]:
    with units.database.reading() as session:
        rows = session.scalars(sa.select(t.TrainingLabel).where(t.TrainingLabel.label == label)).all()
    return {(x.account_id, x.observed_on): x for x in rows}


def test_the_arm_its_probability_and_the_work_are_told_with_the_label(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        held_case, held = overdue(uow.session, ended=6)
        worked_case, worked = overdue(uow.session)
        texted_case, texted = overdue(uow.session)
        _, unknown = overdue(uow.session)
        for case, arm, share in ((held_case, "holdout", 0.03), (worked_case, "champion", 0.97),
                                 (texted_case, "holdout", 0.03)):  # fmt: skip
            decide(uow.session, case, MONDAY, arm, share)
        decide(uow.session, worked_case, after(1), "other", 0.5)  # a later decision is not that of the observation
        touch(uow.session, worked_case, after(3), mode=Mode.AI_VOICE)
        touch(uow.session, texted_case, after(3), channel=Channel.SMS, mode=Mode.MESSAGE)
        touch(uow.session, held_case, after(6))  # the day it had been paid: no work of ours any more
    mature(units, after(13))
    found = {account: x for (account, _), x in stored(units, "cured_10d").items()}
    told = {a: (x.outcome, x.arm, x.propensity, x.is_worked) for a, x in found.items()}
    assert told == {
        held: (1, "holdout", 0.03, False),
        worked: (0, "champion", 0.97, True),
        texted: (0, "holdout", 0.03, False),
        unknown: (0, None, None, False),
    }
    with units.database.reading() as session:
        learnt = matured_labels(session, label="cured_10d", until=after(13), hold_out_only=True)
    assert sorted(learnt["account_id"]) == sorted([held, texted])


def test_who_was_drawn_for_the_hold_out_but_worked_all_the_same_is_not_learnt_from(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        case, _ = overdue(uow.session)
        decide(uow.session, case, MONDAY, "holdout", 0.03)
        touch(uow.session, case, after(2))
    mature(units, after(13))
    with units.database.reading() as session:
        assert matured_labels(session, label="cured_10d", until=after(13), hold_out_only=True).is_empty()
        assert matured_labels(session, label="cured_10d", until=after(13)).height == 1


def test_a_whole_life_gives_a_label_at_every_point_and_a_second_run_nothing(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        _, account = overdue(uow.session)
    days = {"bad_30d": [33], "rolled_m2": [33], "rolled_m3": [63], "rolled_m4": [93, 123]}
    for on in (32, 33, 40, 63, 93, 123, 124):
        mature(units, after(on))
    for name, _ in days.items():
        outcomes = {day: x.outcome for (_, day), x in stored(units, name).items()}
        assert set(outcomes.values()) == {1}
        points = {"bad_30d": [0], "rolled_m2": [9, 14, 19], "rolled_m3": [30], "rolled_m4": [60, 90]}[name]
        assert outcomes == {after(p): 1 for p in points}
    assert mature(units, after(125)) == {"matured": 0, "unknown": 0}
    assert {a for a, _ in stored(units, "rolled_m2")} == {account}


def test_a_late_catch_up_gives_the_same_labels_as_every_day(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        overdue(uow.session)
        overdue(uow.session, ended=14)
    counts = mature(units, after(130))
    assert (counts["bad_30d"], counts["rolled_m2"], counts["rolled_m3"], counts["rolled_m4"]) == (2, 4, 1, 2)


def test_an_episode_that_never_was_has_no_label(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        overdue(uow.session)
        uow.session.execute(
            sa.update(t.Episode).values(ended_on=after(20), end_reason=EpisodeEnd.RESTATED)
        )  # fmt: skip
    assert mature(units, after(130))["matured"] == 0


def test_a_week_of_calls_is_labelled_for_the_account_that_is_late_the_longest(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        case, account = overdue(uow.session, entry=after(-10))
        customer = uow.session.get_one(t.Case, case).customer_id
        younger = make_account(uow.session, customer_id=customer)
        make_episode(uow.session, account_id=younger.id, case_id=case, entry_on=after(-2))
        new_case, _ = overdue(uow.session, entry=after(1))  # opened on Tuesday: not there on Monday
        touch(uow.session, case, after(-3), outcome=Outcome.ANSWERED_UNVERIFIED)
        for day in (1, 3):
            touch(uow.session, case, after(day))
        touch(uow.session, new_case, after(2))
        touch(uow.session, case, after(9), outcome=Outcome.RPC)
    mature(units, after(8))
    # The earlier week was called, too; only on MONDAY was there an answer to look back on.
    assert {k: x.outcome for k, x in stored(units, "rpc_7d").items()} == {(account, after(-7)): 0, (account, MONDAY): 0}
    assert {k: x.outcome for k, x in stored(units, "lost_7d").items()} == {(account, MONDAY): 1}
    assert stored(units, "rpc_7d")[account, MONDAY].is_worked
    assert mature(units, after(9))["matured"] == 0  # the weeks are looked at again, and nothing is news
    mature(units, after(14))
    assert (account, after(7)) not in stored(units, "rpc_7d")
    mature(units, after(15))
    assert stored(units, "rpc_7d")[account, after(7)].outcome == 1


def make_promise(session: Session, case_id: int, account_id: int, **over: Any) -> None:
    values: dict[str, Any] = {
        "account_id": account_id, "case_id": case_id, "amount": 1_000, "currency": "USD", "due_on": after(5),
        "method": "x", "grace_days": 2, "tolerance_percent": 5, "made_by": "agent", "created_at": at(MONDAY),
        "created_on": MONDAY, "paid_amount": 0, "settled_on": after(8), "status": PromiseStatus.BROKEN,
    }  # fmt: skip
    session.add(t.Promise(**{**values, **over}))
    session.flush()


def test_promises_are_labelled_when_judged_and_void_ones_never(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        case, account = overdue(uow.session)
        make_promise(uow.session, case, account, status=PromiseStatus.SUPERSEDED)
        make_promise(uow.session, case, account, status=PromiseStatus.KEPT)
        other_case, other = overdue(uow.session)
        make_promise(uow.session, other_case, other, status=PromiseStatus.PARTIAL)
        open_case, still = overdue(uow.session)
        make_promise(uow.session, open_case, still, status=PromiseStatus.OPEN, settled_on=None)
        stale_case, stale = overdue(uow.session)
        make_promise(uow.session, stale_case, stale, is_stale=True)
    mature(units, after(11))
    assert {k: x.outcome for k, x in stored(units, "promise_kept").items()} == {
        (account, MONDAY): 1,
        (other, MONDAY): 0,
    }


def batch(session: Session, on: date) -> int:
    row = t.FeedBatch(source="test", entity="payments", mapping="own", mapping_version=1, business_date=on,
                      file_name="f", sha256=f"{next(_number)}", rows=1, accepted=1, quarantined=0, unchanged=0,
                      imported_at=at(on))  # fmt: skip
    session.add(row)
    session.flush()
    return row.id


def place(session: Session, account_id: int, **over: Any) -> None:
    values: dict[str, Any] = {
        "account_id": account_id, "placed_with": "house", "batch": "b", "placed_on": MONDAY, "currency": "USD",
        "placed_balance_amount": 200_000, "placed_arrears_amount": 10_000,
    }  # fmt: skip
    session.add(t.Placement(**{**values, **over}))
    session.flush()


def pay(session: Session, account_id: int, on: date, amount: int, **over: Any) -> None:
    values: dict[str, Any] = {
        "source": "test", "payment_ref": f"p{next(_number)}", "account_id": account_id, "amount": amount,
        "currency": "USD", "kind": "payment", "status": "settled", "value_on": on, "batch_id": batch(session, on),
    }  # fmt: skip
    session.add(t.Payment(**{**values, **over}))
    session.flush()


def test_recovery_is_the_share_paid_and_a_sold_account_has_none(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        session = uow.session
        accounts = [overdue(session)[1] for _ in range(3)]
        for account in accounts:
            place(session, account)
        pay(session, accounts[0], after(10), 2_500)
        pay(session, accounts[0], after(12), 9_000, kind="interest_waiver", batch_id=None)
        make_standing(session, account_id=accounts[2], from_on=after(40), dpd=40, status="sold")
        batch(session, after(94))
    assert "recovered_90d" not in mature(units, after(92))
    mature(units, after(93))
    told = {a: (x.outcome, x.value) for (a, _), x in stored(units, "recovered_90d").items()}
    assert told == {accounts[0]: (1, pytest.approx(0.25)), accounts[1]: (0, 0)}


def test_a_lender_that_fell_silent_does_not_say_that_nothing_was_paid(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        _, account = overdue(uow.session)
        place(uow.session, account)
        pay(uow.session, account, after(10), 2_500)
    assert "recovered_90d" not in mature(units, after(120))
