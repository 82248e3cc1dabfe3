"""Writes the proposed conf file, with the reason of each guess and the next best one."""

from pathlib import Path
from typing import Any

import yaml

from pipeline.config.task import Task
from pipeline.errors import PipelineError, number_of
from pipeline.proposal.look import Guess, Look, look
from pipeline.proposal.missing_marks import without_marks
from pipeline.proposal.sections import Shape, few
from pipeline.proposal.shape import shape
from pipeline.proposal.units import with_units_of, without_several, without_units

_WITH_NUMBERS = "boosted_trees"
"""A baseline that learns from the numbers alone: what the tokens add to them."""
_FOLDS = 5
"""Folds into which few examples are divided: each needs one, and one more is left to train on."""
_FEWEST_TOKENS = 2
_WIDTH = 100
_FEW_CLASSES = 8
_FEW_TOKENS = 4**4
"""With at most so many tokens the fourth root of their number, the usual first guess of D, is 4 or less."""


def proposed(name: str, place: str, query: str | None, conf_folder: Path, downloads: Path) -> str:
    """The text of a conf file for a source.

    Args:
        name: of the dataset.
        place: a path, glob, folder or address of files, or the address of a database.
        query: the query, if it is a database.
        conf_folder: folder of the conf file.
        downloads: folder in which fetched files stay.

    Raises:
        PipelineError: the source cannot be read, has no record or too few, or holds nothing that could be tokens.
    """
    texts, notes = without_several(without_marks(look(place, query, conf_folder, downloads)))
    seen = without_units(texts)
    found = shape(seen)
    if found.n_tokens < _FEWEST_TOKENS or found.has_single_tokens:  # answers such as `2 hours` may be what there is
        seen, found = texts, shape(texts)
    found.notes += notes
    seen = with_units_of(seen, _numbers(found))
    read = f"(It was read as {number_of(seen.frame.height, 'row')} of {_names(seen.frame.columns)}.)"
    if seen.is_whole and found.n_examples <= _FOLDS:
        raise PipelineError(
            f"{place}: has {number_of(found.n_examples, 'example')}, and fewer than {_FOLDS + 1} cannot be divided "
            f"into those that train, validate and are tested. Bring more data. {read}"
        )
    if found.n_tokens < _FEWEST_TOKENS:
        is_of_classes = found.task.value["kind"] == "classification"
        beside = f"beside {found.task.value['target']!r}, which could be predicted, " if is_of_classes else ""
        raise PipelineError(
            f"{place}: {beside}no column holds words, lists, or values that many rows share, so there is nothing to "
            f"embed. Numbers are features of a model, and no tokens. {read}"
        )
    if found.has_single_tokens:
        raise PipelineError(
            f"{place}: each row has one value of {found.columns[0]!r}, and no other column holds tokens, so nothing "
            "belongs together. Bring a column whose equal values make rows one example, or one to predict."
        )
    return _text(name, seen, found)


def _numbers(found: Shape) -> set[str]:
    """The columns that are read as numbers, or may be."""
    task, weight = found.task.value, found.weight
    of_weight = [] if weight is None else [weight.value, weight.otherwise]
    return {task.get("target"), *task.get("dense", ()), *of_weight}


def _text(name: str, seen: Look, found: Shape) -> str:
    kind = found.task.value["kind"]
    rows = f"{seen.frame.height:,} rows" if seen.is_whole else f"the first {seen.frame.height:,} rows"
    lines = [f"# {name}: proposed from {rows}. Each guess has its reason; change what is wrong, and run again."]
    lines += [f"description: {_in_words(kind, found)}", "", "source:"]
    for key, guess in seen.source.items():
        lines += _said(f"  {key}: {_plain(guess.value)}", "" if guess.reason == "given" else guess.reason)
    if found.where is not None:
        lines += _said(f"  where: {_plain(found.where.value)}", found.where.reason)
    if found.duplicates is not None:
        lines += _said(f"  drop_duplicates: {_plain(found.duplicates.value)}", found.duplicates.reason)
    lines += [f"  # {note}" for note in found.notes]
    lines.append("")
    if found.example is not None:
        lines += _said(f"example: {_plain(found.example.value)}", found.example.reason)
        lines += [f"# or: {found.example.otherwise}"] if found.example.otherwise else []
    else:
        lines.append("# example: a column whose equal values make rows one example; without it every row is one")
    lines += ["", "tokens:"]
    for guess in found.tokens:
        lines += _item(guess)
    if found.weight is not None:
        start = "weight" if found.weight.value else "# weight"
        line = f"{start}: {_plain(found.weight.value or found.weight.otherwise)}"
        lines += ["", *_said(line, found.weight.reason)]
    lines += ["", *_split(found, seen.is_whole), "", "vocabulary:"]
    lines += _said(f"  min_count: {found.min_count}", "rarer tokens are left out")
    lines += ["", "task:"]
    for i, (key, value) in enumerate(found.task.value.items()):
        lines += _said(f"  {key}: {_plain(value)}", found.task.reason if i == 0 else "")
    lines += [f"  # or: {found.task.otherwise}"] if found.task.otherwise else []
    lines += ["", f"dimensions: {_dimensions(found, kind)}   # each D is fitted; `auto` tries many"]
    baselines = [*Task.named(kind).usual_baselines, *([_WITH_NUMBERS] if "dense" in found.task.value else [])]
    lines += [f"baselines: [{', '.join(baselines)}]   # beside PCA, which is always among them", ""]
    return "\n".join(lines)


