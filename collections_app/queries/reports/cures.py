"""How overdue spells begin, end and come back: entry, cure, partial and self-cure, re-default (§2.3)."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.dates import days_between
from collections_app.db.tables import Account, ContactAttempt, Decision, Episode, Instalment
from collections_app.domain.cases import EpisodeEnd
from collections_app.domain.metrics import PAID_CHANNELS, PAID_OFF, SOLD, ratio, share
from collections_app.domain.outcomes import Outcome
from collections_app.queries.as_of import overdue_spans
from collections_app.queries.episode_history import is_counted
from collections_app.queries.reports.attempts import SENT
from collections_app.queries.reports.months import first_day, label, latest, month_of
from collections_app.queries.reports.report import (
    CURRENCY,
    Column,
    Kind,
    Row,
    Scope,
    Table,
    count,
    interval,
    money,
    rate,
    spread,
)
from collections_app.queries.reports.roll_rates import BUCKET_TABLE, FROM, FROM_DPD, dpd_range, matrices

WINDOWS = (30, 60, 90)
SELF_CURE_WINDOWS = (10, 30)
MONTHS = 12
ENTRY_DAYS = 31
_CURED = (EpisodeEnd.CURED, EpisodeEnd.PAID_OFF)
_HOLDOUT = "holdout"
_ENTERED = Column("entered", "Began in", "month in which DPD reached 1")
_DAYS = count("days", "Within days", "days after the first day of the episode")
_OLD = count("episodes", "Episodes", "episodes that began at least so many days ago")
_RIPE = "An episode counts once its days are over, so that a month grows to its final figure."


def _day(scope: Scope) -> sa.ColumnElement[Any]:
    return sa.literal(scope.as_of, sa.Date())


def _windowed(
    session: Session, facts: sa.Subquery, *, windows: Sequence[int], age: str, hit: str
) -> list[tuple[Any, ...]]:
    """Return (month, window, n old enough, n hit within it), by the columns of ``facts`` in whole days."""
    sums: list[Any] = []
    for days in windows:
        old = facts.c[age] >= days
        sums += [sa.func.sum(sa.case((old, 1), else_=0)),
                 sa.func.sum(sa.case((sa.and_(old, facts.c[hit] <= days), 1), else_=0))]  # fmt: skip
    found = []
    for month, *numbers in session.execute(
        sa.select(facts.c.month, *sums).group_by(facts.c.month).order_by(facts.c.month)
    ):
        pairs = zip(windows, numbers[::2], numbers[1::2], strict=True)
        found += [(label(month), days, int(n), int(hits)) for days, n, hits in pairs]
    return found


def _episodes(scope: Scope, *more: Any) -> sa.Select[Any]:
    """Select the episodes of the last months: month of entry, days since, days to the cure (NULL = not cured)."""
    cured = sa.and_(Episode.end_reason.in_(_CURED), Episode.ended_on <= scope.as_of)
    chosen = (
        sa.select(
            month_of(Episode.entry_on).label("month"), days_between(Episode.entry_on, _day(scope)).label("age"),
            sa.case((cured, days_between(Episode.entry_on, Episode.ended_on))).label("cured_after"), *more,
        )
        .join(Account, Account.id == Episode.account_id)
        .where(Episode.entry_on <= scope.as_of, Episode.entry_on >= first_day(latest(scope.as_of, MONTHS)[0]),
               is_counted(scope.as_of))
    )  # fmt: skip
    return chosen.where(Account.source == scope.source) if scope.source else chosen


def cure_rate(session: Session, scope: Scope) -> Table:
    """Return the share of episodes cured within 30, 60 and 90 days, by the month in which they began."""
    columns = (
        _ENTERED, _DAYS, _OLD, count("cured", "Cured", "of these, DPD back at 0 or paid off within the days"),
        rate("cure_rate", "Cure rate", "cured / episodes"), *interval("cure_rate"),
    )  # fmt: skip
    found = _windowed(session, _episodes(scope).subquery(), windows=WINDOWS, age="age", hit="cured_after")
    return Table(columns, tuple((*row, *spread(share(row[3], row[2]))) for row in found), (_RIPE,))


def self_cure(session: Session, scope: Scope) -> Table:
    """Return the share cured without any of our doing (strict), and the cure share of the hold-out arm (causal)."""
    columns = (
        Column("reading", "Reading", "strict: all episodes; hold-out: those left to themselves at random"),
        _ENTERED, _DAYS, _OLD,
        count("cured", "Self-cured", "cured within the days; strict: untreated and never spoken to until the cure"),
        rate("self_cure_rate", "Self-cure rate", "self-cured / episodes"), *interval("self_cure_rate"),
    )  # fmt: skip
    treated = sa.exists().where(
        ContactAttempt.customer_id == Account.customer_id,
        ContactAttempt.local_date >= Episode.entry_on, ContactAttempt.local_date <= Episode.ended_on,
        sa.or_(
            ContactAttempt.outcome == Outcome.RPC,
            sa.and_(ContactAttempt.direction == "outbound", ContactAttempt.channel.in_(PAID_CHANNELS),
                    ContactAttempt.status.in_(SENT)),
        ),
    )  # fmt: skip
    strict = _episodes(scope, sa.case((treated, 1), else_=0).label("treated")).subquery()
    untreated = sa.select(
        strict.c.month, strict.c.age, sa.case((strict.c.treated == 0, strict.c.cured_after)).label("cured_after")
    ).subquery()
    in_holdout = sa.exists().where(
        Decision.case_id == Episode.case_id, Decision.kind == "treatment", Decision.arm == _HOLDOUT
    )
    held = _episodes(scope).where(in_holdout).subquery()
    rows: list[Row] = []
    for reading, facts in (("strict", untreated), ("hold-out", held)):
        found = _windowed(session, facts, windows=SELF_CURE_WINDOWS, age="age", hit="cured_after")
        rows += [(reading, *row, *spread(share(row[3], row[2]))) for row in found]
    said = "The hold-out is still sent what its treatment says, such as a first reminder; read its rows as causal."
    return Table(columns, tuple(rows), (_RIPE, said))


def re_default(session: Session, scope: Scope) -> Table:
    """Return the share of cures after which the account was overdue again, by the month of the cure."""
    columns = (
        Column("cured", "Cured in", "month in which DPD went back to 0"),
        count("dpd", "DPD", "days past due that count as overdue again"),
        count("days", "Within days", "days after the cure"),
        count("cures", "Cures", "cured episodes that ended at least so many days ago"),
        count("redefaulted", "Overdue again", "of these, accounts that reached the DPD within the days"),
        rate("redefault_rate", "Re-default rate", "overdue again / cures"), *interval("redefault_rate"),
    )  # fmt: skip
    rows: list[Row] = []
    for threshold in (1, 30):
        spans = overdue_spans(threshold, until=scope.as_of)
        day = days_between(Episode.ended_on, _day(scope))
        # The first day at the threshold after the cure, counted from the cure; none = not (yet) again.
        facts = (
            sa.select(month_of(Episode.ended_on).label("month"), day.label("age"),
                      sa.func.min(day - spans.c.reached_day).label("again_after"))
            .join(Account, Account.id == Episode.account_id)
            .outerjoin(spans, sa.and_(spans.c.account_id == Episode.account_id, spans.c.reached_day < day))
            .where(Episode.end_reason == EpisodeEnd.CURED, Episode.ended_on <= scope.as_of,
                   Episode.ended_on >= first_day(latest(scope.as_of, MONTHS)[0]))
            .group_by(Episode.id, Episode.ended_on)
        )  # fmt: skip
        if scope.source:
            facts = facts.where(Account.source == scope.source)
        found = _windowed(session, facts.subquery(), windows=WINDOWS, age="age", hit="again_after")
        rows += [(month, threshold, days, n, hits, *spread(share(hits, n))) for month, days, n, hits in found]
    return Table(columns, tuple(rows), ("A cure counts once its days are over.", "Paid-off accounts are left out."))


def partial_cure(session: Session, scope: Scope) -> Table:
    """Return what became of each overdue bucket in a month: cured, better but overdue, the same, worse, left."""
    columns = (
        BUCKET_TABLE, CURRENCY, FROM, FROM_DPD, count("n_from", "Accounts", "tracked accounts in the bucket"),
        count("cured", "Cured", "back to the bucket without days past due, or paid off"),
        count("improved", "Better", "in a better bucket, still overdue"),
        count("same", "Same", "in the same bucket"),
        count("worse", "Worse", "in a worse bucket or charged off"),
        count("sold", "Sold", "sold to somebody else"),
        rate("partial_rate", "Partial cure rate", "better / accounts"), *interval("partial_rate"),
    )  # fmt: skip
    rows: list[Row] = []
    for m in matrices(session, scope):
        for i, bucket in enumerate(m.buckets[1:], start=1):
            total = m.opening(bucket)[0]
            if not total:
                continue
            cured = m.moved(bucket, [m.closing[0].code, PAID_OFF])[0]
            worse, sold = m.moved(bucket, m.worse(i))[0], m.moved(bucket, [SOLD])[0]
            same = m.moved(bucket, m.same(i))[0]
            better = total - cured - worse - sold - same
            rows.append((m.bucket_table, m.currency, bucket, dpd_range(m.bands, i), total, cured, better, same, worse,
                         sold, *spread(share(better, total))))  # fmt: skip
    return Table(columns, tuple(rows))


def entry_rate(session: Session, scope: Scope) -> Table:
    """Return for each due date the share of accounts (and of the amount due) that reached DPD 1 the day after."""
    columns = (
        Column("due_on", "Due on", "due date, after rolling it off days without business", Kind.DATE), CURRENCY,
        count("due", "Accounts due", "accounts with an instalment due on the day"),
        count("overdue", "Overdue already", "of these, accounts in an episode on the due day"),
        count("entered", "Entered", "accounts that reached DPD 1 the day after"),
        rate("entry_rate", "Entry rate", "entered / accounts due"),
        rate("entry_rate_current", "Of those current", "entered / (accounts due - overdue already)"),
        money("due_amount", "Amount due", "instalments due on the day"),
        money("entered_amount", "Amount entered", "of these, the instalments of the accounts that entered"),
        rate("entry_rate_amount", "By amount", "amount entered / amount due"),
    )  # fmt: skip
    parts = (Instalment.cost_due_amount, Instalment.fee_due_amount, Instalment.penalty_due_amount,
             Instalment.interest_due_amount, Instalment.principal_due_amount)  # fmt: skip
    amount = sa.func.sum(sum(parts[1:], start=parts[0]))
    due = (
        sa.select(Instalment.account_id, Instalment.due_on, Account.currency, amount.label("amount"))
        .join(Account, sa.and_(Account.id == Instalment.account_id,
                               Account.schedule_version == Instalment.schedule_version))
        .where(Instalment.due_on < scope.as_of, Instalment.due_on >= scope.as_of - timedelta(days=ENTRY_DAYS),
               Instalment.kind != "balance", *([Account.source == scope.source] if scope.source else []))
        .group_by(Instalment.account_id, Instalment.due_on, Account.currency)
        .subquery()
    )  # fmt: skip
    mine = Episode.account_id == due.c.account_id
    before = sa.exists().where(
        mine, Episode.entry_on <= due.c.due_on, sa.or_(Episode.ended_on.is_(None), Episode.ended_on > due.c.due_on)
    )
    after = sa.exists().where(mine, days_between(due.c.due_on, Episode.entry_on) == 1)
    flagged = sa.select(
        due.c.due_on, due.c.currency, due.c.amount,
        sa.case((before, 1), else_=0).label("overdue"), sa.case((after, 1), else_=0).label("entered"),
    ).subquery()  # fmt: skip
    entered_amount = sa.func.sum(flagged.c.amount * flagged.c.entered)
    rows: list[Row] = []
    for due_on, currency, n, overdue, entered, total, of_them in session.execute(
        sa.select(flagged.c.due_on, flagged.c.currency, sa.func.count(), sa.func.sum(flagged.c.overdue),
                  sa.func.sum(flagged.c.entered), sa.func.sum(flagged.c.amount), entered_amount)
        .group_by(flagged.c.due_on, flagged.c.currency)
        .order_by(flagged.c.due_on, flagged.c.currency)
    ):  # fmt: skip
        n, overdue, entered = int(n), int(overdue), int(entered)
        rows.append((due_on, currency, n, overdue, entered, ratio(entered, n), ratio(entered, n - overdue),
                     int(total), int(of_them), ratio(int(of_them), int(total))))  # fmt: skip
    return Table(columns, tuple(rows), (f"Due dates of the last {ENTRY_DAYS} days; the account's present schedule.",))
