"""Models at work are measured each day, week and month, and what fires waits for a person."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.errors import Conflict, InvalidInput, NotAllowed, NotFound
from collections_app.domain.permissions import Actor, Role
from collections_app.queries.model_watch import matured_scores
from collections_app.services import model_alerts, monitoring
from models.registry import Bundle, ModelStore
from tests.conftest import FixedClock
from tests.factories import TODAY, make_account, make_customer
from tests.model_books import made_bundle, register

SAM = Actor(id=7, name="sam", role=Role.STRATEGIST)
MONDAY = date(2026, 3, 2)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return made_bundle()


@pytest.fixture
def model(units: UnitsOfWork, bundle: Bundle, tmp_path: Path) -> int:
    return register(units, ModelStore(tmp_path / "models"), bundle)


def told(bundle: Bundle, *, shifted: bool = False, external: dict[str, int] | None = None) -> dict[str, Any]:
    """Return a run's counts: as in development, or with every row in the lowest bin of points."""
    shares = bundle.card.development.shares
    points = [1_000, *([0] * (len(shares) - 1))] if shifted else [round(1_000 * s) for s in shares]
    features = {
        name: [*(round(1_000 * s) for s in bins["shares"]), round(1_000 * bins["missing"])]
        for name, bins in bundle.card.drift["features"].items()
    }
    return {
        "rows": 1_000, "fallback": 0, "unseen": {}, "points": {"1-9": points}, "features": features,
        "external": external or {"hit": 800, "no_hit": 200}, "point_bins": {},
    }  # fmt: skip


def run(units: UnitsOfWork, model: int, on: date, figures: dict[str, Any]) -> None:
    with units.begin() as uow:
        uow.session.add(
            t.ScoreRun(model_version_id=model, business_date=on, rows=1_000, figures=figures, created_at=uow.now)
        )


def refresh(units: UnitsOfWork, on: date) -> dict[str, int]:
    with units.begin() as uow:
        return monitoring.refresh(uow, business_date=on)


def figures(units: UnitsOfWork, on: date) -> dict[tuple[str, str, str], t.ModelFigure]:
    with units.database.reading() as session:
        rows = session.scalars(sa.select(t.ModelFigure).where(t.ModelFigure.as_of == on))
        return {(f.cadence, f.metric, f.segment): f for f in rows}


def alerts(units: UnitsOfWork) -> list[t.ModelAlert]:
    with units.database.reading() as session:
        return list(session.scalars(sa.select(t.ModelAlert).order_by(t.ModelAlert.id)))


def test_a_day_is_measured_once_however_often_it_is_asked(units: UnitsOfWork, model: int, bundle: Bundle) -> None:
    run(units, model, MONDAY, told(bundle))
    first = refresh(units, MONDAY)
    before = {key: (f.value, f.verdict, f.rows) for key, f in figures(units, MONDAY).items()}
    assert refresh(units, MONDAY) == first
    assert {key: (f.value, f.verdict, f.rows) for key, f in figures(units, MONDAY).items()} == before
    assert (first["models"], first["alerts"]) == (1, 0)
    assert before[("daily", "psi", "all")][1:] == ("ok", sum(told(bundle)["points"]["1-9"]))


def test_the_week_and_the_month_are_measured_on_their_first_day_only(
    units: UnitsOfWork, model: int, bundle: Bundle
) -> None:
    label_the_past(units, model, rows=40)
    for on in (MONDAY, MONDAY + timedelta(days=1), MONDAY + timedelta(days=7)):
        run(units, model, on, told(bundle))
        refresh(units, on)
    cadences = {on: {c for c, _, _ in figures(units, on)} for on in (MONDAY, MONDAY + timedelta(days=1),
                                                                    MONDAY + timedelta(days=7))}  # fmt: skip
    assert cadences[MONDAY] == {"daily", "weekly", "monthly"}
    assert cadences[MONDAY + timedelta(days=1)] == {"daily"}
    assert cadences[MONDAY + timedelta(days=7)] == {"daily", "weekly"}


def test_the_week_is_the_sum_of_its_runs(units: UnitsOfWork, model: int, bundle: Bundle) -> None:
    sunday = MONDAY - timedelta(days=1)
    for on in (sunday, MONDAY):
        run(units, model, on, told(bundle))
    refresh(units, MONDAY)
    csi = figures(units, MONDAY)[("weekly", "csi", "dpd")]
    assert csi.rows == 2 * sum(told(bundle)["features"]["dpd"])
    assert csi.value == pytest.approx(0, abs=0.01)