def _in_words(kind: str, found: Shape) -> str:
    tokens = ", ".join(_names(guess.value["columns"]) for guess in found.tokens)
    if kind == "missing_tokens":
        whose = f"each {found.example.value}" if found.example is not None else "each row"
        return _plain(f"The {tokens} of {whose}: what belongs together?")
    do = "does" if len(found.columns) == 1 else "do"
    return _plain(f"What {do} {tokens} say about {found.task.value['target'].rstrip('?')}?")


def _names(columns: str | list[str]) -> str:
    names = [columns] if isinstance(columns, str) else columns
    return ", ".join(names[:3]) + (" and others" if len(names) > 3 else "")


def _item(guess: Guess) -> list[str]:
    lines = []
    for i, (key, value) in enumerate(guess.value.items()):
        start = "  - " if i == 0 else "    "
        line = f"{start}{key}: {_plain(value)}"
        if isinstance(value, list) and len(line) > _WIDTH:
            line = f"{start}{key}: {_plain(value, _WIDTH - 10)}".replace("\n", "\n      ")
        lines += _said(line, guess.reason if i == 0 else "")
    return lines


def _split(found: Shape, is_whole: bool) -> list[str]:
    if found.parts is not None and found.parts.value:
        return _said(f"split: {_plain(found.parts.value)}", found.parts.reason)
    if few(found, is_whole):
        lines = [
            "split:",
            *_said(f"  folds: {_FOLDS}", f"{found.n_examples:,} examples are few: each is held out once"),
        ]
    else:
        lines = ["split:", "  validation: 0.1", "  test: 0.2"]
    if found.group is not None:
        start = "" if found.group.value else "# "
        lines += _said(f"  {start}group: {_plain(found.group.value or found.group.otherwise)}", found.group.reason)
    if found.time is not None:
        others = ["folds"] * few(found, is_whole) + ["group"] * (found.group is not None and bool(found.group.value))
        instead = f"instead of {' and '.join(others)}, " if others else ""
        lines += _said(
            f"  # time: {_plain(found.time)}", f"{instead}to train on what came before, and test what came last"
        )
    if found.parts is not None:
        lines += _said(f"# split: {_plain(found.parts.otherwise)}", found.parts.reason)
    return lines


def _dimensions(found: Shape, kind: str) -> str:
    room = min(found.n_examples // 2, found.n_tokens * 2 // 3)
    # K classes lie in all directions from each other in K - 1 dimensions
    wanted = (8, 32) if kind == "missing_tokens" or found.n_classes > _FEW_CLASSES else (3, 8)
    fits = [d for d in wanted if d <= room] or [max(1, min(2, room))]
    if kind == "missing_tokens" and found.n_tokens <= _FEW_TOKENS and 8 in fits:
        fits.insert(0, 4)
    return f"[{', '.join(str(d) for d in fits)}]"


def _said(line: str, reason: str) -> list[str]:
    """A line with its reason behind it, or above it if the line is long."""
    if not reason:
        return [line]
    indent = " " * (len(line) - len(line.lstrip()))
    together = f"{line}   # {reason}"
    return [together] if len(together) <= _WIDTH else [f"{indent}# {reason}", line]


def _plain(value: Any, width: int = 10**9) -> str:
    """A value as YAML, in one line if the width allows it."""
    text = yaml.safe_dump(value, default_flow_style=True, width=width, allow_unicode=True, sort_keys=False).strip()
    return text.removesuffix("...").strip()
