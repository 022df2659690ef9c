"""A whole portfolio counted at once says the same as the definitions, customer by customer."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collections_app.domain.multi_lending import Enquiry, InstitutionType, KeyType, count_windows, derive
from collections_app.queries import multi_lending as set_based
from collections_app.queries.multi_lending import EVENTS, POINTS
from strategies.signals import lending_rules

RULES = lending_rules(date(2026, 3, 1))
SCOPES = ("all", "bank", "nbank", *(t.value for t in InstitutionType if t != "bank"))
FIRST = datetime(2025, 1, 1, tzinfo=UTC)

events = st.lists(
    st.fixed_dictionaries(
        {
            "customer_id": st.integers(1, 4),
            "key_type": st.sampled_from([k.value for k in KeyType]),
            "institution": st.sampled_from(["a", "b", "c", "d"]),
            "institution_type": st.sampled_from(["bank", "p2p", "cons", "else"]),
            "enquired_at": st.integers(0, 450 * 24 * 2).map(lambda half: FIRST + timedelta(minutes=30 * half)),
            "local_hour": st.one_of(st.none(), st.integers(0, 23)),
            "is_own": st.sampled_from([False, False, False, True]),
            "delay": st.integers(0, 40),
        }
    ),
    max_size=60,
)
points = st.dictionaries(
    st.tuples(st.integers(1, 4), st.sampled_from([k.value for k in KeyType])),
    st.tuples(st.integers(380, 450), st.one_of(st.none(), st.integers(0, 90))),
    max_size=6,
)


def frame_of(rows: list[dict[str, Any]]) -> pl.DataFrame:
    told = [
        {n: v for n, v in r.items() if n != "delay"}
        | {"received_on": (r["enquired_at"] + timedelta(r["delay"])).date()}
        for r in rows
    ]
    return pl.DataFrame(told, schema=EVENTS)


def points_of(asked: dict[tuple[int, str], tuple[int, int | None]]) -> pl.DataFrame:
    rows = []
    for (customer, key), (day, back) in asked.items():
        on = FIRST.date() + timedelta(days=day)
        rows.append((customer, key, on, None if back is None else on - timedelta(days=back)))
    return pl.DataFrame(rows, schema=POINTS, orient="row")


@settings(max_examples=60)
@given(rows=events, asked=points, known=st.integers(380, 470))
def test_the_portfolio_equals_the_definitions(
    rows: list[dict[str, Any]], asked: dict[tuple[int, str], tuple[int, int | None]], known: int
) -> None:
    known_on = FIRST.date() + timedelta(days=known)
    frame, wanted = frame_of(rows), points_of(asked)
    counted = set_based.count_windows(frame, wanted, known_on=known_on, rules=RULES, scopes=SCOPES)
    derived = set_based.with_derived(counted, RULES)
    assert counted.height == wanted.height
    for point, ratios in zip(counted.to_dicts(), derived.to_dicts(), strict=True):
        key = KeyType(point["key_type"])
        mine = [
            Enquiry(
                KeyType(e["key_type"]), e["institution"], InstitutionType(e["institution_type"]), e["enquired_at"],
                e["received_on"], e["local_hour"], e["is_own"],
            )
            for e in frame.filter(pl.col("customer_id") == point["customer_id"]).to_dicts()
        ]  # fmt: skip
        expected = count_windows(
            mine, key=key, as_of=point["as_of"], known_on=known_on, rules=RULES, entry_on=point["entry_on"]
        )
        assert {f"ml_{key}_{n}": v for n, v in point.items() if n not in POINTS} == expected
        plain = derive(expected, key=key, rules=RULES)
        for name in ("accel", "ratio_nbank", "night_share", "slope"):
            assert ratios[name] == (None if (want := getattr(plain, name)) is None else pytest.approx(want, abs=1e-9))


@pytest.mark.parametrize("part", [1, 3])
def test_a_portfolio_counted_in_parts_is_the_same_portfolio(part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        {"customer_id": c, "key_type": "id", "institution": f"i{n % 3}", "institution_type": "p2p",
         "enquired_at": FIRST + timedelta(days=400 - 9 * n), "local_hour": 23, "is_own": False, "delay": 0}
        for c in range(1, 8) for n in range(c)
    ]  # fmt: skip
    asked = points_of({(c, "id"): (400, 20) for c in range(7, 0, -1)})
    known_on = FIRST.date() + timedelta(days=400)
    whole = set_based.count_windows(frame_of(rows), asked, known_on=known_on, rules=RULES)
    monkeypatch.setattr(set_based, "_PART", part)
    pieces = set_based.count_windows(frame_of(rows), asked, known_on=known_on, rules=RULES)
    assert whole.equals(pieces)
    assert whole.filter(customer_id=7)["all_apps_12m"][0] == 7
    assert whole.filter(customer_id=7)["all_orgs_12m"][0] == 3


def test_names_are_canonical_and_of_one_key() -> None:
    asked = points_of({(1, "id"): (400, None), (1, "mobile"): (400, None)})
    counted = set_based.count_windows(frame_of([]), asked, known_on=FIRST.date(), rules=RULES)
    named = set_based.name_columns(counted, KeyType.MOBILE)
    assert named.height == 1
    assert named["ml_mobile_nbank_orgs_12m"].to_list() == [0]
    assert not [c for c in named.columns if c.startswith("ml_id")]
