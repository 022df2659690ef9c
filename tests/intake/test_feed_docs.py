"""docs/feeds.md says what the code does: its example loads, and no column, option or type is left out."""

import re
from pathlib import Path

from collections_app.intake import mapping as mappings
from collections_app.intake.entities import ENTITIES
from collections_app.intake.mapping import load_mapping, parse_mapping

TEXT = (Path(__file__).parents[2] / "docs" / "feeds.md").read_text("utf-8")


def test_the_example_of_a_mapping_is_one() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    mapping = parse_mapping(example, "docs/feeds.md")
    assert (mapping.absent, mapping.zone, len(mapping.entities)) == ("cured", "Europe/Berlin", 2)


def test_every_column_of_our_feed_and_every_option_of_a_mapping_is_described() -> None:
    words = set(re.findall(r"\w+", TEXT))
    columns = {c for e in load_mapping("own_feed").entities for f in e.rows[0] for c in f.columns}
    options = mappings._TOP | mappings._KEYS | {"repeat", "skip_empty", "signal_prefix", "months_before"}
    assert (columns | options | set(ENTITIES)) - words == set()
    assert {encoding for encoding in mappings.ENCODINGS if encoding not in TEXT} == set()