def test_drift_of_three_days_raises_one_alert_that_waits(units: UnitsOfWork, model: int, bundle: Bundle) -> None:
    raised = []
    for n in range(5):
        on = MONDAY + timedelta(days=n)
        run(units, model, on, told(bundle, shifted=True))
        raised.append(refresh(units, on)["alerts"])
    assert raised == [0, 0, 1, 0, 0]
    (alert,) = alerts(units)
    assert (alert.trigger, alert.raised_on, alert.closed_at) == ("psi", MONDAY + timedelta(days=2), None)


def test_a_closed_alert_stays_quiet_for_a_while_and_then_fires_again(
    units: UnitsOfWork, model: int, bundle: Bundle, clock: FixedClock
) -> None:
    raised = []
    for n in range(20):
        on = MONDAY + timedelta(days=n)
        clock.now = datetime(on.year, on.month, on.day, 17, tzinfo=UTC)
        run(units, model, on, told(bundle, shifted=True))
        raised.append(refresh(units, on)["alerts"])
        if n == 2:
            with units.begin(SAM) as uow:
                model_alerts.close(uow, alert_id=alerts(units)[0].id, note="a new product; retraining is under way")
    assert [n for n, number in enumerate(raised) if number] == [2, 17]
    assert alerts(units)[0].closed_by == "sam"


def test_an_outage_ends_by_itself_when_the_vendor_answers_again(units: UnitsOfWork, model: int, bundle: Bundle) -> None:
    run(units, model, MONDAY, told(bundle, external={"error": 900, "hit": 100}))
    assert refresh(units, MONDAY)["alerts"] == 1
    tuesday = MONDAY + timedelta(days=1)
    run(units, model, tuesday, told(bundle))
    assert refresh(units, tuesday)["closed"] == 1
    (alert,) = alerts(units)
    assert (alert.trigger, alert.closed_by, alert.note) == ("vendor_outage", "system", f"over on {tuesday}")


def test_a_shadow_is_measured_and_raises_nothing(units: UnitsOfWork, bundle: Bundle, tmp_path: Path) -> None:
    shadow = register(units, ModelStore(tmp_path / "models"), bundle, stage="shadow")
    run(units, shadow, MONDAY, told(bundle, external={"error": 900, "hit": 100}))
    assert refresh(units, MONDAY)["figures"] > 0
    assert alerts(units) == []


def test_alerts_of_a_retired_model_are_closed(units: UnitsOfWork, model: int, bundle: Bundle) -> None:
    run(units, model, MONDAY, told(bundle, external={"error": 900, "hit": 100}))
    refresh(units, MONDAY)
    with units.begin() as uow:
        uow.session.get_one(t.ModelVersion, model).stage = "retired"
    assert refresh(units, MONDAY + timedelta(days=1))["closed"] == 1
    assert "no longer at work" in (alerts(units)[0].note or "")


def test_a_card_of_another_release_is_counted_and_the_others_are_measured(
    units: UnitsOfWork, model: int, bundle: Bundle
) -> None:
    with units.begin() as uow:
        uow.session.add(
            t.ModelVersion(name="c-m2", version="old", stage="champion", bundle_key="x", card={"reasons": {}},
                           trained_at=uow.now, trained_by="system")
        )  # fmt: skip
    run(units, model, MONDAY, told(bundle))
    done = refresh(units, MONDAY)
    assert (done["models"], done["unreadable"]) == (1, 1)


def label_the_past(units: UnitsOfWork, model: int, *, rows: int, observed: date = TODAY - timedelta(days=40)) -> None:
    """Store scores of a day in the past, one account each, and the outcomes that have matured since."""
    with units.begin() as uow:
        session = uow.session
        past = t.ScoreRun(model_version_id=model, business_date=observed, rows=rows, created_at=uow.now)
        session.add(past)
        session.flush()
        customer = make_customer(session).id
        for n in range(rows):
            account = make_account(session, customer_id=customer)
            session.add(
                t.Score(
                    score_run_id=past.id, account_id=account.id, business_date=observed, p_event=n / rows,
                    event_name="bad_30d", horizon_days=30, score=500, band="S3", reason_codes=[],
                    available_from=datetime(observed.year, observed.month, observed.day, 17, tzinfo=UTC),
                )
            )  # fmt: skip
            session.add(
                t.TrainingLabel(
                    label="bad_30d", account_id=account.id, observed_on=observed, horizon_days=30,
                    outcome=int(n >= rows * 0.6), matured_on=observed + timedelta(days=30), origin="computed",
                )
            )  # fmt: skip


