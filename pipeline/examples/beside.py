"""Reads what examples have beside their tokens, dense features and targets, from the raw records."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from pipeline.arrays import Array
from pipeline.errors import PipelineError
from pipeline.records.columns import number
from pipeline.records.pairs.used_records import EXAMPLE


class Beside(NamedTuple):
    """Dense features and target of N examples."""

    target: Array  # (N,) float64: a number, or the index of a class; NaN where the task has none
    dense: Array  # (N, F) float64: NaN where a record has no value
    names: tuple[str, ...] = ()
    """Names of the features."""
    classes: tuple[str, ...] = ()
    """The names of the classes, if the target is the index of a class."""


def nothing(n: int) -> Beside:
    """The empty `Beside` of n examples that have tokens only."""
    return Beside(np.full(n, np.nan), np.empty((n, 0)))


def numbers_of(used: pl.LazyFrame, ids: pl.Series, columns: Sequence[str], where: str) -> Array:
    """(N, K) the numbers that N examples have in K columns, which may be none; NaN where one is missing.

    Args:
        used: the raw records that can be used, each with the id of its example.
        ids: (N,) the ids of the examples.
        columns: the names of the K columns.
        where: the conf file's name, for a message.

    Raises:
        PipelineError: the rows of one example disagree.
    """
    if not columns:
        return np.empty((len(ids), 0))
    schema = used.collect_schema()
    numbers = {f"number_{i}": number(column, schema) for i, column in enumerate(columns)}
    rows = used.select(example=EXAMPLE, **numbers).collect(engine="streaming")
    found = one_row_each(rows.fill_null(float("nan")), ids, columns, where)
    return found.to_numpy().astype(np.float64)


def one_row_each(rows: pl.DataFrame, ids: pl.Series, columns: Sequence[str], where: str) -> pl.DataFrame:
    """The values of each example, in the order of the ids; null for an example without a row.

    Args:
        rows: the column `example`, then one for each of `columns`.
        ids: (N,) the ids of the examples.
        columns: the names of those other columns in the raw records.
        where: the conf file's name, for a message.

    Raises:
        PipelineError: the rows of one example disagree.
    """
    rows = rows.unique(maintain_order=True)
    differing = rows.filter(pl.col("example").is_duplicated())
    if differing.height:
        example = differing["example"][0]
        each = differing.filter(pl.col("example") == example).drop("example")
        differ = [repr(name) for name, column in zip(columns, each, strict=True) if column.n_unique() > 1]
        raise PipelineError(
            f"{where}, task: the rows of example {example!r} differ in {' and '.join(differ)}. Each example needs one "
            "value."
        )
    return ids.to_frame("example").join(rows, on="example", how="left", maintain_order="left").drop("example")
