"""Reads lists that are written as text: JSON arrays, and the lists of Python and PostgreSQL."""

import ast
import json
import re
import warnings
from typing import Any

import polars as pl

_QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_PYTHON_ITEM = rf"{_QUOTED}|-?[\d.]+(?:e[+-]?\d+)?|None|True|False|nan"
_POSTGRES_ITEM = r'"(?:[^"\\]|\\.)*"|[^\s",{}\\](?:[^",{}\\]*[^\s",{}\\])?'
_PYTHON = rf"(?s)^\s*\[\s*(?:(?:{_PYTHON_ITEM})(?:\s*,\s*(?:{_PYTHON_ITEM}))*\s*,?)?\s*\]\s*$"
_POSTGRES = rf"(?s)^\s*\{{\s*(?:(?:{_POSTGRES_ITEM})(?:\s*,\s*(?:{_POSTGRES_ITEM}))*)?\s*\}}\s*$"
_NOTHING = ("None", "nan", "NULL")
"""What stands, without quotes, for an item that is missing."""
_NAMES = ("name", "label", "title", "value", "id")
"""What names an object in a list, the first that it has."""
_ESCAPED = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_CONTROL = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


def lists(texts: pl.Series) -> pl.Series:
    """The list that each text is, with items of text; null for a text that is none.

    An object in a list stands for its name.

    >>> lists(pl.Series(['["a", 1]', "['a', 'b c']", '{a,"b, c",NULL}', "a"])).to_list()
    [['a', '1'], ['a', 'b c'], ['a', 'b, c', None], None]
    >>> lists(pl.Series(['[{"id": 28, "name": "Action"}]', "[{'id': 18, 'name': 'Drama'}]", '[{"of": 3}]'])).to_list()
    [['Action'], ['Drama'], None]
    """
    try:
        return texts.str.json_decode(pl.List(pl.String))
    except pl.exceptions.PolarsError:  # some are not JSON
        return _each_as_it_is_written(texts)


def _each_as_it_is_written(texts: pl.Series) -> pl.Series:
    """Lists from texts, each of which may be written in its own way."""
    text = pl.col("text")
    found = texts.to_frame("text").with_columns(
        python=text.str.contains(_PYTHON), postgres=text.str.contains(_POSTGRES)
    )
    other = found.select(text.is_not_null() & ~pl.col("python") & ~pl.col("postgres")).to_series()
    made = found.select(
        pl.when("python").then(_items(text.str.extract_all(f"(?s){_PYTHON_ITEM}")))
        .when("postgres").then(_items(text.str.extract_all(f"(?s){_POSTGRES_ITEM}")))
        .alias(texts.name)
    ).to_series()  # fmt: skip
    if not other.any():
        return made
    arrays = [_array(one) if is_other else None for one, is_other in zip(texts, other, strict=True)]
    return made.zip_with(~other, pl.Series(arrays, dtype=pl.List(pl.String)))


def _items(found: pl.Expr) -> pl.Expr:
    """Items as they are written, without their quotes; null for those that are missing."""
    item = pl.element()
    is_quoted = item.str.contains("""^['"]""")
    inside = item.str.slice(1, item.str.len_chars() - 2)
    item = pl.when(is_quoted).then(inside).when(~item.is_in(_NOTHING)).then(item)
    return found.list.eval(item.map_batches(_unescaped, return_dtype=pl.String))


def _unescaped(items: pl.Series) -> pl.Series:
    """Items in which what stands behind a backslash is replaced by the character that it means."""
    are_escaped = items.str.contains("\\", literal=True).fill_null(False)
    if not are_escaped.any():
        return items
    meant = [_ESCAPED.sub(_character, item) for item in items.filter(are_escaped)]
    # JSON writes a character beyond 65,535 as two
    meant = [item.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for item in meant]
    return items.clone().scatter(are_escaped.arg_true(), pl.Series(meant, dtype=pl.String))


def _character(found: re.Match[str]) -> str:
    """The character that is meant by what stands behind a backslash."""
    code = found[1]
    try:
        return chr(int(code[1:], 16)) if len(code) > 1 else _CONTROL.get(code, code)
    except (ValueError, OverflowError):  # there are not so many characters
        return code


def _array(text: str) -> list[str | None] | None:
    """The items of an array of texts, numbers and objects with names; None if it is something else."""
    found = _value(text)
    if not isinstance(found, list):
        return None
    found = [_name(item) if isinstance(item, dict) else item for item in found]
    if any(isinstance(item, list | dict) for item in found):
        return None
    return [item if item is None or isinstance(item, str) else json.dumps(item) for item in found]


def _value(text: str) -> Any:
    """What a text means as JSON, or else as Python if it is a list with objects; None if it is neither."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    text = text.strip()
    if not (text.startswith("[") and "{" in text):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a backslash that means nothing
            return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _name(item: dict[Any, Any]) -> Any:
    """The name of an object; the object itself if it has none."""
    return next((item[key] for key in _NAMES if isinstance(item.get(key), str | int)), item)
