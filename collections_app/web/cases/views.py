"""Work a case: see it, call, say how it went, record a promise, write a note."""

from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from werkzeug.wrappers import Response

from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.contact import AttemptStatus
from collections_app.domain.errors import Conflict, InvalidInput
from collections_app.domain.permissions import Permission
from collections_app.queries import case_file
from collections_app.queries.case_file import CaseFile
from collections_app.queries.case_scores import case_scores
from collections_app.queries.signals import outside_signals
from collections_app.services import allowances, contacting, outcomes, promises
from collections_app.web.access import actor, requires
from collections_app.web.backend import backend, now, reading, writing
from collections_app.web.care.fields import Form
from collections_app.web.care.pages import care_section
from collections_app.web.cases.forms import OutcomeForm, PromiseForm
from collections_app.web.cases.pages import CasePage, case_page
from collections_app.web.cases.scores import score_section
from collections_app.web.errors import sentence
from collections_app.web.page import business_date, render, work_day

blueprint = Blueprint("cases", __name__, url_prefix="/cases")


@blueprint.get("/<int:case_id>")
@requires(Permission.CASE_READ)
def show(case_id: int) -> tuple[str, int]:
    """Show the case file."""
    return show_case(case_id)


@blueprint.post("/<int:case_id>/calls")
@requires(Permission.CASE_WORK)
def call(case_id: int) -> Response:
    """Reserve a call to one of the customer's phones, if the gate allows it now."""
    point_id = request.form.get("point_id", type=int) or 0
    with writing(actor()) as uow:
        attempt = contacting.start_agent_call(uow, case_id=case_id, contact_point_id=point_id, packs=backend().packs)
        refused = attempt.status is AttemptStatus.DENIED
    if refused:
        flash(
            f"This call is not allowed now (rule {attempt.error_code}). The reason is beside the number.",
            "bad",
        )
    return redirect(url_for("cases.show", case_id=case_id, _anchor="actions"), 303)


@blueprint.post("/<int:case_id>/calls/<int:attempt_id>/outcome")
@requires(Permission.CASE_WORK)
def outcome(case_id: int, attempt_id: int) -> tuple[str, int] | Response:
    """Say how the call went; a promise made in it is recorded with it or not at all."""
    form = OutcomeForm.parse(request.form, case_of(case_id).overdue_accounts)
    if form.is_valid:
        try:
            _settle(case_id, attempt_id, form)
        except (InvalidInput, Conflict) as error:
            form = form.refused(sentence(error))
    if not form.is_valid:
        return show_case(case_id, status=422, outcome=form)
    flash("Recorded.", "good")
    if request.form.get("then") == "next":
        return redirect(url_for("worklist.next_case"), 303)
    return redirect(url_for("cases.show", case_id=case_id), 303)


@blueprint.post("/<int:case_id>/promises")
@requires(Permission.CASE_WORK)
def promise(case_id: int) -> tuple[str, int] | Response:
    """Record a promise made outside a call of ours, for example when the customer rang."""
    form = PromiseForm.parse(request.form, case_of(case_id).overdue_accounts)
    if not form.errors:
        try:
            with writing(actor()) as uow:
                _record_promise(uow, case_id, form)
        except (InvalidInput, Conflict) as error:
            form = form.refused(sentence(error))
    if form.errors:
        return show_case(case_id, status=422, promise=form)
    flash("Promise recorded.", "good")
    return redirect(url_for("cases.show", case_id=case_id), 303)


@blueprint.post("/<int:case_id>/notes")
@requires(Permission.CASE_WORK)
def note(case_id: int) -> tuple[str, int] | Response:
    """Write a note."""
    text = request.form.get("text", "")
    try:
        with writing(actor()) as uow:
            case_file.require_visible(uow.session, actor(), case_id)
            outcomes.add_note(uow, case_id=case_id, text=text)
    except InvalidInput as error:
        return show_case(case_id, status=422, note=text, note_error=sentence(error))
    flash("Note added.", "good")
    return redirect(url_for("cases.show", case_id=case_id), 303)


def _settle(case_id: int, attempt_id: int, form: OutcomeForm) -> None:
    assert form.outcome is not None
    with writing(actor()) as uow:
        case_file.require_own_call(uow.session, actor(), case_id=case_id, attempt_id=attempt_id)
        outcomes.record_call(
            uow, attempt_id=attempt_id, outcome=form.outcome, disposition=form.disposition, note=form.note
        )
        if form.promise is not None:
            _record_promise(uow, case_id, form.promise, attempt_id=attempt_id)


def _record_promise(uow: UnitOfWork, case_id: int, form: PromiseForm, *, attempt_id: int | None = None) -> None:
    assert form.due_on is not None
    case_file.require_visible(uow.session, actor(), case_id)
    promises.record(
        uow,
        case_id=case_id,
        account_id=form.account_id,
        amount_minor=form.amount_minor,
        due_on=form.due_on,
        business_date=business_date(),
        method=form.method,
        attempt_id=attempt_id,
    )


def case_of(case_id: int) -> CaseFile:
    """Return the case file as this actor may see it now."""
    with reading() as session:
        return case_file.get_case_file(session, actor(), case_id, now=now(), day=work_day())


def show_case(case_id: int, *, status: int = 200, care: Form | None = None, **typed: Any) -> tuple[str, int]:
    """Render the case page; ``care`` and ``typed`` are what was typed and refused."""
    return render("cases/show.html", _page(case_id, care, **typed), status=status)


def _page(case_id: int, care: Form | None, **typed: Any) -> CasePage:
    may_work = actor().may(Permission.CASE_WORK)
    with reading() as session:
        file = case_file.get_case_file(session, actor(), case_id, now=now(), day=work_day())
        options = (
            allowances.call_options(session, case_id=case_id, packs=backend().packs, now=now())
            if may_work and file.closed_on is None
            else {}
        )
        section = care_section(session, actor(), file, today=business_date(), typed=care)
        outside = outside_signals(session, file.customer_id, as_of=business_date())
        scores = score_section(case_scores(session, case_id), accounts=len(file.accounts))
    return case_page(
        file, options=options, may_work=may_work, business_date=business_date(), care=section, outside=outside,
        scores=scores, **typed,
    )  # fmt: skip
