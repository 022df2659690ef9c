"""A file of vendors' answers is judged as one answer is: the same contradictions, row by row (§3.3, T28)."""

from datetime import date
from itertools import product
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from collections_app.domain.multi_lending import HitStatus, contradiction
from collections_app.intake.plausibility import contradictions
from strategies.signals import lending_rules

RULES = lending_rules(date(2026, 3, 1))
NAMES = [
    f"ml_id_{scope}_{measure}_{window}"
    for scope, measure, window in product(
        ("all", "nbank", "p2p"), ("apps", "orgs", "night_apps"), ("7d", "1m", "12m", "24m")
    )
] + ["ml_mobile_all_orgs_7d", "ml_id_all_months_since_app", "ml_id_all_overdue_orgs_12m"]

answers = st.lists(
    st.tuples(
        st.sampled_from(list(HitStatus)),
        st.dictionaries(st.sampled_from(NAMES), st.one_of(st.none(), st.integers(-1, 4)), max_size=5),
    ),
    max_size=8,
)


@settings(max_examples=80)
@given(told=answers)
def test_a_file_is_judged_as_its_answers_are(told: list[tuple[HitStatus, dict[str, int | None]]]) -> None:
    schema: dict[str, Any] = {"hit_status": pl.String} | dict.fromkeys(NAMES, pl.Int64)
    frame = pl.DataFrame([{"hit_status": s.value, **fields} for s, fields in told], schema=schema)
    expected = [contradiction(fields, status=status, rules=RULES) for status, fields in told]
    assert contradictions(frame, RULES).to_list() == expected


def test_a_file_without_counts_contradicts_nothing() -> None:
    assert contradictions(pl.DataFrame({"hit_status": ["hit", "no_hit"]}), RULES).to_list() == [None, None]
