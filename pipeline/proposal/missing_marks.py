"""Marks such as `?` that stand for missing numbers, though no program writes them so."""

import dataclasses

import polars as pl

from pipeline.config.records import MISSING
from pipeline.proposal.look import Guess, Look
from pipeline.records.values.numbers import Marks, numbers_of

_MARK = r"^[^\p{L}\p{N}\s]{1,3}$"
_FEWEST = 3
"""So many different numbers at least: beside a single one, a mark may say no."""


def without_marks(look: Look) -> Look:
    """The look with such marks as missing values, and the setting of `source` that says so."""
    found: dict[str, list[str]] = {}
    for column in look.frame.select(pl.col(pl.String)).iter_columns():
        for mark in _marks(column):
            found.setdefault(mark, []).append(column.name)
    if not found:
        return look
    names = next(iter(found.values()))
    where = names[0] + (f" and {len(names) - 1} others" if len(names) > 1 else "")
    reason = f"without {' '.join(found)} all values of {where} are numbers"
    frame = look.frame.with_columns(pl.col(pl.String).replace(dict.fromkeys(found)))
    source = look.source | {"missing": Guess([*MISSING, *found], reason)}
    return dataclasses.replace(look, source=source, frame=frame)


def _marks(column: pl.Series) -> list[str]:
    """The marks of a column in which all else are numbers."""
    is_mark = column.str.contains(_MARK)
    if not is_mark.any():
        return []
    rest = column.filter(~is_mark & ~column.is_in(MISSING))
    numbers = numbers_of(rest, Marks.of(rest).decimal("."))
    are_numbers = numbers.n_unique() >= _FEWEST and not numbers.is_nan().any()
    return sorted(column.filter(is_mark).unique()) if are_numbers else []
