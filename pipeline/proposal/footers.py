"""Tells rows below a table that are none of its records: totals, and notes."""

import dataclasses

import polars as pl

from pipeline.proposal.look import Guess, Look
from pipeline.proposal.profile import is_there
from pipeline.proposal.sections import Shape
from pipeline.proposal.target import quoted

_MOST = 5
"""Rows below a table, at most."""
_FEWEST = 50
"""Rows of a table, at least: of a few, the last may lack by chance what all others have."""
_FEWEST_COLUMNS = 2
"""Columns, at least, that all records have and a row below them lacks; and half of those that all records have."""


def without_footer(look: Look) -> tuple[Look, list[str]]:
    """The look without the rows below the table, and the columns that these lack and all records have; none if none."""
    height = look.frame.height
    has = look.frame.select(is_there(name, dtype) for name, dtype in look.frame.schema.items())
    for n in range(_MOST, 0, -1) if look.is_whole and height >= _FEWEST else ():
        records, below = has.head(height - n), has.tail(n)
        always = [name for name in has.columns if records[name].all()]
        lacking = [name for name in always if not below[name].any()]
        least = max(_FEWEST_COLUMNS, len(always) / 2)
        if lacking and below.select((pl.sum_horizontal(~pl.col(always)) >= least).all()).item():
            return dataclasses.replace(look, frame=look.frame.head(height - n)), lacking
    return look, []


def leave_out_footer(found: Shape, lacking: list[str], n: int) -> None:
    """Let a condition leave out so many rows below the table, by a column of the conf file that these lack."""
    task = found.task.value
    used = [*found.columns, task.get("target"), *task.get("dense", ()), found.example.value if found.example else None]
    name = next((name for name in used if name in lacking), None)
    if name is None:
        return
    last = "the last row lacks" if n == 1 else f"the last {n} rows lack"
    why = f"{last} what all others have, as totals and notes do"
    known = f"{quoted(name)} is not null"
    if found.where is not None:
        before = f"({found.where.value})" if " or " in found.where.value else found.where.value
        known, why = f"{before} and {known}", f"{found.where.reason}; {why}"
    found.where = Guess(known, why)
