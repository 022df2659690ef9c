"""Every report by name. A family's module is imported when one of its reports runs: a web process starts without."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from importlib import import_module

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.tables import Account, FeedBatch
from collections_app.domain.errors import InvalidInput, NotFound
from collections_app.queries.reports.report import Report, Scope, Table


@dataclass(frozen=True)
class Metric:
    """One report: what it is, how it is misread, and the function that computes it (module, name).

    ``keeps_knowledge``: its facts are kept as they were known, so ``known_at`` can be asked for.
    """

    title: str
    chinese: str
    definition: str
    trap: str
    family: str
    function: str
    keeps_knowledge: bool = True

    def compute(self, session: Session, scope: Scope) -> Table:
        """Run the function."""
        module = import_module(f"collections_app.queries.reports.{self.family}")
        found: Callable[[Session, Scope], Table] = getattr(module, self.function)
        return found(session, scope)


REPORTS: Mapping[str, Metric] = {
    "roll-rates": Metric(
        "Roll rates", "滚动率",
        "Of the accounts in a bucket at one month end, the share in each state at the next; by count and by opening "
        "balance. Accounts are followed; paid off, charged off and sold are states, so each row sums to 1.",
        "Not the net flow rate, which compares two sums and follows nobody.",
        "roll_rates", "roll_rates",
    ),
    "net-flow": Metric(
        "Net flow rate", "迁徙率",
        "Balance in the next worse bucket at a month end / balance in this bucket a month before.",
        "Aggregate, not tracked: it can exceed 1 and is not a probability.",
        "roll_rates", "net_flow",
    ),
    "roll-to-loss": Metric(
        "Roll to loss", "损失率推算",
        "Product of the forward roll rates from a bucket into charge-off; forward = to any worse bucket or charge-off.",
        "Assumes that what happened before the last month does not matter (Markov).",
        "roll_rates", "roll_loss",
    ),
    "vintage": Metric(
        "Vintage", "账龄分析",
        "By month of origination and months on book: balance of accounts with DPD of 30 or more at that month end "
        "(current), or that ever reached it, at the balance with which they did (ever) / amount disbursed.",
        "A cohort's last months are not over: they are empty, not 0.",
        "vintage", "vintage",
    ),
    "first-payment-default": Metric(
        "First, second and third payment default", "首逾 / 二逾 / 三逾",
        "Of the accounts whose first (second, third) instalment has been due for x days, the share that had not paid "
        "it x days after its due date.",
        "It can be seen only x days after the due date; younger accounts are not in the denominator.",
        "vintage", "first_payment_default", False,
    ),
    "customers": Metric(
        "Customers by bucket", "客户层级逾期",
        "Accounts by their own bucket; customers by the bucket of their worst account, and by the highest one that a "
        "material share of their exposure has reached; accounts pulled into default by their customer's others.",
        "A customer is counted once, an account once: the two columns of counts do not compare.",
        "customers", "roll_up_by_bucket",
    ),
    "entry-rate": Metric(
        "Entry rate", "入催率",
        "Of the accounts with an instalment due on a day, the share that reached DPD 1 the day after; by count and by "
        "amount due.",
        "Accounts that were overdue already are due too, but cannot enter: the second rate leaves them out.",
        "cures", "entry_rate", False,
    ),
    "cure-rate": Metric(
        "Cure rate", "出催率",
        "Of the episodes that began in a month, the share whose DPD was back at 0 within 30, 60 or 90 days.",
        "Only episodes that are old enough count; a bucket that improves is a partial cure, not this.",
        "cures", "cure_rate", False,
    ),
    "partial-cure": Metric(
        "Partial cure rate", "部分回正率",
        "Of the accounts in a bucket at one month end, the share in a better bucket, but still overdue, at the next.",
        "Not a cure: DPD is not 0.",
        "cures", "partial_cure",
    ),
    "self-cure": Metric(
        "Self-cure rate", "自愈率",
        "Of the episodes that began in a month, the share cured within 10 or 30 days without a right-party contact "
        "and without any call, text, letter or visit to the customer in the episode (strict); and the plain cure "
        "share of the hold-out arm (causal).",
        "In a treated population self-cure cannot be observed; only the hold-out arm estimates it.",
        "cures", "self_cure", False,
    ),
    "re-default": Metric(
        "Re-default rate", "复发逾期率",
        "Of the episodes cured in a month, the share whose account reached DPD 1 (or 30) again within 30, 60 or 90 "
        "days of the cure.",
        "Read it beside the cure rate: a cure that does not last is not one. Only cures that are old enough count.",
        "cures", "re_default", False,
    ),
    "recovery": Metric(
        "Recovery", "回收率 / 催回率",
        "All cash, net of reversals, valued after the placement and not after recall or the date / arrears at "
        "placement; and the opening arrears of accounts with DPD 0 on the date (amount cured).",
        "All cash, not attributed cash. The denominator is fixed at placement. Amount cured is not cash.",
        "recovery", "recovery",
    ),
    "liquidation": Metric(
        "Liquidation", "清收率",
        "Cumulative cash of a placement batch within 30, 60, 90 and 180 days of placement / balance placed.",
        "By placement batch, never by calendar month over the open stock. A window that is not over is empty.",
        "recovery", "liquidation",
    ),
    "charge-off-recovery": Metric(
        "Recovery after charge-off", "核销回收率",
        "Cash valued after charge-off / amount charged off, by month of charge-off.",
        "Months differ in age: compare the columns of one window, not the totals to date.",
        "recovery", "charge_off_recovery",
    ),
    "contact": Metric(
        "Contact", "覆盖率 / 渗透率 / 接通率",
        "By month and channel: coverage = accounts with an attempt / accounts in a queue; intensity = attempts on "
        "accounts / accounts attempted; connect rate = answered / attempts; right-party contact per attempt, per "
        "connect and per account; promise rate = right-party contacts with a promise / right-party contacts.",
        "渗透率 is intensity, 覆盖率 is coverage. A right-party rate without its denominator means nothing.",
        "contact", "contact",
    ),
    "reachability": Metric(
        "Daily reachability", "可联率",
        "Customers connected on a day / customers dialled on that day.",
        "Counts customers, not calls.",
        "contact", "reachability",
    ),
    "promises": Metric(
        "Promises kept", "承诺兑现率",
        "Of the promises whose due date and grace have passed: kept / (kept + partial + broken); by amount, the "
        "lesser of paid and promised / promised.",
        "Matured only. A promise kept early waits until its grace is over, or the rate would flatter.",
        "promises", "kept", False,
    ),
    "reconciliation": Metric(
        "DPD mismatch", "DPD 不一致率",
        "Accounts whose source counts other days past due than we do / accounts whose source counts them, by batch.",
        "Tolerance 0.1 %. A source that sends no DPD has no rate, not 0.",
        "reconciliation", "mismatches",
    ),
    "quarantine": Metric(
        "Quarantined rows", "拒收率",
        "Rows refused / rows received, by batch.",
        "A batch above its limit (0.5 % unless set otherwise) was refused whole and is not here.",
        "reconciliation", "quarantine",
    ),
}  # fmt: skip


# Months are counted back from a report's day, and on from it: the calendar must have them.
FIRST_DAY, LAST_DAY = date(1930, 1, 1), date(2100, 12, 31)


def run(session: Session, name: str, scope: Scope) -> Report:
    """Compute a report.

    Raises NotFound for a name that is none, InvalidInput for a day outside the ledger's years, for a source that
    nobody knows, for ``known_at`` without a zone, and for ``known_at`` on facts of which only the last word is kept.
    """
    metric = REPORTS.get(name)
    if metric is None:
        raise NotFound(f"there is no report {name!r}; known are {', '.join(REPORTS)}")
    if not FIRST_DAY <= scope.as_of <= LAST_DAY:
        raise InvalidInput(f"{scope.as_of} is not a day between {FIRST_DAY} and {LAST_DAY}")
    if scope.known_at is not None and not metric.keeps_knowledge:
        raise InvalidInput(f"the report {name} reads facts of which only the last word is kept; leave known-at out")
    if scope.known_at is not None and scope.known_at.tzinfo is None:
        raise InvalidInput("known-at needs a time zone; write 2026-03-01T08:00:00Z")
    if scope.source is not None:
        _check_source(session, scope.source)
    table = metric.compute(session, scope)
    return Report(
        name, metric.title, metric.definition, metric.trap, scope,
        columns=table.columns, rows=table.rows, notes=table.notes,
    )  # fmt: skip


def sources(session: Session) -> list[str]:
    """Return the sources of which something was imported."""
    return sorted(session.scalars(sa.select(FeedBatch.source).distinct()))


def _check_source(session: Session, source: str) -> None:
    # What cannot be printed is no name, and not every database can be asked for it.
    if source.isprintable() and session.scalar(sa.select(sa.exists().where(Account.source == source))):
        return
    known = sources(session)
    if source not in known:
        raise InvalidInput(f"there is no source {source!r}; known are {', '.join(known) or 'none yet'}")
