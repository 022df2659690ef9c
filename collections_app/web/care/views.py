"""Record and decide arrangements and protections; what waits for a supervisor."""

from dataclasses import replace
from typing import Any

from flask import Blueprint, abort, flash, redirect, request, url_for
from werkzeug.wrappers import Response

from collections_app.domain.errors import Conflict, InvalidInput, NotFound
from collections_app.domain.permissions import Permission
from collections_app.domain.plans import PlanStatus
from collections_app.queries.case_file import CaseFile
from collections_app.services import plan_preview, plans
from collections_app.web.access import actor, requires
from collections_app.web.backend import reading, writing
from collections_app.web.care import recording
from collections_app.web.care.fields import Form
from collections_app.web.care.forms import decision_form, plan_form, record_forms
from collections_app.web.care.pages import PlanPreview, approvals_page, clocks_page
from collections_app.web.cases.views import case_of, show_case
from collections_app.web.errors import sentence
from collections_app.web.page import business_date, render

blueprint = Blueprint("care", __name__)


@blueprint.post("/cases/<int:case_id>/plans")
@requires(Permission.PLAN_PROPOSE)
def propose(case_id: int) -> tuple[str, int] | Response:
    """Propose a plan or settlement."""
    file = case_of(case_id)
    form, values = _plan_form(file).filled(request.form, file.arrears.currency)
    if not form.errors:
        try:
            with writing(actor()) as uow:
                wish = recording.wish_of(values)
                plan = plans.propose(
                    uow, case_id=case_id, account_id=int(values["account_id"]), wish=wish,
                    business_date=business_date(),
                )  # fmt: skip
                waits = plan.status is PlanStatus.PROPOSED
        except (InvalidInput, Conflict) as error:
            form = form.refused(sentence(error))
    if form.errors:
        return show_case(case_id, status=422, care=form)
    flash("Proposed. A supervisor decides." if waits else "The plan is active.", "good")
    return _back(case_id)


@blueprint.post("/cases/<int:case_id>/plans/preview")
@requires(Permission.PLAN_PROPOSE)
def preview(case_id: int) -> tuple[str, int]:
    """Say what a plan would come to, without recording it."""
    file = case_of(case_id)
    form, values = _plan_form(file).filled(request.form, file.arrears.currency)
    missing = {name: text for name, text in form.errors.items() if name != "reason"}
    if missing:
        return render("care/_preview.html", PlanPreview())
    try:
        wish = replace(recording.wish_of({"reason": "", **values}), reason="preview")
        with reading() as session:
            found = plan_preview.preview(
                session, account_id=int(values["account_id"]), wish=wish, business_date=business_date()
            )
    except InvalidInput as error:
        return render("care/_preview.html", PlanPreview(error=sentence(error)))
    return render("care/_preview.html", PlanPreview(lines=found.lines, needs=found.needs, reasons=found.reasons))


@blueprint.post("/cases/<int:case_id>/plans/<int:plan_id>/cancel")
@requires(Permission.PLAN_PROPOSE)
def cancel(case_id: int, plan_id: int) -> Response:
    """End a plan before its time."""
    try:
        with writing(actor()) as uow:
            plans.cancel(uow, plan_id=plan_id, reason=request.form.get("reason", ""), business_date=business_date())
    except (InvalidInput, Conflict) as error:
        flash(sentence(error), "bad")
    else:
        flash("The plan is ended.", "good")
    return _back(case_id)


@blueprint.post("/cases/<int:case_id>/protections/<kind>")
@requires(Permission.PROTECTION_RECORD)
def record(case_id: int, kind: str) -> tuple[str, int] | Response:
    """Record a hold, dispute, hardship, complaint, moratorium or stop."""
    file = case_of(case_id)
    accounts = file.overdue_accounts or file.accounts
    known = record_forms(case_id, accounts, today=business_date(), is_open=file.closed_on is None, may_plan=False)
    form = next((f for f in known if f.code == kind), None)
    if form is None:
        abort(404)

    def give(uow: Any, values: dict[str, Any]) -> None:
        recording.RECORDS[kind](uow, case_id, values, business_date())

    return _carry_out(file, form, give)


@blueprint.post("/cases/<int:case_id>/protections/<kind>/<int:item_id>/<verb>")
@requires(Permission.PROTECTION_DECIDE)
def decide(case_id: int, kind: str, item_id: int, verb: str) -> tuple[str, int] | Response:
    """Decide about a protection: release, extend, answer, close, review or end it."""
    form = decision_form(case_id, kind, verb, item_id, today=business_date())
    if form is None:
        abort(404)
    file = case_of(case_id)

    def give(uow: Any, values: dict[str, Any]) -> None:
        recording.DECISIONS[kind, verb](uow, item_id, values, business_date(), file.arrears.currency)

    return _carry_out(file, form, give)


@blueprint.get("/approvals")
@requires(Permission.PLAN_DECIDE)
def approvals() -> tuple[str, int]:
    """Show the plans that wait for a decision."""
    with reading() as session:
        page = approvals_page(session, actor(), today=business_date())
    return render("care/approvals.html", page)


@blueprint.post("/approvals/<int:plan_id>")
@requires(Permission.PLAN_DECIDE)
def decide_plan(plan_id: int) -> tuple[str, int] | Response:
    """Approve or reject a plan."""
    reason, approves = request.form.get("reason", ""), request.form.get("decision") == "approve"
    try:
        with writing(actor()) as uow:
            verb = plans.approve if approves else plans.reject
            verb(uow, plan_id=plan_id, reason=reason, business_date=business_date())
    except (InvalidInput, Conflict) as error:
        with reading() as session:
            page = approvals_page(session, actor(), today=business_date(), refused=plan_id, typed=reason,
                                  error=sentence(error))  # fmt: skip
        return render("care/approvals.html", page, status=422)
    flash("Approved: the plan is active." if approves else "Rejected; the proposer sees why.", "good")
    return redirect(url_for("care.approvals"), 303)


@blueprint.get("/clocks")
@requires(Permission.PROTECTION_DECIDE)
def clocks() -> tuple[str, int]:
    """Show what must be answered by a day, the earliest first."""
    with reading() as session:
        page = clocks_page(session, today=business_date())
    return render("care/clocks.html", page)


def _plan_form(file: CaseFile) -> Form:
    return plan_form(file.id, file.overdue_accounts or file.accounts, today=business_date())


def _carry_out(file: CaseFile, form: Form, give: Any) -> tuple[str, int] | Response:
    """Give what was typed to its service; a refusal comes back beside the field that it is about."""
    filled, values = form.filled(request.form, file.arrears.currency)
    if not filled.errors:
        try:
            with writing(actor()) as uow:
                give(uow, values)
        except (InvalidInput, Conflict) as error:
            filled = filled.refused(sentence(error))
        except NotFound:
            abort(404)
    if filled.errors:
        return show_case(file.id, status=422, care=filled)
    flash("Recorded.", "good")
    return _back(file.id)


def _back(case_id: int) -> Response:
    return redirect(url_for("cases.show", case_id=case_id, _anchor="care"), 303)
