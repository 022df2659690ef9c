"""Arrangements and protections on the case page, and the two pages on which a supervisor decides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from collections_app.domain.permissions import Actor, Permission
from collections_app.domain.plans import PlanKind
from collections_app.queries import account_ledger, care_file, clocks
from collections_app.queries.account_ledger import AccountLedger
from collections_app.queries.care_file import CareFile, PlanRow
from collections_app.queries.case_file import CaseFile
from collections_app.queries.clocks import DueClock, OnDisputedDebt
from collections_app.web.care.fields import Form
from collections_app.web.care.forms import PLAN_KINDS, VERBS, decision_form, record_forms

PLAN_NAMES = {
    PlanKind.INSTALMENT: "Payment plan",
    PlanKind.REDUCED: "Smaller payments",
    PlanKind.TOKEN: "Token payments",
    PlanKind.DEFERRAL: "Deferral",
    PlanKind.SETTLEMENT: "Settlement",
}


@dataclass(frozen=True)
class CareSection:
    """The section of the case page. ``decisions`` are by kind and id of what they decide."""

    file: CareFile
    ledgers: Mapping[int, AccountLedger]
    forms: tuple[Form, ...]
    decisions: Mapping[tuple[str, int], tuple[Form, ...]]
    may_decide_plans: bool
    may_propose: bool
    names: Mapping[PlanKind, str]

    @property
    def active(self) -> int:
        """Count what is in force."""
        f = self.file
        parts = (f.plans, f.holds, f.disputes, f.complaints, f.hardships, f.moratoria, f.stops)
        return sum(len(part) for part in parts)


@dataclass(frozen=True)
class PlanPreview:
    """care/_preview.html: what a plan comes to, before it is proposed."""

    error: str = ""
    lines: tuple[str, ...] = ()
    needs: str = ""
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class ApprovalsPage:
    """care/approvals.html."""

    plans: tuple[PlanRow, ...]
    names: Mapping[PlanKind, str]
    kinds: Mapping[PlanKind, str]
    clocks: int
    refused: int = 0
    error: str = ""
    typed: str = ""


@dataclass(frozen=True)
class ClocksPage:
    """care/clocks.html."""

    due: tuple[DueClock, ...]
    on_disputed: tuple[OnDisputedDebt, ...]
    duties: int
    overdue: int
    proposals: int


def care_section(session: Session, actor: Actor, file: CaseFile, *, today: date, typed: Form | None) -> CareSection:
    """Arrange what protects a customer for the case page; ``typed`` replaces the form that it answers."""
    found = care_file.get_care_file(session, actor, file.id, today=today)
    may_record, may_decide = actor.may(Permission.PROTECTION_RECORD), actor.may(Permission.PROTECTION_DECIDE)
    may_plan = actor.may(Permission.PLAN_PROPOSE)
    accounts = file.overdue_accounts or file.accounts
    forms = (
        record_forms(file.id, accounts, today=today, is_open=file.closed_on is None, may_plan=may_plan)
        if may_record
        else ()
    )
    return CareSection(
        file=found,
        ledgers=account_ledger.get_ledgers(session, file.customer_id, today=today),
        forms=tuple(_typed(form, typed) for form in forms),
        decisions=_decisions(found, file.id, today, typed) if may_decide else {},
        may_decide_plans=actor.may(Permission.PLAN_DECIDE),
        may_propose=may_plan,
        names=PLAN_NAMES,
    )


def _typed(form: Form, typed: Form | None) -> Form:
    return typed if typed is not None and typed.code == form.code else form


def _decisions(
    found: CareFile, case_id: int, today: date, typed: Form | None
) -> dict[tuple[str, int], tuple[Form, ...]]:
    items: dict[str, Sequence[Any]] = {
        "hold": found.holds,
        "dispute": found.disputes,
        "complaint": found.complaints,
        "hardship": found.hardships,
        "moratorium": found.moratoria,
        "stop": found.stops,
    }
    decisions = {}
    for kind, rows in items.items():
        for row in rows:
            made = (decision_form(case_id, kind, verb, row.id, today=today) for verb in VERBS[kind])
            decisions[kind, row.id] = tuple(_typed(form, typed) for form in made if form is not None)
    return decisions


def approvals_page(session: Session, actor: Actor, *, today: date, **refused: object) -> ApprovalsPage:
    """Return the plans that wait for a decision."""
    plans = care_file.list_proposals(session, actor, today=today)
    due = len(clocks.list_due(session, today, kinds=clocks.DUTIES))
    return ApprovalsPage(plans, PLAN_NAMES, PLAN_KINDS, due, **refused)  # type: ignore[arg-type]


def clocks_page(session: Session, *, today: date) -> ClocksPage:
    """Return what runs out, the earliest first."""
    due = clocks.list_due(session, today)
    return ClocksPage(
        due,
        clocks.list_on_disputed_debts(session),
        sum(clock.kind in clocks.DUTIES for clock in due),
        sum(clock.is_overdue for clock in due),
        care_file.count_proposals(session),
    )
