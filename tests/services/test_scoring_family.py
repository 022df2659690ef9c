"""Several models at work: routes by DPD, other questions, shadows, and what happens when one cannot work."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.errors import NotConfigured
from collections_app.queries.facts import case_facts
from collections_app.queries.reasons import scores_of
from collections_app.services import scoring
from models import family
from models.catalogue import recipe_of
from models.registry import Bundle, ModelStore
from tests.factories import NOW, TODAY, make_account, make_case, make_episode, make_standing
from tests.model_books import made_bundle, made_sample, register, renamed


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return made_bundle()


@pytest.fixture
def models(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def open_case(units: UnitsOfWork, *dpds: int) -> int:
    """Open a case with one overdue account, seen today, for each DPD."""
    with units.begin() as uow:
        session = uow.session
        case = make_case(session, account=False, dpd=max(dpds))
        for dpd in dpds:
            account = make_account(session, customer_id=case.customer_id, dpd=dpd)
            make_episode(session, account_id=account.id, case_id=case.id)
            make_standing(session, account_id=account.id, from_on=TODAY, dpd=dpd, arrears_amount=10_000)
        return case.id


def stand(units: UnitsOfWork, case_id: int, *, on: date, dpd: int) -> None:
    """Tell how the case's account stands from a day on."""
    with units.begin() as uow:
        account_id = uow.session.scalars(sa.select(t.Episode.account_id).where(t.Episode.case_id == case_id)).one()
        make_standing(uow.session, account_id=account_id, from_on=on, dpd=dpd, arrears_amount=10_000)


def score(units: UnitsOfWork, models: ModelStore, on: date = TODAY, **over: Any) -> dict[str, Any]:
    with units.begin() as uow:
        return scoring.score_open(uow, business_date=on, models=models, threads=1, **over)


def stored(units: UnitsOfWork, **where: Any) -> dict[int | None, tuple[str, t.Score]]:
    """Return the scores by case, with the name of the model that gave each."""
    with units.database.reading() as session:
        rows = session.execute(
            sa.select(t.ModelVersion.name, t.Score)
            .join(t.ScoreRun, t.ScoreRun.id == t.Score.score_run_id)
            .join(t.ModelVersion, t.ModelVersion.id == t.ScoreRun.model_version_id)
            .where(*(getattr(t.Score, column) == value for column, value in where.items()))
        )
        return {s.case_id: (name, s) for name, s in rows}


def test_each_dpd_range_goes_to_its_card_and_the_rest_to_the_card_for_all(
    units: UnitsOfWork, models: ModelStore, bundle: Bundle
) -> None:
    for name in ("c-card", "c-m1-entry", "c-m2"):
        register(units, models, renamed(bundle, name))
    young, middle, late, old = (open_case(units, dpd) for dpd in (9, 10, 31, 61))
    told = score(units, models)
    by_case = stored(units)
    assert {c: name for c, (name, _) in by_case.items()} == {
        young: "c-m1-entry", middle: "c-card", late: "c-m2", old: "c-card",
    }  # fmt: skip
    assert by_case[late][1].event_name == "rolled_m3"
    assert (told["scored"], told["accounts"]) == (4, 4)
    assert told["model"] == "c-m1-entry v1, c-m2 v1, c-card v1"


def test_without_the_card_for_all_what_no_card_serves_is_counted(
    units: UnitsOfWork, models: ModelStore, bundle: Bundle
) -> None:
    register(units, models, renamed(bundle, "c-m2"))
    open_case(units, 5)
    late = open_case(units, 40)
    told = score(units, models)
    assert set(stored(units)) == {late}
    assert (told["scored"], told["unrouted"]) == (1, 1)


def test_a_case_with_accounts_in_two_ranges_speaks_with_its_riskiest(
    units: UnitsOfWork, models: ModelStore, bundle: Bundle
) -> None:
    for name in ("c-card", "c-m1-entry"):
        register(units, models, renamed(bundle, name))
    case_id = open_case(units, 3, 80)
    assert score(units, models)["scored"] == 1
    assert stored(units)[case_id][0] == "c-card"


def test_an_account_that_nothing_is_known_of_is_counted_and_gets_no_score(
    units: UnitsOfWork, models: ModelStore, bundle: Bundle
) -> None:
    register(units, models, bundle)
    with units.begin() as uow:
        make_case(uow.session)  # its account never stood anywhere
    told = score(units, models)
    assert (told["scored"], told["unseen"]) == (0, 1)
    assert stored(units) == {}


