"""Reads a YAML file as plain data and as nodes that know their lines, within bounds: text, numbers, lists and mappings.

Tags, and documents that are too large, too deep or contain themselves, are refused before anything is made of them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import PipelineError

MOST_BYTES, MOST_DEPTH, MOST_VALUES = 2**20, 50, 100_000
"""The largest file, the deepest nesting, and the most values once every alias is written out."""
_PLAIN = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq", "merge")}

_MERGE = "tag:yaml.org,2002:merge"
_VALUES = yaml.constructor.SafeConstructor()


class _Loader(yaml.SafeLoader):
    """YAML without dates: `2024-05-01` is a text."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (PyYAML's own class attribute)
        first: [(tag, pattern) for tag, pattern in resolvers if tag in _PLAIN]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def read_yaml(path: Path) -> tuple[yaml.Node | None, Any]:
    """The root node of a file, and its data.

    Raises:
        PipelineError: the file cannot be read, is no YAML, or goes beyond what a conf file may hold; names the line.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise PipelineError(f"{path}: is larger than 1 MiB. It should hold settings only.")
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise PipelineError(f"{path}:{line}: is not UTF-8 text. Save the file as UTF-8.") from error
    except OSError as error:
        raise PipelineError(f"{path}: cannot be read ({error.strerror or error}).") from error
    try:
        _require_shallow(text, path)
        root = yaml.compose(text, _Loader)
        if root is not None:
            _require_plain(root, path)
        return root, yaml.load(text, _Loader)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise PipelineError(
            f"{path}:{line}: not valid YAML: the character {chr(error.character)!r} is not allowed. Delete it."
        ) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        problem = " ".join(str(getattr(error, "problem", None) or error).split())
        raise PipelineError(f"{path}{f':{mark.line + 1}' if mark else ''}: not valid YAML: {problem}.") from error


def _require_shallow(text: str, path: Path) -> None:
    """Refuse nesting that is too deep, before PyYAML follows it."""
    depth = 0
    for event in yaml.parse(text, _Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_DEPTH:
            assert event.start_mark is not None
            raise PipelineError(
                f"{path}:{event.start_mark.line + 1}: more than {MOST_DEPTH} lists or mappings in one another."
            )


def _require_plain(root: yaml.Node, path: Path) -> None:
    """Refuse tags, keys that are no plain values, repeated keys, numbers that are none, and endless documents."""
    for n_values, (node, above) in enumerate(_walk(root), 1):
        line = f"{path}:{node.start_mark.line + 1}"
        if n_values > MOST_VALUES or node in above:
            raise PipelineError(f"{line}: an alias (`*`) makes this document endless, or very large. Write it out.")
        if node.tag not in _PLAIN:
            raise PipelineError(f"{line}: the tag {node.tag!r} is not allowed. Write plain text, numbers and lists.")
        if isinstance(node, yaml.ScalarNode) and node.tag != _MERGE:
            _require_value(node, line)
        if isinstance(node, yaml.MappingNode):
            _require_keys(node, path)


def _require_keys(node: yaml.MappingNode, path: Path) -> None:
    """Refuse a repeated key: by YAML's own rule that is an error, and PyYAML would take the last value in silence."""
    seen: set[str] = set()
    for key, _ in node.value:
        line = f"{path}:{key.start_mark.line + 1}"
        if not isinstance(key, yaml.ScalarNode):
            raise PipelineError(f"{line}: a key must be a word, not a list or a mapping.")
        if key.value in seen:
            raise PipelineError(f"{line}: the key {key.value!r} stands here twice.")
        seen.add(key.value)


def _require_value(node: yaml.ScalarNode, line: str) -> None:
    """Refuse a scalar that is not what its tag says, or too long a number."""
    try:
        _VALUES.construct_object(node)
    except (ValueError, LookupError) as error:
        shown = node.value if len(node.value) < 40 else f"{node.value[:40]}..."
        raise PipelineError(f"{line}: {shown!r} cannot be read. Put it in quotes if it is text.") from error


def _walk(root: yaml.Node) -> Iterator[tuple[yaml.Node, list[yaml.Node]]]:
    """Every node with those that hold it, aliases written out."""
    waiting: list[tuple[yaml.Node, list[yaml.Node]]] = [(root, [])]
    while waiting:
        node, above = waiting.pop()
        yield node, above
        inside = [*above, node]
        if isinstance(node, yaml.SequenceNode):
            waiting += [(value, inside) for value in node.value]
        elif isinstance(node, yaml.MappingNode):
            waiting += [(one, inside) for pair in node.value for one in pair]
