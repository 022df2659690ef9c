"""Rule packs as files: dated numbers, who they apply to, and mistakes named by file, line and rule."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from collections_app.domain.contact import CollectorRole
from collections_app.domain.gate import Verdict
from strategies.packs import DEFAULT_PACKS, PackError, load_packs
from tests.gate_facts import ask, facts, hits, packs, touch

PACK = """\
pack: test
title: A pack for this test
countries: [US]
zones: [America/Chicago]
rules:
  - id: TEST-CAP
    kind: count
    force: LAW
    description: So many calls a day
    reference: Statute 1
    from: 2026-01-01
    for: {channels: [voice]}
    settings: {per: customer, channels: [voice], results: [no_answer]}
    parameters:
      limit: {description: Calls, unit: calls, values: {2026-01-01: 2, 2026-03-01: 1}}
      days: {description: Window, unit: dates, values: {2026-01-01: 1}}
"""


def write(folder: Path, text: str) -> Path:
    (folder / "test.yaml").write_text(text, encoding="utf-8")
    return folder


def test_a_number_changes_on_its_day_and_yesterdays_law_can_still_be_asked(tmp_path: Path) -> None:
    library = load_packs(write(tmp_path, PACK))
    given = facts()
    limits = [library.select(given, day).rules[0].limit for day in (date(2026, 2, 28), date(2026, 3, 1))]  # type: ignore[attr-defined]
    assert limits == [2, 1]


def test_a_rule_before_its_day_does_not_exist(tmp_path: Path) -> None:
    assert load_packs(write(tmp_path, PACK)).select(facts(), date(2025, 12, 31)).rules == ()


@pytest.mark.parametrize(
    ("wrong", "right", "message"),
    [
        ("limit: {", "limt: {", "test.yaml line 6, rule TEST-CAP: .*'limit' is missing"),
        ("per: customer,", "per: customer, colour: red,", "line 6, rule TEST-CAP: unknown .*'colour'"),
        ("[no_answer]", "[no_reply]", "line 6, rule TEST-CAP: 'results': 'no_reply' is none of no_answer"),
        ("kind: count", "kind: counting", "line 6, rule TEST-CAP: kind 'counting' is none of"),
        ("force: LAW", "force: STRONG", "line 6, rule TEST-CAP: 'force'"),
        ("reference: Statute 1", "source: Statute 1", "line 6, rule TEST-CAP: .*'reference' is missing"),
        ("from: 2026-01-01", "from: soon", "line 6, rule TEST-CAP: key 'from' must be a date"),
        ("values: {2026-01-01: 1}", "values: 1", "line 6, rule TEST-CAP: parameter 'days' needs 'values'"),
        ("days: {", "limit: {", "test.yaml line 16: key 'limit' twice"),
        ("{channels: [voice]}", "{channel: [voice]}", "line 6, rule TEST-CAP: unknown 'for' field 'channel'"),
        ("rules:", "rule:", "test.yaml line 1: key 'rules' must be a list"),
        ("pack: test", "pack: [", "test.yaml line"),
        ("zones: [America/Chicago]", "zones: [America/Chicagoo]", "test.yaml line 1: clock"),
        ("2026-03-01: 1}", "2026-03-01: -1}", "'limit' must be a whole number"),
    ],
)
def test_a_mistake_is_named_by_file_line_and_rule(tmp_path: Path, wrong: str, right: str, message: str) -> None:
    assert wrong in PACK
    with pytest.raises(PackError, match=message):
        load_packs(write(tmp_path, PACK.replace(wrong, right, 1)))


def test_an_empty_directory_is_no_law(tmp_path: Path) -> None:
    with pytest.raises(PackError, match="no rule packs"):
        load_packs(tmp_path)


def test_the_same_person_and_day_get_the_same_compiled_pack() -> None:
    day = date(2026, 3, 4)
    first = packs().select(facts(), day)
    assert packs().select(facts(), day) is first
    assert packs().select(replace(facts(), actor_role=CollectorRole.FIRST_PARTY), day) is not first


def test_the_version_names_the_packs_and_changes_with_their_text(tmp_path: Path) -> None:
    before = load_packs(write(tmp_path, PACK)).select(facts(), date(2026, 3, 4)).version
    after = load_packs(write(tmp_path, PACK + "\n# a word\n")).select(facts(), date(2026, 3, 4)).version
    assert before.startswith("2026-03-01/")  # since when the law stands so: the last change before the day
    assert before.endswith("/test")
    assert before != after


def test_every_shipped_parameter_has_a_source_a_unit_and_a_date() -> None:
    for path in DEFAULT_PACKS.glob("*.yaml"):
        assert any(pack.name == path.stem for pack in packs().packs), path
    for pack in packs().packs:
        for row in pack.rows:
            assert row.reference, row.id
            assert row.description, row.id
            for parameter in row.parameters:
                assert parameter.unit, (row.id, parameter.name)
                assert parameter.reference, (row.id, parameter.name)
                assert parameter.values[0][0] <= row.since, (row.id, parameter.name)


def test_the_strictest_of_two_profiles_wins() -> None:
    both = facts(customer={"regions": ("US-WA", "US-MA")},
                 history=(touch("2026-03-02 18:00"), touch("2026-03-03 18:00")))  # fmt: skip
    decision = ask("2026-03-04 18:00", both)
    assert hits(decision) == {"MA-2IN7"}
    assert decision.verdict is Verdict.DEFER
