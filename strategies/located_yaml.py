"""YAML whose mappings know their line, so that a mistake in a data file can be named to its author."""

from pathlib import Path
from typing import Any

import yaml

from collections_app.domain.errors import InvalidInput


class Located(dict[Any, Any]):
    """A mapping read from a file; ``line`` is where it begins, counted from 1."""

    line: int = 0


class YamlError(InvalidInput):
    """A data file that cannot be read as it stands; the message names file and line."""

    code = "bad_data_file"


class _Loader(yaml.SafeLoader):
    """Refuses a key that is written twice: the second would silently win."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> Any:
    data = Located()
    data.line = node.start_mark.line + 1
    yield data
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"key {key!r} twice", key_node.start_mark)
        seen.add(key)
    data.update(loader.construct_mapping(node))


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read_yaml(path: Path) -> Located:
    """Read one file whose top is a mapping."""
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise YamlError(f"{path.name} line {line}: {error.problem}") from error
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise YamlError(f"{path.name}: cannot be read as YAML ({error})") from error
    if not isinstance(data, Located):
        raise YamlError(f"{path.name} line 1: expected a mapping at the top")
    return data
