"""What a request may hold, and the sentences that tell what it may not."""

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np
import polars as pl

from pipeline.errors import PipelineError
from pipeline.records.cleaning.cleaner import LARGEST
from pipeline.records.values.writing import Writing

Rows = Sequence[Mapping[str, Any]]
"""A request: for each row, values by the names of the columns."""

MOST_ROWS = 10_000
"""A request with more rows is refused: files are scored in bulk."""
MOST_TOKENS = 10_000
"""A list with more tokens is refused."""

_PLAIN = Writing({})
_KINDS = {bool: "true or false", int: "a whole number", str: "a text"}


def require_rows(rows: Rows) -> None:
    """Refuse a request without rows, or with too many.

    Raises:
        PipelineError: says how many there can be.
    """
    if not 0 < len(rows) <= MOST_ROWS:
        raise PipelineError(f"the request has {len(rows):,} rows, and 1 to {MOST_ROWS:,} are answered at once.")


def require(value: Any, kind: Any, where: str, asked: str) -> None:
    """Refuse a value of another kind.

    Args:
        value: what was given.
        kind: its class, or several as `isinstance` takes them.
        where: it stands, for a message.
        asked: what is asked for, in words.

    Raises:
        PipelineError: says what was given, and what is asked for.
    """
    if not isinstance(value, kind):
        raise PipelineError(f"{where}: is {short(value)}, and {asked} is asked for.")


def whole(value: Any, where: str, most: float = math.inf) -> int:
    """A whole number from 1, to `most` if that is given.

    Raises:
        PipelineError: it is another value; the message says where.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not 1 <= value <= most:
        asked = "a whole number from 1" + (f" to {most:,}" if most < math.inf else "")
        raise PipelineError(f"{where}: is {short(value)}, and {asked} is asked for.")
    return int(value)


def listed(value: Any) -> Any:
    """A list of what a tuple, an array or a column holds; any other value as it is."""
    is_column = isinstance(value, pl.Series) or hasattr(value, "iloc")  # which a column of pandas has
    return list(value) if is_column or isinstance(value, np.ndarray | tuple) else value


def texts(value: Any, where: str, most: float = MOST_TOKENS) -> list[str]:
    """A list of texts; whole numbers are taken as texts.

    Args:
        value: what was given.
        where: it stands, for a message.
        most: how many there can be.

    Raises:
        PipelineError: it is no list, is too long, or holds something else.
    """
    value = listed(value)
    require(value, list, where, "a list of texts")
    if len(value) > most:
        raise PipelineError(f"{where}: has {len(value):,} tokens, and {most:,} at most are read.")
    for one in value:
        if isinstance(one, bool) or not isinstance(one, str | int | np.integer):
            raise PipelineError(f"{where}: has {short(one)}, and a text is asked for.")
    return [str(one) for one in value]


def checked_params(params: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The params of a request, with the default of each that is missing.

    Raises:
        PipelineError: there is no such param, or its value is of another kind than the default.
    """
    for name, value in params.items():
        if name not in defaults:
            raise PipelineError(f"params: there is no {name!r}; there is: {', '.join(defaults) or 'none'}.")
        kind = type(defaults[name])
        if value is not None and kind is list:
            texts(value, f"params, {name}")
        elif value is not None and type(plain(value)) is not kind:
            raise PipelineError(f"params, {name}: is {short(value)}, and {_KINDS[kind]} is asked for.")
    return {**defaults, **{name: plain(value) for name, value in params.items() if value is not None}}


def short(value: Any) -> str:
    """A value as a message shows it: in one line, and not too long."""
    text = "missing" if value is None else repr(value)
    line = text.partition("\n")[0][:60]
    return line if line == text else f"{line}..."


def plain(value: Any) -> Any:
    """A value as plain Python; none for what stands for a missing value."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and np.isnan(value) else value


def rows_of(records: Any) -> Rows:
    """Records as dictionaries: a frame, of pandas too, is read by its rows."""
    if isinstance(records, pl.DataFrame | pl.LazyFrame):
        return records.lazy().collect().to_dicts()
    require(records, Iterable, "records", "a frame or a list of dictionaries")
    rows: Rows = records.to_dict("records") if hasattr(records, "columns") else records
    return rows


def writing_of(facts: Mapping[str, Any]) -> Writing:
    """How the source wrote the numbers that a model has learned from, by what is known of the model."""
    how = facts.get("written", {})  # an earlier version did not write it
    return Writing(how.get("decimals", {}), units=how.get("units", {}))


def column(
    name: str, values: list[Any], dtype: pl.DataType, none: Set[str] = frozenset(), writing: Writing = _PLAIN
) -> pl.Series:
    """The values of a column in its dtype.

    Args:
        name: of the column.
        values: those of its rows.
        dtype: of the column.
        none: texts, in small letters, that stand for a missing value where no text is asked for.
        writing: how a number may be written where a text is given.

    Raises:
        PipelineError: a value is not of that kind; the message says which.
    """
    as_written = _numbers_in_texts(name, values, writing) if dtype.is_float() else None
    for i, value in enumerate(values):
        if dtype != pl.String and isinstance(value, str) and value.strip().lower() in none:
            values[i] = value = None
        if dtype == pl.String and isinstance(value, int | float) and not isinstance(value, bool):
            values[i] = str(value)
        elif value is not None and not dtype.is_nested():
            values[i] = None if as_written is None else plain(as_written[i])
            values[i] = _read(value, dtype) if values[i] is None else values[i]
        fits = isinstance(value, list) == dtype.is_nested() and (values[i] is not None)
        if value is not None and not fits:
            kind = _in_words(dtype)
            kind += f" in {writing.units[name]}" if name in writing.units else ""
            raise PipelineError(f"row {i + 1}, {name}: is {short(value)}, and {kind} is asked for.")
        if isinstance(values[i], float) and abs(values[i]) > LARGEST:  # as in the source
            said = f"is {short(value)}, and a number up to {LARGEST:g} is asked for"
            raise PipelineError(f"row {i + 1}, {name}: {said}.")
    return pl.Series(name, values, dtype=dtype, strict=False)


def _in_words(dtype: pl.DataType) -> str:
    """What a column holds, as people say it."""
    if dtype.is_nested():
        return "a list"
    if dtype.is_temporal():
        return "a time such as 17:07" if dtype == pl.Time else "a date such as 2024-03-31"
    return "a number" if dtype.is_numeric() else _KINDS[bool] if dtype == pl.Boolean else _KINDS[str]


def _numbers_in_texts(name: str, values: Sequence[Any], writing: Writing) -> list[float | None] | None:
    """The number that the source means by each text among the values, NaN for one that is none; None without texts."""
    texts = [value if isinstance(value, str) else None for value in values]
    return pl.DataFrame({name: texts}).select(writing.number(name)).to_series().to_list() if any(texts) else None


def _read(value: Any, dtype: pl.DataType) -> Any:
    """A value in a column's dtype; none if it is of another kind."""
    if isinstance(value, int) and abs(value) >= 2**127:  # Polars has no wider integers
        value = float(value) if abs(value) <= LARGEST else float("inf")
    if isinstance(value, list | dict) or (dtype.is_numeric() and isinstance(value, bool)):
        return None
    if dtype == pl.Boolean and isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    read = pl.Series([value])
    try:
        if read.dtype == pl.String and isinstance(dtype, pl.Date | pl.Datetime | pl.Time):
            return read.str.strptime(dtype, strict=False).item()
        return read.cast(dtype, strict=False).item()
    except pl.exceptions.PolarsError:
        return None
