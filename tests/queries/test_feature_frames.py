"""From tables to frames: what was known, no more; the road is the same for training and scoring."""

from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from sqlalchemy.orm import Session

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.contact import AttemptStatus, Channel, Mode
from collections_app.domain.outcomes import Disposition, Outcome
from collections_app.domain.promises import PromiseStatus
from collections_app.queries.feature_frames import frames_at, raw_frames
from models.features import build_features
from tests.factories import TODAY, make_account, make_attempt, make_case, make_customer, make_episode, make_standing

AS_OF = TODAY
_number = count()


def at(day: date, hour: int = 12) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def back(days: int) -> date:
    return AS_OF - timedelta(days=days)


def add_batch(session: Session, on: date) -> int:
    batch = t.FeedBatch(
        source="test", entity="accounts", mapping="own", mapping_version=1, business_date=on, file_name="f",
        sha256=f"{next(_number)}", rows=1, accepted=1, quarantined=0, unchanged=0, imported_at=at(on),
    )  # fmt: skip
    session.add(batch)
    session.flush()
    return batch.id


def add_snapshot(session: Session, account_id: int, on: date, dpd: int, balance: int = 200_000) -> None:
    make_standing(session, account_id=account_id, batch_id=add_batch(session, on), from_on=on, dpd=dpd,
                  balance_amount=balance)  # fmt: skip


def known_world(session: Session) -> int:
    """Make a case with something in each table, all of it known before the observation day."""
    case = make_case(session, account=False)
    account = make_account(session, customer_id=case.customer_id, opened_on=date(2025, 1, 1))
    make_episode(session, account_id=account.id, case_id=case.id)
    make_episode(session, account_id=account.id, entry_on=back(90), ended_on=back(80), max_dpd=11)
    for days, dpd in ((75, 0), (45, 0), (5, 7), (0, 12)):
        add_snapshot(session, account.id, back(days), dpd)
    session.add_all([
        t.AccountCycle(account_id=account.id, cycle_end_on=back(10), cycles_past_due=1,
                       statement_amount=90_000, paid_amount=9_000),
        t.Payment(source="test", payment_ref=f"p1-{account.id}", account_id=account.id,
                  batch_id=add_batch(session, back(20)), amount=4_000, currency="USD",
                  kind="payment", status="settled", value_on=back(21)),
        t.ExternalSignal(customer_id=case.customer_id, provider="bureau", snapshot_on=back(9),
                         received_on=back(9), hit_status="hit",
                         purpose_code="post_loan", consent_ref="K1",
                         fields={"ml_id_all_apps_12m": 8, "ml_id_all_orgs_12m": "??"}),
        t.Promise(account_id=account.id, case_id=case.id, amount=1_000, currency="USD", due_on=back(6),
                  method="x", grace_days=2, tolerance_percent=5, status=PromiseStatus.BROKEN, made_by="agent",
                  created_at=at(back(9)), created_on=back(9), paid_amount=0, settled_on=back(3)),
    ])  # fmt: skip
    make_attempt(session, case_id=case.id, channel=Channel.VOICE, mode=Mode.LIVE_AGENT,
                 status=AttemptStatus.DELIVERED, dispatched_at=at(back(4)), settled_at=at(back(4)),
                 outcome=Outcome.RPC, disposition=Disposition.REFUSED)  # fmt: skip
    return account.id


def later_world(session: Session, account_id: int) -> None:
    """Add what became known on the observation day's work or after it, in every table."""
    account = session.get_one(t.Account, account_id)
    case = session.query(t.Case).filter_by(customer_id=account.customer_id).one()
    tomorrow = AS_OF + timedelta(days=1)
    add_snapshot(session, account_id, tomorrow, 99, balance=1)
    session.add_all([
        t.AccountCycle(account_id=account_id, cycle_end_on=tomorrow, cycles_past_due=9, statement_amount=1,
                       paid_amount=1),
        t.Payment(source="test", payment_ref="p2", account_id=account_id, batch_id=add_batch(session, AS_OF),
                  amount=50_000, currency="USD", kind="payment", status="settled", value_on=AS_OF),
        t.Payment(source="test", payment_ref="p3", account_id=account_id,
                  batch_id=add_batch(session, AS_OF + timedelta(days=2)), amount=4_000, currency="USD",
                  kind="reversal", status="settled", value_on=back(21), reverses_ref=f"p1-{account_id}"),
        t.ExternalSignal(customer_id=case.customer_id, provider="bureau", snapshot_on=back(1),
                         received_on=tomorrow, hit_status="hit",
                         purpose_code="post_loan", consent_ref="K1", fields={"ml_id_all_apps_12m": 77}),
        t.Promise(account_id=account_id, case_id=case.id, amount=1_000, currency="USD", due_on=back(1),
                  method="x", grace_days=2, tolerance_percent=5, status=PromiseStatus.KEPT, made_by="agent",
                  created_at=at(back(2)), created_on=back(2), paid_amount=0, settled_on=AS_OF),
    ])  # fmt: skip
    make_attempt(session, case_id=case.id, status=AttemptStatus.DELIVERED, dispatched_at=at(AS_OF),
                 settled_at=at(AS_OF), outcome=Outcome.RPC)  # fmt: skip
    # Columns that the next feed overwrites; no feature may come from them.
    account.dpd, account.balance_amount, account.limit_amount = 99, 1, 1
    for episode in session.query(t.Episode).filter_by(account_id=account_id, ended_on=None):
        episode.max_dpd, episode.ended_on = 99, tomorrow
    session.flush()


