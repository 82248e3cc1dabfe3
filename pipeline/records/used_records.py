"""The records that can be used, and which example each belongs to."""

import polars as pl

from pipeline.config.dataset import Dataset

EXAMPLE = "_example"
"""The column that says which example a record belongs to; the raw records may have their own column `example`."""


def with_example(records: pl.LazyFrame, conf: Dataset) -> pl.LazyFrame:
    """The records that can be used, with the column `EXAMPLE` added: the id as text.

    If every row is an example, its id is the row's number in the raw records. A record without an id, or without a
    value to predict, is left out.
    """
    return with_any_example(records, conf).filter(pl.col(EXAMPLE).is_not_null())


def with_any_example(records: pl.LazyFrame, conf: Dataset) -> pl.LazyFrame:
    """The same, but records without an id are kept, with null in the column `EXAMPLE`."""
    if conf.example is None:
        named = records.with_row_index(EXAMPLE).with_columns(pl.col(EXAMPLE).cast(pl.String))
    else:
        named = records.with_columns(pl.col(conf.example).cast(pl.String).alias(EXAMPLE))
    lacks_answer = conf.task.lacks_answer(named.collect_schema())
    return named if lacks_answer is None else named.filter(~lacks_answer)
