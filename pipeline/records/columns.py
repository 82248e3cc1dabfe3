"""The columns of the raw records: which of them a conf names, and how their values are read."""

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


def is_missing(column: str, dtype: pl.DataType) -> pl.Expr:
    """Whether a record has no value in a column: null, NaN, empty text, or a usual word for it such as `n/a`."""
    value = pl.col(column)
    if dtype.is_float():
        return value.is_null() | value.is_nan()
    if dtype == pl.String:
        return value.is_null() | value.str.strip_chars().str.to_lowercase().is_in(
            ["", "na", "n/a", "nan", "null", "none"]
        )
    return value.is_null()


def as_number(column: str, dtype: pl.DataType) -> pl.Expr:
    """The values of a column as float64: null if a value is missing, NaN if it is not a number.

    Text may have a currency sign, commas between thousands, or a percent sign: `$1,145.00` is 1145.
    """
    value = pl.col(column)
    if dtype == pl.String:
        bare = value.str.replace_all(r"[\p{Sc}\s%]", "")
        grouped = bare.str.contains(r"^[-+]?\d{1,3}(,\d{3})+(\.\d*)?$")
        value = pl.when(grouped).then(bare.str.replace_all(",", "", literal=True)).otherwise(bare)
    return pl.when(~is_missing(column, dtype)).then(value.cast(pl.Float64, strict=False).fill_null(float("nan")))
