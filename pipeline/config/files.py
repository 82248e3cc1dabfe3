"""Reads conf/*.yaml as config.Dataset; an error names the file, the line, the path to the key, and the cure."""

from itertools import pairwise
from pathlib import Path

import yaml
from pydantic import ValidationError

from pipeline.config.dataset import Dataset
from pipeline.config.yaml_reader import read_yaml
from pipeline.errors import PipelineError

_MESSAGES = {  # pydantic's type of an error -> our words
    "missing": "is missing",
    "model_attributes_type": "this should hold settings, each as `key: value`",
    "string_type": "this should be text; put it in quotes if it is",
    "int_type": "this should be a whole number",
    "int_parsing": "this should be a whole number",
    "int_from_float": "this should be a whole number",
    "float_type": "this should be a number",
    "float_parsing": "this should be a number",
    "finite_number": "this should be a finite number",
    "bool_type": "this should be true or false",
    "bool_parsing": "this should be true or false",
    "tuple_type": "this should be a list",
    "too_short": "this list needs at least {min_length}",
    "too_long": "this list can have at most {max_length}",
    "string_pattern_mismatch": "this should be one plain character",
    "model_type": "this should hold settings, each as `key: value`",
    "string_too_short": "this text is empty",
    "string_too_long": "this text can have at most {max_length} characters",
}
_OF_KEYS = {"sha256": "this should be 64 hexadecimal digits, 0 to 9 and a to f"}
"""What a text of a fixed shape should be, by the name of its key."""


def conf_files(folder: Path) -> list[Path]:
    """The dataset files of the conf folder, sorted by name.

    Raises:
        PipelineError: there is no such folder, or it holds no `.yaml` file.
    """
    if not folder.is_dir():
        raise PipelineError(f"{folder}: no such folder. Set PIPELINE_CONF to the folder of your dataset files.")
    files = sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml"))
    for one, other in pairwise(files):
        if one.stem == other.stem:
            raise PipelineError(f"{folder}: {one.name} and {other.name} name the same dataset. Rename one of them.")
    if not files:
        raise PipelineError(f"{folder}: no .yaml file in this folder. Put one file for each dataset there.")
    return files


def load(path: Path) -> Dataset:
    """Read and check one conf file.

    Raises:
        PipelineError: names the file, the line, the path to the key, and the cure.
    """
    root, data = read_yaml(path)
    if data is None:
        raise PipelineError(f"{path}: is empty. Start from a copy of conf/movies.yaml.")
    if not isinstance(data, dict):
        raise PipelineError(
            f"{path}:1: should hold settings, each as `key: value`. Start from a copy of conf/movies.yaml."
        )
    if "name" in data:
        line, _ = _locate(root, ["name"])
        raise PipelineError(f"{path}:{line}: unknown key 'name': a dataset has the name of its file.")
    try:
        return Dataset.model_validate({"name": path.stem, **{str(key): value for key, value in data.items()}})
    except ValidationError as error:
        raise PipelineError(_explain(error, root, path)) from error


def _explain(error: ValidationError, root: yaml.Node | None, path: Path) -> str:
    """One of pydantic's errors as a sentence: an unknown key if there is one, since other errors follow from it."""
    first = min(error.errors(), key=lambda found: found["type"] != "unknown_key")
    context = first.get("ctx", {})
    where = [*first["loc"]]
    if where == ["name"]:
        return f"{path}: the file has the name of its dataset: take letters, digits and _, no digit first."
    if "key" in context:
        where.append(context["key"])
    if where[:1] == ["dimensions"] and _key(root, "dimension") is not None:  # the name by which it was written
        where = ["dimension"]
    line, keys = _locate(root, where)
    if not where:  # several keys do not go together: such an error has the name of one of them
        line, _ = _locate(root, [first["type"]])
    ours = _OF_KEYS.get(str(where[-1])) if first["type"] == "string_pattern_mismatch" and where else None
    ours = ours or _MESSAGES.get(first["type"])
    message = ours.format(**context) if ours else first["msg"].replace("Input", "this", 1).replace("tuple", "list")
    return f"{path}:{line}: {keys}{message}{'' if message.endswith('?') else '.'}"


def _locate(node: yaml.Node | None, where: list[int | str]) -> tuple[int, str]:
    """The line (from 1) and the readable path of a key; a missing key gets the line of what should hold it."""
    line, path = 1, ""
    for step in where:
        if isinstance(node, yaml.MappingNode):
            key = _key(node, step)
            line, node = (key[0].start_mark.line + 1, key[1]) if key else (line, None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else str(step)
    return line, f"{path}: " if path else ""


def _key(node: yaml.Node | None, name: int | str) -> tuple[yaml.Node, yaml.Node] | None:
    """A key of some settings, with its value; None if it is not there."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    return next((pair for pair in pairs if pair[0].value == name), None)
