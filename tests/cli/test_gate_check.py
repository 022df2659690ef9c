"""``gate check``: one answer a line, and an exit status that a script can trust."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from collections_app.cli.gate import group

VECTOR: dict[str, Any] = {
    "id": "quiet-hours",
    "now": "2026-03-05T03:30:00Z",
    "actor": {"role": "third_party", "id": "A1"},
    "customer": {"country": "US", "regions": ["US-TX"], "zones": ["America/Chicago"],
                 "stop_flags": [], "preferences": []},
    "debts": [{"id": "D1", "product": "card", "currency": "USD", "arrears_minor": 25_000}],
    "points": [{"id": "P1", "kind": "mobile", "owner": "debtor", "consents": [], "opt_outs": []}],
    "proposal": {"channel": "voice", "mode": "live_agent", "purpose": "collection", "point": "P1",
                 "debts": ["D1"]},
    "history": [],
}  # fmt: skip
EXPECT = {"decision": "DEFER", "hits": ["USF-HOURS"], "next_eligible_at": "2026-03-05T14:00:00Z"}


def check(path: Path, *vectors: Any) -> Result:
    file = path / "vectors.jsonl"
    lines = (v if isinstance(v, str) else json.dumps(v) for v in vectors)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return CliRunner().invoke(group, ["check", str(file)])


def test_a_vector_without_expectation_is_only_answered(tmp_path: Path) -> None:
    result = check(tmp_path, VECTOR)
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "id": "quiet-hours", "decision": "DEFER", "hits": ["USF-HOURS", "UST-HOURS"],
        "next_eligible_at": "2026-03-05T14:00:00Z",
    }  # fmt: skip


def test_an_expectation_is_compared(tmp_path: Path) -> None:
    result = check(tmp_path, VECTOR | {"expect": EXPECT})
    assert result.exit_code == 0
    assert json.loads(result.stdout)["ok"] is True


@pytest.mark.parametrize(
    "expect",
    [
        EXPECT | {"decision": "DENY"},
        EXPECT | {"hits": ["USF-7IN7"]},
        EXPECT | {"next_eligible_at": "2026-03-05T14:00:01Z"},
        EXPECT | {"next_eligible_at": None},
    ],
)
def test_one_false_answer_sets_the_exit_status_and_the_others_are_still_given(
    tmp_path: Path, expect: dict[str, Any]
) -> None:
    right = VECTOR | {"id": "right", "expect": EXPECT}
    result = check(tmp_path, VECTOR | {"expect": expect}, right)
    assert result.exit_code == 1
    assert [json.loads(line)["ok"] for line in result.stdout.splitlines()] == [False, True]


def changed(key: str, **over: Any) -> dict[str, Any]:
    return VECTOR | {key: VECTOR[key] | over}


def without(key: str) -> dict[str, Any]:
    return {k: v for k, v in VECTOR.items() if k != key}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("{not json", "line 2: not JSON at column 2"),
        ("[]", "line 2: the line must be an object"),
        ('{"id": NaN}', "line 2: NaN is not a number of JSON"),
        ('{"id": "a", "id": "b"}', "line 2: key 'id' is written twice"),
        ("[" * 100_000, "line 2: nested too deeply"),
        (without("proposal"), "line 2: proposal is missing"),
        (VECTOR | {"colour": "red"}, "line 2: colour is not a key of the format"),
        (VECTOR | {"now": "2026-03-05T03:30:00"}, "line 2: now: .* names no time zone"),
        (VECTOR | {"now": "2026-03-05T03:30:00+08:00"}, "line 2: now: .* must be UTC"),
        (VECTOR | {"now": 5}, "line 2: now: must be a text"),
        (changed("customer", zones=["Mars/Base"]), "line 2: customer.zones: 'Mars/Base'"),
        (VECTOR | {"debts": {}}, "line 2: debts: must be a list"),
        (VECTOR | {"debts": [VECTOR["debts"][0] | {"arrears_minor": 1.5}]}, r"debts\[0\].arrears_minor: "),
        (changed("proposal", channel="fax"), "proposal.channel: 'fax' is none of voice"),
        (VECTOR | {"points": [{"id": "P1", "owner": "cousin"}]}, r"points\[0\].owner: 'cousin' is none of"),
        (VECTOR | {"expect": {"decision": "MAYBE"}}, "expect.decision: 'MAYBE' is none of ALLOW"),
        (VECTOR, "line 2: id 'quiet-hours' was used on line 1"),
    ],
)
def test_a_malformed_line_is_named_and_nothing_is_answered(tmp_path: Path, bad: Any, message: str) -> None:
    result = check(tmp_path, VECTOR, bad)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert re.search(message, result.stderr), result.stderr


def test_a_file_that_holds_nothing_or_is_not_there_is_malformed(tmp_path: Path) -> None:
    assert check(tmp_path, "").exit_code == 2
    missing = CliRunner().invoke(group, ["check", str(tmp_path / "none.jsonl")])
    assert missing.exit_code == 2
    assert "cannot be read" in missing.stderr


def test_a_byte_that_is_not_utf8_is_named_by_its_line(tmp_path: Path) -> None:
    file = tmp_path / "vectors.jsonl"
    file.write_bytes(json.dumps(VECTOR).encode() + b'\n{"id": "\xff"}\n')
    result = CliRunner().invoke(group, ["check", str(file)])
    assert result.exit_code == 2
    assert "line 2: not UTF-8" in result.stderr


@pytest.mark.real_data
def test_the_published_file_passes(shared: Path) -> None:
    result = CliRunner().invoke(group, ["check", str(shared / "docs" / "gate-vectors.jsonl")])
    assert result.exit_code == 0
    assert all(json.loads(line)["ok"] for line in result.stdout.splitlines())