def test_matured_outcomes_meet_the_score_of_their_day(units: UnitsOfWork, model: int) -> None:
    label_the_past(units, model, rows=300)
    refresh(units, MONDAY)
    found = figures(units, MONDAY)
    ks = found[("monthly", "ks", "all")]
    assert (ks.rows, ks.events, ks.value) == (300, 120, 1.0)
    assert ks.low is not None
    assert found[("monthly", "calibration", "S1")].rows > 0


def test_a_score_written_after_the_day_does_not_count(units: UnitsOfWork, model: int) -> None:
    label_the_past(units, model, rows=20)
    window = {"label": "bad_30d", "after": date(2026, 1, 1), "until": MONDAY}
    with units.database.reading() as session:
        assert matured_scores(session, model, **window).height == 20  # type: ignore[arg-type]
    with units.begin() as uow:
        uow.session.execute(sa.update(t.Score).values(available_from=datetime(2026, 2, 20, tzinfo=UTC)))
    with units.database.reading() as session:
        assert matured_scores(session, model, **window).is_empty()  # type: ignore[arg-type]
        assert matured_scores(session, model, **window, hold_out_only=True).is_empty()  # type: ignore[arg-type]


def test_an_outcome_of_another_event_or_not_matured_is_left_out(units: UnitsOfWork, model: int) -> None:
    label_the_past(units, model, rows=20)
    with units.database.reading() as session:
        asked = {"after": date(2026, 1, 1), "until": MONDAY}
        assert matured_scores(session, model, label="rolled_m2", **asked).is_empty()
        assert matured_scores(
            session, model, label="bad_30d", after=date(2026, 1, 1), until=MONDAY - timedelta(days=11)
        ).is_empty()


def test_closing_an_alert_takes_a_person_and_a_word(units: UnitsOfWork, model: int, bundle: Bundle) -> None:
    run(units, model, MONDAY, told(bundle, external={"error": 900, "hit": 100}))
    refresh(units, MONDAY)
    alert_id = alerts(units)[0].id
    with units.begin() as uow, pytest.raises(NotAllowed):
        model_alerts.close(uow, alert_id=alert_id, note="fine")
    with units.begin(SAM) as uow:
        with pytest.raises(InvalidInput):
            model_alerts.close(uow, alert_id=alert_id, note=" ")
        with pytest.raises(NotFound):
            model_alerts.close(uow, alert_id=alert_id + 99, note="fine")
        model_alerts.close(uow, alert_id=alert_id, note="the vendor had maintenance")
        with pytest.raises(Conflict, match="closed by sam"):
            model_alerts.close(uow, alert_id=alert_id, note="again")


def test_an_agent_may_not_measure(units: UnitsOfWork) -> None:
    with units.begin(Actor(1, "ann", Role.AGENT, 1)) as uow, pytest.raises(NotAllowed):
        monitoring.refresh(uow, business_date=MONDAY)


def test_a_promises_outcome_meets_the_score_that_speaks_of_the_day_it_was_made(units: UnitsOfWork, model: int) -> None:
    made = MONDAY - timedelta(days=20)
    label_the_past(units, model, rows=4, observed=made + timedelta(days=1))
    with units.begin() as uow:
        uow.session.execute(sa.update(t.TrainingLabel).values(label="promise_kept", observed_on=made))
        uow.session.execute(sa.update(t.TrainingLabel).values(matured_on=MONDAY - timedelta(days=2)))
        uow.session.execute(sa.update(t.Score).values(details={"made_on": made.isoformat()}))
        uow.session.execute(sa.update(t.Score).where(t.Score.id == 1).values(details={"made_on": "2026-01-01"}))
    asked = {"label": "promise_kept", "after": date(2026, 1, 1), "until": MONDAY}
    with units.database.reading() as session:
        assert matured_scores(session, model, **asked).is_empty()  # type: ignore[arg-type]
        assert matured_scores(session, model, **asked, of_promises=True).height == 3  # type: ignore[arg-type]