def test_shadow_and_challenger_are_scored_beside_and_nobody_reads_them(
    units: UnitsOfWork, models: ModelStore, bundle: Bundle
) -> None:
    register(units, models, bundle)
    cuts = replace(bundle.card.cuts, floors=(9_999.0,) * 4)
    for stage in ("shadow", "challenger"):
        # The same card with other bands: its every case is an S5.
        other = Bundle(replace(bundle.card, cuts=cuts, provenance={"of": stage}), bundle.parts)
        register(units, models, other, version=stage, stage=stage)
    case_id = open_case(units, 2)
    assert score(units, models)["beside"] == 2
    assert len(stored(units, is_shadow=True)) == 1
    assert stored(units, is_shadow=True)[case_id][1].band == "S5"
    with units.database.reading() as session:
        note = scores_of(session, [case_id])[case_id]
        facts = case_facts(session, as_of=TODAY, now=NOW, salt="s", shares={"champion": 1.0})
    assert (note.version, note.band) == ("v1", "S1")
    assert facts["band"].to_list() == ["S1"]


def test_other_questions_are_answered_where_they_apply_and_become_facts(
    units: UnitsOfWork, models: ModelStore, bundle: Bundle
) -> None:
    register(units, models, bundle)
    register(units, models, renamed(bundle, "self-cure"))
    register(units, models, renamed(bundle, "contactability"))
    young, late = open_case(units, 4), open_case(units, 40)
    told = score(units, models)
    assert (told["self_cure"], told["contact"]) == (1, 2)
    assert set(stored(units, purpose="self_cure")) == {young}
    with units.database.reading() as session:
        facts = case_facts(session, as_of=TODAY, now=NOW, salt="s", shares={"champion": 1.0})
        assert scores_of(session, [young])[young].model == "c-card"
    known = {row["case_id"]: row for row in facts.iter_rows(named=True)}
    assert 0 < known[young]["self_cure_p"] < 1
    assert known[late]["self_cure_p"] is None
    assert known[late]["contact_p"] is not None


def test_where_the_event_is_good_a_likely_one_has_many_points(
    units: UnitsOfWork, models: ModelStore, bundle: Bundle
) -> None:
    register(units, models, renamed(bundle, "contactability"))
    low, high = open_case(units, 1), open_case(units, 80)
    score(units, models)
    by_case = stored(units, purpose="contact")
    more, less = by_case[high][1], by_case[low][1]
    assert more.p_event > less.p_event
    assert more.score > less.score


def test_a_shadow_that_cannot_work_is_told_and_the_others_are_scored(
    units: UnitsOfWork, models: ModelStore, bundle: Bundle
) -> None:
    register(units, models, bundle)
    register(units, models, bundle, version="cut", stage="shadow")
    (models.root / "c-card" / "cut" / "model.ubj").write_bytes(b"")
    strange = Bundle(replace(bundle.card, feature_set_version=1), bundle.parts)
    register(units, models, strange, version="old", stage="challenger")
    open_case(units, 5)
    told = score(units, ModelStore(models.root))
    assert told["scored"] == 1
    assert "cut or altered" in told["failed"]["c-card cut"]
    assert "feature set 1" in told["failed"]["c-card old"]


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"feature_set_version": 1}, "trained on feature set 1, this release builds"),
        ({"features": ("dpd", "moon_phase")}, "moon_phase"),
        ({"algorithm": "oracle"}, "no algorithm 'oracle'"),
    ],
)
def test_a_champion_that_cannot_work_stops_the_step_in_one_sentence(
    units: UnitsOfWork, models: ModelStore, bundle: Bundle, over: dict[str, Any], message: str
) -> None:
    register(units, models, Bundle(replace(bundle.card, **over), bundle.parts))
    open_case(units, 5)
    with pytest.raises(NotConfigured, match=message):
        score(units, models)
    assert stored(units) == {}


def test_when_the_vendor_is_silent_rows_are_scored_without_it_and_counted(
    units: UnitsOfWork, models: ModelStore, bundle: Bundle
) -> None:
    register(units, models, bundle)
    case_id = open_case(units, 5)  # nobody was asked about this customer
    told = score(units, models)
    assert told["fallback"] == 1
    assert stored(units)[case_id][1].is_fallback
    with units.database.reading() as session:
        run = session.scalars(sa.select(t.ScoreRun)).one()
    assert (run.fallback_rows, run.figures["external"]) == (1, {"not_queried": 1})


def test_a_run_counts_on_frozen_bins_chunk_by_chunk_and_the_same_in_one(
    units: UnitsOfWork, models: ModelStore, bundle: Bundle
) -> None:
    first, second = register(units, models, bundle), None
    for dpd in (2, 5, 12, 40, 70, 75, 80):
        open_case(units, dpd)
    score(units, models, chunk_cases=3)
    with units.begin() as uow:
        uow.session.get_one(t.ModelVersion, first).stage = "retired"
    second = register(units, models, bundle, version="v2")
    score(units, models)
    with units.database.reading() as session:
        runs = {r.model_version_id: r for r in session.scalars(sa.select(t.ScoreRun))}
    assert runs[first].figures == runs[second].figures
    assert runs[first].figures["rows"] == runs[first].rows == 7
    by_range = {name: sum(counts) for name, counts in runs[first].figures["points"].items()}
    assert by_range == {"1-9": 2, "10-30": 1, "31-60": 1, "61+": 3}
    assert sum(runs[first].figures["features"]["dpd"]) == 7
    assert runs[first].figures["features"]["ml_apps_12m"][-1] == 7  # missing in every row
    assert runs[first].psi == pytest.approx(runs[second].psi)


