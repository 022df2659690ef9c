"""A book with a past, for the pages of reports: four months of standings, episodes, promises, calls and cash."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from collections_app.db import tables as t
from collections_app.domain.cases import EpisodeEnd
from collections_app.domain.contact import AttemptStatus, Channel, Mode
from collections_app.domain.outcomes import Disposition, Outcome
from collections_app.domain.promises import PromiseStatus
from tests.factories import NOW, make_account, make_attempt, make_case, make_episode, make_standing
from tests.web.scene_rows import add

DAY = timedelta(days=1)
_OUTCOMES = (Outcome.NO_ANSWER, Outcome.RPC, Outcome.VOICEMAIL, Outcome.RPC, Outcome.THIRD_PARTY)
_JUDGED = (PromiseStatus.KEPT, PromiseStatus.KEPT, PromiseStatus.BROKEN, PromiseStatus.PARTIAL)


def build(session: Session, *, accounts: int = 60) -> None:
    """Write accounts of four origination months, some of which fall behind, are called, promise, pay or are lost."""
    batch = add(
        session,
        t.FeedBatch(
            source="test", entity="accounts", mapping="own_feed", mapping_version=1, business_date=date(2026, 3, 1),
            file_name="accounts_full_1.csv.gz", sha256="b" * 64, rows=accounts, accepted=accounts - 1, quarantined=1,
            unchanged=0, imported_at=NOW, dpd_compared=accounts, dpd_mismatches=1,
        ),
    )  # fmt: skip
    for i in range(accounts):
        opened = date(2025, 9 + i % 4, 3)
        account = make_account(session, opened_on=opened, limit_amount=500_000 + i)
        spans: dict[date, tuple[int, bool, str]] = {opened: (0, False, "active")}
        if i % 3 == 0:
            _fall_behind(session, account, batch.id, spans, i)
        for from_on, (dpd, ages, status) in spans.items():
            make_standing(session, account_id=account.id, from_on=from_on, dpd=dpd, is_ageing=ages, status=status,
                          balance_amount=400_000 - 1_000 * i)  # fmt: skip
        for seq in (1, 2, 3):
            due_on = date(2025, 12, 1) + (40 * seq + i % 20) * DAY
            session.add(
                t.Instalment(account_id=account.id, schedule_version=0, seq=seq, due_on=due_on,
                             principal_due_amount=25_000, closed_on=None if i % 5 == 0 else due_on)
            )  # fmt: skip
    session.flush()


def _fall_behind(session: Session, account: t.Account, batch_id: int, spans: dict[date, Any], i: int) -> None:
    """Let an account become overdue; every other one cures, every tenth is charged off."""
    entry = date(2025, 12, 5) + (i % 25) * 3 * DAY
    spans[entry] = (1, True, "active")
    ended, reason = None, None
    if i % 2 == 0:
        ended, reason = entry + (8 + i % 30) * DAY, EpisodeEnd.CURED
        spans[ended] = (0, False, "active")
    elif i % 9 == 0:
        ended, reason = date(2026, 2, 20), EpisodeEnd.CHARGED_OFF
        spans[ended] = (80, False, "charged_off")
        account.status, account.charged_off_on, account.charged_off_amount = "charged_off", entry + 5 * DAY, 400_000
    case = make_case(session, account=False, customer_id=account.customer_id, opened_on=entry, closed_on=ended)
    make_episode(session, account_id=account.id, case_id=case.id, entry_on=entry, ended_on=ended, end_reason=reason)
    for k in range(1 + i % 4):
        _call(session, case.id, entry + (2 + 3 * k) * DAY, _OUTCOMES[(i + k) % len(_OUTCOMES)])
    session.add(
        t.Promise(account_id=account.id, case_id=case.id, amount=30_000, currency="USD", due_on=entry + 7 * DAY,
                  method="transfer", grace_days=2, tolerance_percent=5, status=_JUDGED[i // 3 % 4], made_by="agent",
                  created_at=NOW, created_on=entry, paid_amount=30_000 if i % 2 == 0 else 9_000)
    )  # fmt: skip
    session.add(
        t.Placement(account_id=account.id, placed_with="house" if i % 2 else "North", batch=f"{entry:%Y-%m}",
                    placed_on=entry, placed_balance_amount=400_000, placed_arrears_amount=60_000, currency="USD")
    )  # fmt: skip
    for k in range(3):
        session.add(
            t.Payment(source="test", payment_ref=f"B{i}-{k}", account_id=account.id, batch_id=batch_id,
                      amount=9_000 + 500 * i, currency="USD", kind="payment", status="settled",
                      value_on=entry + (12 + 22 * k) * DAY)
        )  # fmt: skip


def _call(session: Session, case_id: int, day: date, outcome: Outcome) -> None:
    at = datetime(day.year, day.month, day.day, 15, tzinfo=UTC)
    said = Disposition.PTP if outcome is Outcome.RPC and day.day % 2 else None
    make_attempt(session, case_id=case_id, channel=Channel.VOICE, mode=Mode.LIVE_AGENT, outcome=outcome,
                 disposition=said, status=AttemptStatus.DELIVERED, local_date=day, dispatched_at=at, settled_at=at,
                 scheduled_at=at)  # fmt: skip
