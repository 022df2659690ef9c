"""How much we try, whom we reach, and what comes of it (domain brief §2.4, trap 19)."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.tables import Account, Episode, QueueEntry
from collections_app.domain.contact import Channel
from collections_app.domain.metrics import ratio, share
from collections_app.queries.reports.attempts import made
from collections_app.queries.reports.months import calendar, first_day, label, latest
from collections_app.queries.reports.report import (
    Column,
    Kind,
    Row,
    Scope,
    Table,
    count,
    interval,
    mean,
    rate,
    spread,
)

MONTHS = 6
DAYS = 31
ALL = "all"
_COLUMNS = (
    Column("month", "Month", "calendar month, by the customer's local date"),
    Column("channel", "Channel", "one channel, or all together"),
    count("queued", "In queue", "accounts whose case stood in a queue in the month"),
    count("covered", "Covered", "of these, accounts with an attempt in the month"),
    rate("coverage", "Coverage 覆盖率", "covered / in queue"),
    count("attempts", "Attempts", "tries that left the house; one on a case counts once"),
    count("on_accounts", "On accounts", "the same, counted once for each account of the case"),
    count("attempted", "Attempted", "accounts with an attempt, queued or not"),
    mean("intensity", "Intensity 渗透率", "on accounts / attempted: tries for each account that was tried"),
    count("connects", "Connects", "attempts that a person or a machine answered"),
    count("voicemails", "Voicemails", "of these, answered by a machine"),
    rate("connect_rate", "Connect rate", "connects / attempts; empty for channels that nobody answers"),
    count("rpcs", "RPC", "attempts in which the verified customer answered (right-party contacts)"),
    rate("rpc_per_attempt", "RPC / attempt", "right-party contacts / attempts"), *interval("rpc_per_attempt"),
    rate("rpc_per_connect", "RPC / connect", "right-party contacts / connects"),
    rate("rpc_per_account", "RPC / account", "accounts with a right-party contact / attempted"),
    count("ptps", "Promises", "right-party contacts with a promise to pay"),
    rate("ptp_rate", "Promise rate", "right-party contacts with a promise / right-party contacts"),
)  # fmt: skip
_ANSWERED = (Channel.VOICE, Channel.VISIT)
_Key = tuple[int, str]


def contact(session: Session, scope: Scope) -> Table:
    """Return coverage, intensity, connect, right-party and promise rates by month and channel."""
    months = latest(scope.as_of, MONTHS)
    tried = made(scope, since=first_day(months[0]), until=scope.as_of)
    # Which accounts an attempt was about: those that its case held on that day.
    touched = (
        sa.select(tried.c.month, tried.c.channel, tried.c.rpc, Episode.account_id)
        .join(Episode, sa.and_(Episode.case_id == tried.c.case_id, Episode.entry_on <= tried.c.day,
                               sa.or_(Episode.ended_on.is_(None), Episode.ended_on >= tried.c.day)))
        .subquery()
    )  # fmt: skip
    queued = _queued(scope, months)
    by_month = sa.select(queued.c.month, sa.func.count()).group_by(queued.c.month)
    in_queue = {month: int(n) for month, n in session.execute(by_month)}
    facts = ("connected", "voicemail", "rpc", "ptp")
    attempts = _by_channel(session, tried, sa.func.count(), *(sa.func.sum(tried.c[f]) for f in facts))
    accounts = _by_channel(
        session, touched, sa.func.count(), sa.func.count(touched.c.account_id.distinct()),
        sa.func.count(sa.case((touched.c.rpc == 1, touched.c.account_id)).distinct()),
    )  # fmt: skip
    both = sa.select(touched.c.month, touched.c.channel, touched.c.account_id).join(
        queued, sa.and_(queued.c.account_id == touched.c.account_id, queued.c.month == touched.c.month)
    ).subquery()  # fmt: skip
    covered = _by_channel(session, both, sa.func.count(both.c.account_id.distinct()))
    rows: list[Row] = []
    for month, channel in sorted({*attempts, *((m, ALL) for m in in_queue)}):
        n, connects, voicemails, rpcs, ptps = attempts.get((month, channel), (0,) * 5)
        pairs, attempted, reached = accounts.get((month, channel), (0,) * 3)
        (met,), queue = covered.get((month, channel), (0,)), in_queue.get(month, 0)
        is_answered = channel in _ANSWERED
        rows.append((
            label(month), channel, queue, met, ratio(met, queue), n, pairs, attempted, ratio(pairs, attempted),
            connects, voicemails, ratio(connects, n) if is_answered else None, rpcs, *spread(share(rpcs, n)),
            ratio(rpcs, connects), ratio(reached, attempted), ptps, ratio(ptps, rpcs),
        ))  # fmt: skip
    said = "An attempt is about every account that its case held on that day."
    no_data = "Abandonment is not here: no call that was answered and then left without an agent is recorded."
    return Table(_COLUMNS, tuple(rows), (said, no_data))


def _queued(scope: Scope, months: range) -> sa.Subquery:
    """Return the (month, account_id) pairs of accounts whose case stood in a queue on some day of the month."""
    month = calendar(months, until=scope.as_of)
    pairs = (
        sa.select(month.c.month, Episode.account_id)
        .select_from(QueueEntry)
        .join(month, sa.and_(QueueEntry.placed_on <= month.c.to_on,
                             sa.or_(QueueEntry.removed_on.is_(None), QueueEntry.removed_on > month.c.from_on)))
        .join(Episode, sa.and_(Episode.case_id == QueueEntry.case_id, Episode.entry_on <= month.c.to_on,
                               sa.or_(Episode.ended_on.is_(None), Episode.ended_on > month.c.from_on)))
    )  # fmt: skip
    if scope.source:
        pairs = pairs.join(Account, Account.id == Episode.account_id).where(Account.source == scope.source)
    return pairs.distinct().subquery()


def _by_channel(session: Session, facts: sa.Subquery, *figures: Any) -> dict[_Key, tuple[int, ...]]:
    """Return figures by month and channel, and by month over all channels: distinct counts do not add up."""
    month, channel = facts.c.month, facts.c.channel
    found = {
        (row[0], row[1]): tuple(map(int, row[2:]))
        for row in session.execute(sa.select(month, channel, *figures).group_by(month, channel))
    }
    whole = session.execute(sa.select(month, *figures).group_by(month))
    return found | {(row[0], ALL): tuple(map(int, row[1:])) for row in whole}


def reachability(session: Session, scope: Scope) -> Table:
    """Return the share of dialled customers who were connected, day by day."""
    columns = (
        Column("day", "Day", "the customer's local date", Kind.DATE),
        count("dialled", "Dialled", "customers called on the day"),
        count("connected", "Connected", "of these, customers with an answered call"),
        rate("reachability", "Reachability 可联率", "connected / dialled"), *interval("reachability"),
    )  # fmt: skip
    tried = made(scope, since=scope.as_of - timedelta(days=DAYS - 1), until=scope.as_of)
    connected = sa.func.count(sa.case((tried.c.connected == 1, tried.c.customer_id)).distinct())
    rows: list[Row] = [
        (day, int(n), int(met), *spread(share(int(met), int(n))))
        for day, n, met in session.execute(
            sa.select(tried.c.day, sa.func.count(tried.c.customer_id.distinct()), connected)
            .where(tried.c.channel == Channel.VOICE.value)
            .group_by(tried.c.day)
            .order_by(tried.c.day)
        )
    ]
    return Table(columns, tuple(rows), ("A machine that answers is a connect; see the report contact.",))
