"""Makes no value of texts that stand for a missing one."""

import polars as pl

from pipeline.config.dataset import Dataset

NO_NUMBERS = {"none", "-", "--", "?", "."}
"""Texts that stand for a missing value where numbers are expected."""


def with_missing(name: str, dtype: pl.DataType, conf: Dataset, holds_numbers: bool) -> pl.Expr:
    """A column with null for each value that stands for a missing one."""
    value = pl.col(name)
    if dtype.is_float():
        return value.fill_nan(None)
    if dtype != pl.String:
        return value
    if holds_numbers:  # a text that is no number anyway may stand for a missing one in more spellings
        return pl.when(~value.str.strip_chars().str.to_lowercase().is_in(no_numbers(conf))).then(value).alias(name)
    return pl.when(~value.is_in(conf.source.missing)).then(value).alias(name)


def no_numbers(conf: Dataset) -> set[str]:
    """The texts, in small letters and without blanks around them, that stand for a missing number."""
    return {word.strip().lower() for word in conf.source.missing} | NO_NUMBERS
