"""Arrangements and protections on the pages: recorded, refused beside the field, decided by a supervisor."""

from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.plans import PlanStatus
from tests.factories import TODAY
from tests.web.conftest import LogIn
from tests.web.scene import Scene

WEEK = (TODAY + timedelta(days=7)).isoformat()


def account_of(units: UnitsOfWork, case_id: int) -> t.Account:
    with units.database.reading() as session:
        own = sa.select(t.Account).join(t.Case, t.Case.customer_id == t.Account.customer_id)
        return session.scalars(own.where(t.Case.id == case_id)).one()


def only(units: UnitsOfWork, table: Any) -> Any:
    with units.database.reading() as session:
        return session.scalars(sa.select(table)).one()


def plan(units: UnitsOfWork, case_id: int, **over: str) -> dict[str, str]:
    typed = {
        "account_id": str(account_of(units, case_id).id), "kind": "instalment", "total": "1,284.50", "count": "4",
        "every": "month", "first_due_on": WEEK, "ends_on": "", "income": "", "expense": "", "evidence": "",
        "reason": "Gets paid on the first",
    }  # fmt: skip
    return typed | over


def test_a_plan_of_the_agents_own_is_active_and_shown_with_its_payments(
    units: UnitsOfWork, scene: Scene, log_in: LogIn
) -> None:
    client = log_in("mara")
    answer = client.post(f"/cases/{scene.top_case}/plans", data=plan(units, scene.top_case))
    assert answer.location == f"/cases/{scene.top_case}#care"
    page = client.get(f"/cases/{scene.top_case}").text
    assert "The plan is active." in page
    assert "4 payments" in page
    assert "321.13" in page  # 1,284.50 in four: two payments of 321.13, two of 321.12
    assert "321.12" in page
    assert only(units, t.PaymentPlan).status is PlanStatus.ACTIVE


REFUSED_PLANS: tuple[tuple[dict[str, str], str], ...] = (
    ({"reason": ""}, "Write it in a few words."),
    ({"total": "12,000.00"}, "is more than the balance of 10,276.00 USD."),
    ({"total": "many"}, "Write an amount in USD, for example 120.00."),
    ({"count": ""}, "The number of payments is missing."),
    ({"first_due_on": "2026-03-01"}, "The first date lies in the past."),
    ({"kind": "deferral"}, "The last date is missing."),
    ({"kind": "settlement", "total": "10,276.00"}, "a settlement gives something up."),
    ({"re_ages": "yes"}, "it cannot start afresh here."),
)


def test_a_refused_plan_says_why_and_keeps_what_was_typed(units: UnitsOfWork, scene: Scene, log_in: LogIn) -> None:
    client = log_in("mara")
    for over, says in REFUSED_PLANS:
        answer = client.post(f"/cases/{scene.top_case}/plans", data=plan(units, scene.top_case, **over))
        assert answer.status_code == 422
        assert says in answer.text
        assert '<details name="record" open>' in answer.text
        assert ('value="Gets paid on the first"' in answer.text) is ("reason" not in over)


def test_the_preview_says_what_a_plan_comes_to_and_records_nothing(
    units: UnitsOfWork, scene: Scene, log_in: LogIn
) -> None:
    client = log_in("mara")
    path = f"/cases/{scene.top_case}/plans/preview"
    said = client.post(path, data=plan(units, scene.top_case, count="8", reason="")).text
    assert "8 payments of 160.57 USD, the last ones 160.56 USD" in said
    assert "It needs the word of a supervisor." in said
    assert "You may grant this at once." in client.post(path, data=plan(units, scene.top_case)).text
    assert "past" in client.post(path, data=plan(units, scene.top_case, first_due_on="2026-03-01")).text
    with units.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count(t.PaymentPlan.id))) == 0


def test_a_supervisor_rejects_with_a_reason_that_the_agent_sees(
    units: UnitsOfWork, scene: Scene, log_in: LogIn
) -> None:
    log_in("mara").post(f"/cases/{scene.top_case}/plans", data=plan(units, scene.top_case, count="8"))
    sofia, plan_id = log_in("sofia"), only(units, t.PaymentPlan).id
    assert "8 months; the agent&#39;s limit is 6" in sofia.get("/approvals").text
    refused = sofia.post(f"/approvals/{plan_id}", data={"decision": "reject", "reason": ""})
    assert refused.status_code == 422
    assert "The reason is missing" in refused.text
    answer = sofia.post(f"/approvals/{plan_id}", data={"decision": "reject", "reason": "Six months are enough"})
    assert answer.status_code == 303
    page = log_in("mara").get(f"/cases/{scene.top_case}").text
    assert "1 earlier plan" in page
    assert "Six months are enough" in page
    assert log_in("mara").get("/approvals").status_code == 403


FORMS: dict[str, dict[str, str]] = {
    "hold": {"reason": "illness", "until_on": WEEK, "note": ""},
    "dispute": {"grounds": "paid", "note": "Paid on Monday", "disputed": "", "received_by": "phone",
                "received_on": TODAY.isoformat(), "validation_sent_on": ""},
    "hardship": {"reason": "illness", "evidence": "sick note"},
    "complaint": {"subject": "Called at work", "channel": "direct", "received_on": TODAY.isoformat(), "note": ""},
    "moratorium": {"kind": "court", "reference": "CV-1", "notified_on": TODAY.isoformat(), "ends_on": "2026-04-30",
                   "adviser": ""},
    "stop": {"code": "attorney", "evidence": "L. Frey, 555 0100"},
}  # fmt: skip
TABLES: dict[str, Any] = {"hold": t.Hold, "dispute": t.Dispute, "hardship": t.Hardship, "complaint": t.Complaint,
          "moratorium": t.Moratorium, "stop": t.StopFlag}  # fmt: skip
