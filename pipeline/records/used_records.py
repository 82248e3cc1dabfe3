"""The records that can be used, and which example each belongs to."""

import polars as pl

from pipeline.config.dataset import Dataset

EXAMPLE = "_example"
"""The column that says which example a record belongs to; the raw records may have an `example` of their own."""


def with_example(records: pl.LazyFrame, conf: Dataset) -> pl.LazyFrame:
    """The records that can be used, with the column `EXAMPLE` added: the id as text.

    Where every row is an example its id is the row's number in the raw records. A record without an id, or without
    what is to be predicted, is left out.
    """
    if conf.example is None:
        records = records.with_row_index(EXAMPLE).with_columns(pl.col(EXAMPLE).cast(pl.String))
    else:
        named = pl.col(conf.example).cast(pl.String).alias(EXAMPLE)
        records = records.with_columns(named).filter(pl.col(EXAMPLE).is_not_null())
    lacks_answer = conf.task.lacks_answer(records.collect_schema())
    return records if lacks_answer is None else records.filter(~lacks_answer)
