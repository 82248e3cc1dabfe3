"""Reads conf/*.yaml as config.Dataset; an error names the file, the line, the path to the key, and the cure."""

from collections.abc import Iterator
from pathlib import Path

import yaml
from pydantic import ValidationError

from pipeline.config.dataset import Dataset
from pipeline.errors import PipelineError

_MESSAGES = {  # pydantic's type of an error -> our words
    "missing": "is missing",
    "model_attributes_type": "this should hold settings, each as `key: value`",
}


def conf_files(folder: Path) -> list[Path]:
    """The dataset files of the conf folder, sorted by name.

    Raises:
        PipelineError: there is no such folder, or it holds no `.yaml` file.
    """
    if not folder.is_dir():
        raise PipelineError(f"{folder}: no such folder. Set PIPELINE_CONF to the folder of your dataset files.")
    files = sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml"))
    if not files:
        raise PipelineError(f"{folder}: no .yaml file in this folder. Put one file for each dataset there.")
    return files


def load(path: Path) -> Dataset:
    """Read and check one conf file.

    Raises:
        PipelineError: names the file, the line, the path to the key, and the cure.
    """
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text)
        _refuse_repeated_keys(root, path)
        data = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise PipelineError(f"{path}: cannot be read ({error}).") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise PipelineError(f"{path}{line}: not valid YAML: {problem}.") from error
    if not isinstance(data, dict):
        raise PipelineError(f"{path}: is empty. Start from a copy of conf/movies.yaml.")
    if "name" in data:
        raise PipelineError(f"{path}: unknown key 'name': a dataset has the name of its file.")
    try:
        return Dataset.model_validate({"name": path.stem, **data})
    except ValidationError as error:
        raise PipelineError(_explain(error, root, path)) from error


def _explain(error: ValidationError, root: yaml.Node | None, path: Path) -> str:
    """One of pydantic's errors as a sentence: an unknown key if there is one, since other errors follow from it."""
    first = min(error.errors(), key=lambda found: found["type"] != "unknown_key")
    context = first.get("ctx", {})
    where = [*first["loc"]]
    if first["type"] == "unknown_key":
        where.append(context["key"])
    line, keys = _locate(root, where)
    ours = _MESSAGES.get(first["type"])
    message = ours.format(**context) if ours else first["msg"].replace("Input", "this", 1).replace("tuple", "list")
    return f"{path}:{line}: {keys}{message}{'' if message.endswith('?') else '.'}"


def _refuse_repeated_keys(node: yaml.Node | None, path: Path) -> None:
    """Refuse a repeated key, as YAML's own rule does: PyYAML does not check, and the last value would win silently."""
    for child in _mappings(node):
        seen: set[str] = set()
        for key, _ in child.value:
            if key.value in seen:
                raise PipelineError(f"{path}:{key.start_mark.line + 1}: the key {key.value!r} stands here twice.")
            seen.add(key.value)


def _mappings(node: yaml.Node | None) -> Iterator[yaml.MappingNode]:
    if isinstance(node, yaml.MappingNode):
        yield node
        for _, value in node.value:
            yield from _mappings(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _mappings(value)


def _locate(node: yaml.Node | None, where: list[int | str]) -> tuple[int, str]:
    """The line (from 1) and the readable path of a key; a missing key gets the line of what should hold it."""
    line, path = 1, ""
    for step in where:
        if isinstance(node, yaml.MappingNode):
            key = next((pair for pair in node.value if pair[0].value == step), None)
            line, node = (key[0].start_mark.line + 1, key[1]) if key else (line, None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else str(step)
    return line, f"{path}: " if path else ""