SHOWN = {"hold": "On hold", "dispute": "Disputed", "hardship": "sick note", "complaint": "Called at work",
         "moratorium": "Stay by a court", "stop": "L. Frey, 555 0100"}  # fmt: skip
DECIDED = {"hold": ("release", {}), "dispute": ("answer", {"outcome": "verified", "evidence": "statement sent"}),
           "hardship": ("end", {"reason": "works again"}),
           "complaint": ("close", {"outcome": "upheld", "root_cause": "number on file", "redress": "20.00"}),
           "moratorium": ("end", {"reason": "lifted by the court", "event_on": ""}),
           "stop": ("release", {"reason": "resolved", "evidence": "letter of the lawyer"})}  # fmt: skip


def test_each_protection_is_recorded_by_an_agent_and_ended_by_a_supervisor(
    units: UnitsOfWork, scene: Scene, log_in: LogIn
) -> None:
    mara, sofia, path = log_in("mara"), log_in("sofia"), f"/cases/{scene.second_case}"
    account_id = str(account_of(units, scene.second_case).id)
    for kind, typed in FORMS.items():
        answer = mara.post(f"{path}/protections/{kind}", data={"account_id": account_id} | typed)
        assert answer.status_code == 303, answer.text
        assert SHOWN[kind] in mara.get(path).text
        with units.database.reading() as session:
            item_id = session.scalar(sa.select(sa.func.max(TABLES[kind].id)))
        verb, words = DECIDED[kind]
        end = f"{path}/protections/{kind}/{item_id}/{verb}"
        assert mara.post(end, data=words).status_code == 403
        assert sofia.post(end, data=words).status_code == 303
        section = sofia.get(path).text.split('id="care"')[1].split("</section>")[0]
        assert "Nothing is arranged" in section, kind


REFUSED: tuple[tuple[str, dict[str, str], str], ...] = (
    ("hold", {"until_on": "2026-06-01"}, "A hold ends on 2026-04-01 at the latest"),
    ("dispute", {"disputed": "999,999.00"}, "must lie between zero and the balance"),
    ("moratorium", {"kind": "bs_standard"}, "No rule gives this moratorium"),
    ("stop", {"evidence": ""}, "Write it in a few words."),
    ("complaint", {"received_on": "2026-03-09"}, "lies in the future"),
    ("complaint", {"channel": "rumour"}, "Choose one."),
)


def test_what_cannot_be_recorded_says_why_beside_its_field(units: UnitsOfWork, scene: Scene, log_in: LogIn) -> None:
    client, account_id = log_in("mara"), str(account_of(units, scene.second_case).id)
    for kind, over, says in REFUSED:
        typed = {"account_id": account_id} | FORMS[kind] | over
        answer = client.post(f"/cases/{scene.second_case}/protections/{kind}", data=typed)
        assert answer.status_code == 422
        assert says in answer.text


def test_unknown_protections_and_foreign_cases_do_not_exist(scene: Scene, log_in: LogIn) -> None:
    mara, sofia = log_in("mara"), log_in("sofia")
    assert mara.post(f"/cases/{scene.top_case}/protections/curse", data={}).status_code == 404
    assert mara.post(f"/cases/{scene.other_case}/protections/hold", data=FORMS["hold"]).status_code == 404
    assert sofia.post(f"/cases/{scene.top_case}/protections/hold/1/bless").status_code == 404
    assert sofia.post(f"/cases/{scene.top_case}/protections/hold/77/release").status_code == 404


def test_the_clocks_page_marks_what_is_overdue_in_words(units: UnitsOfWork, scene: Scene, log_in: LogIn) -> None:
    typed = FORMS["dispute"] | {"account_id": str(account_of(units, scene.second_case).id)}
    late = typed | {"received_on": (TODAY - timedelta(days=40)).isoformat()}
    log_in("mara").post(f"/cases/{scene.second_case}/protections/dispute", data=late)
    page = log_in("sofia").get("/clocks").text
    assert "1 is overdue" in page
    assert "10 days ago" in page
    assert "overdue</span>" in page.replace("\n", "")


def test_the_case_page_shows_the_ledger_of_the_account(units: UnitsOfWork, scene: Scene, log_in: LogIn) -> None:
    account = account_of(units, scene.top_case)
    with units.begin() as uow:
        uow.session.get_one(t.Account, account.id).schedule_version = 2
        payment = uow.session.scalars(sa.select(t.Payment.id).where(t.Payment.account_id == account.id)).one()
        for version, seq, paid in ((1, 1, 0), (2, 1, 42_000), (2, 2, 9_000)):
            uow.session.add(
                t.Instalment(
                    account_id=account.id, schedule_version=version, seq=seq, due_on=date(2026, seq, 20),
                    principal_due_amount=42_000, paid_amount=paid,
                    closed_on=date(2026, 1, 19) if paid > 9_000 else None,
                )
            )  # fmt: skip
        uow.session.flush()
        uow.session.add(
            t.PaymentAllocation(
                payment_id=payment, line=1, schedule_version=2, instalment_seq=2, component="principal",
                amount=9_000, rule="default@1",
            )
        )  # fmt: skip
    page = log_in("mara").get(f"/cases/{scene.top_case}").text
    assert "2 instalments, 1 open" in page
    assert "330.00" in page
    assert "90.00 to principal of no. 2" in page
