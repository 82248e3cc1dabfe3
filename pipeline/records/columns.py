"""The columns of the raw records: which of them a conf names, and where their numbers are."""

from collections.abc import Mapping

import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.config.task import Column


def roles(conf: Dataset) -> Mapping[str, str]:
    """The role of each column of the raw records that a conf names, in words."""
    found: dict[str, list[str]] = {}
    for column in named_columns(conf):
        found.setdefault(column.name, []).append(column.role)
    return {name: "; ".join(parts) for name, parts in found.items()}


def named_columns(conf: Dataset) -> list[Column]:
    """Every column of the raw records that a conf names, with the key that names it."""
    named = [Column("example", conf.example, "says which example a row belongs to")] if conf.example else []
    for i, tokens in enumerate(conf.tokens):
        named += [column._replace(key=f"tokens[{i}].{column.key}") for column in tokens.named_columns()]
    if conf.split.column:
        named.append(Column("split.column", conf.split.column, "train, validation or test"))
    return named + [column._replace(key=f"task.{column.key}") for column in conf.task.named_columns()]


def number_column(column: str) -> str:
    """The column of the raw records that holds the numbers which were read from a column of texts."""
    return f"{column} (number)"


def number(column: str, schema: pl.Schema) -> pl.Expr:
    """The values of a column as float64; null if a record has none."""
    read = number_column(column)
    value = pl.col(read if read in schema else column).cast(pl.Float64)
    return value.fill_nan(None)
