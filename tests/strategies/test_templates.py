"""Message templates: what may be said, checked before anything is sent."""

from pathlib import Path

import pytest
import yaml

from strategies.inbound import Intent, default_intents
from strategies.templates import (
    BLOCKS_FILE,
    DEFAULT_TEMPLATES,
    TemplateError,
    default_templates,
    load_templates,
)

VALUES = {"brand": "Example Bank", "name": "Pat Example", "amount": "250.00 USD", "due_on": "2026-03-09"}


def _library(tmp_path: Path, **over: object) -> None:
    row = {
        "id": "sample", "version": 1, "channel": "sms", "purpose": "collection", "start": "automatic",
        "contains": ["opt_out"], "why": "a test",
        "bodies": {"en-US": "{brand}: hello. Reply STOP to opt out."},
    } | over  # fmt: skip
    (tmp_path / BLOCKS_FILE).write_text((DEFAULT_TEMPLATES / BLOCKS_FILE).read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "sample.yaml").write_text(yaml.safe_dump(row, allow_unicode=True), encoding="utf-8")
    load_templates(tmp_path)


@pytest.mark.parametrize("language", ["en-US", "zh-CN"])
@pytest.mark.parametrize("template_id", sorted(default_templates().templates))
def test_every_shipped_template_renders_in_every_language_without_name_or_amount(
    template_id: str, language: str
) -> None:
    body = default_templates().render(template_id, language=language, values=VALUES)
    assert "Example Bank" in body
    assert "Pat" not in body
    assert "250" not in body


def test_every_collection_template_carries_its_opt_out() -> None:
    for template in default_templates().templates.values():
        if template.purpose != "opt_out_confirmation":
            assert "opt_out" in template.contains, template.id


def test_a_customer_is_written_to_in_their_own_tongue_or_in_the_default() -> None:
    template = default_templates().get("payment_reminder")
    assert [template.locale_for(x) for x in ("zh-CN", "zh-TW", "en-GB", "es-US")] == [
        "zh-CN",
        "zh-CN",
        "en-US",
        "en-US",
    ]


def test_a_block_that_the_gate_requires_is_appended() -> None:
    body = default_templates().render("opt_out_confirmation", language="en-US", values=VALUES, required=("opt_out",))
    assert body.endswith("Reply STOP to opt out.")


def test_a_required_block_without_a_text_is_refused_rather_than_left_out() -> None:
    with pytest.raises(TemplateError, match="mini_miranda"):
        default_templates().render("payment_reminder", language="en-US", values=VALUES, required=("mini_miranda",))


def test_a_licence_is_shown_where_the_gate_requires_it_and_its_lack_is_a_refusal() -> None:
    library = default_templates()
    licence = library.licence("Figment Savings Bank", ["US-TX", "US-CA"])
    assert licence
    body = library.render(
        "payment_reminder",
        language="en-US",
        values=VALUES | {"licence": licence},
        required=("licence_number",),
    )
    assert body.endswith(f"Licence {licence}.")
    assert library.licence("Unknown Bank", ["US-CA"]) is None
    with pytest.raises(TemplateError, match="licence"):
        library.render("payment_reminder", language="en-US", values=VALUES, required=("licence_number",))


def test_a_missing_value_is_refused() -> None:
    with pytest.raises(TemplateError, match="due_on"):
        default_templates().render("promise_reminder", language="en-US", values={"brand": "B"})


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"bodies": {"en-US": "{name}: you owe {amount}. Reply STOP"}}, "name and an amount"),
        ({"bodies": {"en-US": "{brand}: {ssn}. Reply STOP"}}, "may not use ssn"),
        ({"bodies": {"en-US": "{brand}: hello."}}, "says that it contains 'opt_out'"),
        ({"bodies": {"en-US": "{brand}: we will sue. Reply STOP"}}, "threat"),
        ({"bodies": {"zh-CN": "【{brand}】您好。回复TD退订"}}, "needs a body in en-US"),
        ({"contains": ["magic"]}, "no block 'magic'"),
        ({"channel": "telegraph"}, "telegraph"),
        ({"start": "maybe"}, "automatic or manual"),
        ({"id": "other"}, "the id must be 'sample'"),
    ],
)
def test_a_wrong_template_is_refused_with_its_file_and_fault(
    tmp_path: Path, over: dict[str, object], said: str
) -> None:
    with pytest.raises(TemplateError, match=said) as refused:
        _library(tmp_path, **over)
    assert "sample.yaml" in str(refused.value)


def test_an_unknown_template_names_those_that_exist() -> None:
    with pytest.raises(TemplateError, match="payment_reminder"):
        default_templates().get("nonsense")


@pytest.mark.parametrize(
    ("text", "intent"), [(e, rule.intent) for rule in default_intents().rules for e in rule.examples]
)
def test_every_example_of_the_word_lists_is_understood(text: str, intent: Intent) -> None:
    assert default_intents().classify(text) is intent


@pytest.mark.parametrize("text", default_intents().other_examples)
def test_ordinary_messages_are_not_taken_for_commands(text: str) -> None:
    assert default_intents().classify(text) is Intent.OTHER