def test_approximate_reasons_of_a_large_book_are_codes_of_the_card(
    units: UnitsOfWork, models: ModelStore, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "EXACT_UP_TO", 0)
    register(units, models, bundle)
    case_id = open_case(units, 80)
    score(units, models)
    codes = stored(units)[case_id][1].reason_codes
    assert codes[0] == "late_now"
    assert set(codes) <= set(bundle.card.reasons)


def test_a_band_is_held_for_three_days_and_then_moves(units: UnitsOfWork, models: ModelStore, bundle: Bundle) -> None:
    first = register(units, models, bundle)
    safe, risky = open_case(units, 1), open_case(units, 62)
    score(units, models)
    middle = (stored(units)[safe][1].score + stored(units)[risky][1].score) / 2
    with units.begin() as uow:
        uow.session.get_one(t.ModelVersion, first).stage = "retired"
    # One step between the two: the first case is an S1, the second an S2.
    cuts = replace(bundle.card.cuts, floors=(middle, -1e6, -1e6, -1e6))
    register(units, models, Bundle(replace(bundle.card, cuts=cuts), bundle.parts), version="v2")
    bands, details = [], []
    for on in (TODAY + timedelta(days=n) for n in range(1, 7)):
        if on == TODAY + timedelta(days=2):
            stand(units, safe, on=on, dpd=62)
        score(units, models, on)
        row = stored(units, business_date=on)[safe][1]
        bands.append(row.band)
        details.append(row.details)
        with units.database.reading() as session:
            facts = case_facts(session, as_of=on, now=NOW, salt="s", shares={"champion": 1.0})
        assert facts.filter(facts["case_id"] == safe)["band"].to_list() == [row.band]
    # Set on TODAY, the band is two days old when the score moves: it is held that day, and moves on the next.
    assert details[1] == {"said": "S2"}
    assert bands == ["S1", "S1", "S2", "S2", "S2", "S2"]


def test_recovery_tells_a_share_and_an_amount_of_every_account(units: UnitsOfWork, models: ModelStore) -> None:
    sample = made_sample(900)
    sample = replace(sample, outcome=1 - sample.outcome)  # whoever is late pays less, as the directions have it
    shares = np.where(sample.outcome == 1, np.random.default_rng(0).uniform(0.2, 1.0, 900), 0.0)
    few = replace(recipe_of("recovery"), min_events=20)
    told = family.train(few, replace(sample, value=shares), provenance={}, threads=1, min_events=20)
    register(units, models, told)
    case_id = open_case(units, 40, 75)
    assert score(units, models)["recovery"] == 2
    with units.database.reading() as session:
        rows = session.scalars(sa.select(t.Score).where(t.Score.case_id == case_id)).all()
    assert len(rows) == 2
    for row in rows:
        assert row.details is not None
        assert 0 < row.details["share"] < 1
        assert row.details["expected_amount"] == round(row.details["share"] * 10_000)


def test_an_answer_in_a_word_that_nobody_knows_is_an_error_and_never_zero_applications(
    units: UnitsOfWork, models: ModelStore, bundle: Bundle
) -> None:
    register(units, models, bundle)
    case_id = open_case(units, 5)
    with units.begin() as uow:
        customer_id = uow.session.get_one(t.Case, case_id).customer_id
        uow.session.add(
            t.ExternalSignal(customer_id=customer_id, provider="test", snapshot_on=TODAY, received_on=TODAY,
                             hit_status="perhaps", fields={"ml_id_all_apps_12m": 0})
        )  # fmt: skip
    assert score(units, models)["fallback"] == 1
    with units.database.reading() as session:
        run = session.scalars(sa.select(t.ScoreRun)).one()
    assert run.figures["external"] == {"error": 1}
    assert run.figures["features"]["ml_apps_12m"][-1] == 1  # missing, not 0


@pytest.mark.parametrize("told", ["inf", "1e39", 1e39, -5, "many"])
def test_a_count_that_cannot_be_one_is_unknown_and_the_book_is_scored(
    units: UnitsOfWork, models: ModelStore, bundle: Bundle, told: object
) -> None:
    """Trees refuse what is infinite: one such value of a vendor would keep everybody from being scored."""
    register(units, models, bundle)
    case_id = open_case(units, 5)
    with units.begin() as uow:
        customer_id = uow.session.get_one(t.Case, case_id).customer_id
        uow.session.add(
            t.ExternalSignal(customer_id=customer_id, provider="test", snapshot_on=TODAY, received_on=TODAY,
                             hit_status="hit", purpose_code="post_loan", consent_ref="K1",
                             fields={"ml_id_all_apps_12m": told})
        )  # fmt: skip
    assert score(units, models)["scored"] == 1
    with units.database.reading() as session:
        run = session.scalars(sa.select(t.ScoreRun)).one()
    assert run.figures["features"]["ml_apps_12m"][-1] == 1
