"""The shipped book is whole: every row is reached, one case and a whole book are decided alike."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.book import DEFAULT_BOOK, FACTS, NEUTRAL, facts_frame, load_book
from strategies.experiments import arms
from strategies.lint import lint
from strategies.table import BookError

BOOK = load_book(DEFAULT_BOOK)


def copy_book(folder: Path, **changes: object) -> Path:
    for path in DEFAULT_BOOK.glob("*.yaml"):
        data = yaml.safe_load(path.read_text())
        if path.stem in changes:
            data = changes[path.stem](data)  # type: ignore[operator]
        (folder / path.name).write_text(yaml.safe_dump(data, sort_keys=False))
    return folder


def test_the_default_book_is_clean() -> None:
    assert [str(p) for p in lint(BOOK)] == []


def test_an_example_that_another_row_decides_is_named(tmp_path: Path) -> None:
    def spoil(data: dict) -> dict:
        mid = next(row for row in data["rows"] if row["id"] == "Q-MID")
        mid["examples"] = [{"dpd": 99}]
        return data

    problems = lint(load_book(copy_book(tmp_path, queueing=spoil)))
    assert [str(p) for p in problems] == ["queueing: Q-MID: example 1 is decided by Q-LATE instead"]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (
            lambda d: {**d, "rows": [{**d["rows"][0], "when": {"mood": 1}}, *d["rows"][1:]]},
            "unknown fact 'mood'",
        ),
        (lambda d: {**d, "rows": [d["rows"][0], *d["rows"]]}, "id Q-STOPPED is used twice"),
        (lambda d: {**d, "rows": d["rows"][:-1]}, "catch-all"),
        (lambda d: {**d, "rows": [{k: v for k, v in d["rows"][0].items() if k != "why"}]}, "missing why"),
        (lambda d: {**d, "rows": [{**d["rows"][0], "then": {"que": 1}}]}, "unknown result que"),
    ],
)
def test_a_broken_book_is_refused_with_file_and_row(tmp_path: Path, spoil: object, says: str) -> None:
    with pytest.raises(BookError, match=says) as refusal:
        load_book(copy_book(tmp_path, queueing=spoil))
    assert "queueing.yaml" in str(refusal.value)


CASES = st.fixed_dictionaries(
    {},
    optional={
        "dpd": st.integers(1, 200), "arrears_minor": st.integers(0, 10**9), "is_stopped": st.booleans(),
        "is_held": st.booleans(), "has_active_plan": st.booleans(),
        "has_point": st.booleans(), "has_mobile": st.booleans(), "has_open_promise": st.booleans(),
        "promise_due_in_days": st.one_of(st.none(), st.integers(-3, 14)), "broken_promises": st.integers(0, 3),
        "band": st.sampled_from([None, "S1", "S2", "S3", "S4", "S5"]), "p_event": st.one_of(st.none(), st.floats(0, 1)),
        "ml_orgs_12m": st.one_of(st.none(), st.integers(0, 40)), "arm": st.sampled_from(["champion", "holdout"]),
        "days_since_attempt": st.one_of(st.none(), st.integers(0, 60)), "attempts_7d": st.integers(0, 9),
        "days_since_rpc": st.one_of(st.none(), st.integers(0, 60)),
    },
)  # fmt: skip


@settings(max_examples=40)
@given(st.lists(CASES, min_size=1, max_size=8))
def test_a_case_alone_is_decided_as_in_the_whole_book(cases: list[dict]) -> None:
    frame = facts_frame(*cases)
    for table in (BOOK.queueing, BOOK.treatment):
        together = table.evaluate(frame)
        alone = pl.concat([table.evaluate(facts_frame(case)) for case in cases])
        assert together.equals(alone)
        assert together["rule_id"].null_count() == 0


def plain(when: dict, facts: dict) -> bool:
    """The meaning of a condition, written straight from its definition."""

    def holds(value: object, wanted: object) -> bool:
        if wanted is None:
            return value is None
        if isinstance(wanted, dict):
            operators = {">=": lambda a, b: a >= b, ">": lambda a, b: a > b, "<=": lambda a, b: a <= b,
                         "<": lambda a, b: a < b, "==": lambda a, b: a == b, "!=": lambda a, b: a != b}  # fmt: skip
            return value is not None and all(operators[op](value, w) for op, w in wanted.items())
        return value in wanted if isinstance(wanted, list) else value == wanted

    return all(holds(facts[name], wanted) for name, wanted in when.items())


@given(CASES)
def test_the_columnar_evaluator_equals_a_plain_loop_over_the_rows(case: dict) -> None:
    facts = {**NEUTRAL, **case}
    for table in (BOOK.queueing, BOOK.treatment):
        first = next(row.id for row in table.rows if plain(dict(row.when), facts))
        assert table.evaluate(facts_frame(case))["rule_id"][0] == first


def test_two_customers_alike_inside_but_not_outside_are_treated_differently() -> None:
    """The acceptance case of the sources: 5 against 12 institutions outside."""
    both = facts_frame({"band": "S3", "dpd": 4, "ml_orgs_12m": 5}, {"band": "S3", "dpd": 4, "ml_orgs_12m": 12})
    assert BOOK.queueing.evaluate(both)["queue"].to_list() == ["robot", "early_risk"]


def test_arms_are_stable_and_have_their_shares() -> None:
    import numpy as np

    ids = np.arange(1, 100_001)
    names, propensity = arms(ids, salt="default-2026", shares={"champion": 0.97, "holdout": 0.03})
    again, _ = arms(ids, salt="default-2026", shares={"champion": 0.97, "holdout": 0.03})
    assert names == again
    share = names.count("holdout") / len(names)
    assert 0.028 < share < 0.032
    assert set(propensity) == {0.97, 0.03}


def test_facts_cover_the_dataclass() -> None:
    assert FACTS["as_of"] == pl.Date
    assert set(NEUTRAL) == set(FACTS)
    assert isinstance(NEUTRAL["as_of"], date)
