"""Which example each record belongs to."""

import polars as pl

from pipeline.config.dataset import Dataset

EXAMPLE = "_example"
"""The column that says which example a record belongs to; the raw records may have their own column `example`."""


def with_example(records: pl.LazyFrame, conf: Dataset) -> pl.LazyFrame:
    """The records with the column `EXAMPLE` added: the id as text.

    If every row is an example, its id is the row's number in the raw records.
    """
    if conf.example is None:
        return records.with_row_index(EXAMPLE).with_columns(pl.col(EXAMPLE).cast(pl.String))
    return records.with_columns(pl.col(conf.example).cast(pl.String).alias(EXAMPLE))