def features(session: Session, account_id: int) -> dict[str, Any]:
    frame = build_features(raw_frames(session, account_ids=[account_id], as_of=AS_OF), AS_OF)
    return frame.row(0, named=True)


def test_each_table_reaches_its_features(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        row = features(uow.session, known_world(uow.session))
    assert row["dpd"] == 12
    assert row["past_due_0"] == 1
    assert row["utilisation_0"] == pytest.approx(90_000 / 400_000)
    assert row["days_since_payment"] == 21
    assert row["ml_apps_12m"] == 8
    assert row["ml_orgs_12m"] is None  # the vendor sent no number
    assert (row["promises_broken_12m"], row["promise_kept_ratio"]) == (1, 0)
    assert (row["attempts_30d"], row["days_since_rpc"], row["refusals_90d"]) == (1, 4, 1)
    assert (row["earlier_episodes"], row["earlier_max_dpd"]) == (1, 11)


def test_what_became_known_later_changes_nothing(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        account_id = known_world(uow.session)
        before = features(uow.session, account_id)
        later_world(uow.session, account_id)
        assert features(uow.session, account_id) == before


def test_an_outcome_settled_later_is_an_attempt_without_an_outcome(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        account_id = known_world(uow.session)
        for attempt in uow.session.query(t.ContactAttempt):
            attempt.settled_at = at(AS_OF)
        uow.session.flush()
        row = features(uow.session, account_id)
    assert (row["attempts_30d"], row["connects_30d"], row["days_since_rpc"]) == (1, 0, None)


def observed(session: Session, pairs: list[tuple[int, date]]) -> pl.DataFrame:
    names = {"row": pl.Int64, "account_id": pl.Int64, "observed_on": pl.Date}
    rows = pl.DataFrame([(n, *pair) for n, pair in enumerate(pairs)], schema=names, orient="row")
    frames, anchor = frames_at(session, rows)
    return build_features(frames, anchor)


def test_observations_of_many_days_read_the_same_as_each_day_by_itself(units: UnitsOfWork) -> None:
    """What became known on a later day is in the tables all along, and in none of the earlier observations."""
    with units.begin() as uow:
        account_id, other = known_world(uow.session), known_world(uow.session)
        later_world(uow.session, account_id)
        pairs = [(a, back(d)) for a in (account_id, other) for d in (0, 1, 2, 4, 8, 19, 30, 79, -1, -3)]
        together = observed(uow.session, pairs)
        for n, (account, on) in enumerate(pairs):
            alone = build_features(raw_frames(uow.session, account_ids=[account], as_of=on), on)
            assert_frame_equal(together.filter(pl.col("account_id") == n).drop("account_id"), alone.drop("account_id"))


def test_training_sees_the_standing_that_was_believed_on_the_day_not_the_restated_one(units: UnitsOfWork) -> None:
    """A payment of back(20) cured the account; told back again today, it had never been: DPD restated (trap 7)."""
    with units.begin() as uow:
        session = uow.session
        account = make_account(session, customer_id=make_customer(session).id)
        for known, until, dpd in ((at(back(20)), at(AS_OF), 0), (at(AS_OF), None, 25)):
            make_standing(
                session, account_id=account.id, from_on=back(20), dpd=dpd, known_from=known, known_until=until
            )
        features = observed(session, [(account.id, back(5)), (account.id, AS_OF), (account.id, back(30))])
    assert features["dpd"].to_list() == [0, 25]  # and nothing at all of the day before the first word


def test_history_that_was_loaded_later_stands_in_for_what_nobody_could_know(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        account = make_account(uow.session, customer_id=make_customer(uow.session).id)
        make_standing(uow.session, account_id=account.id, from_on=back(300), dpd=4, known_from=at(AS_OF))
        assert observed(uow.session, [(account.id, back(200))])["dpd"].to_list() == [4]


def test_a_book_reads_the_same_as_its_accounts_one_by_one(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        ids = [known_world(uow.session)]
        for dpd in (3, 8):
            other = make_account(uow.session, customer_id=make_customer(uow.session).id)
            add_snapshot(uow.session, other.id, back(dpd), dpd)
            ids.append(other.id)
        uow.session.flush()
        book = build_features(raw_frames(uow.session, account_ids=ids, as_of=AS_OF), AS_OF)
        for i in ids:
            one = build_features(raw_frames(uow.session, account_ids=[i], as_of=AS_OF), AS_OF)
            assert_frame_equal(book.filter(book["account_id"] == i), one)
