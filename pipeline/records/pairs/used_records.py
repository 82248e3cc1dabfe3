"""Which example each record belongs to, and by what a later run knows it again."""

import hashlib

import numpy as np
import polars as pl

from pipeline.arrays import Array
from pipeline.config.dataset import Dataset

EXAMPLE = "\0example"
"""The column that says which example a record belongs to; the raw records may have their own column `example`."""


def with_example(records: pl.LazyFrame, conf: Dataset) -> pl.LazyFrame:
    """The records with the column `EXAMPLE` added: the id as text.

    If every row is an example, its id is the row's number in the raw records.
    """
    if conf.example is None:
        return records.with_row_index(EXAMPLE).with_columns(pl.col(EXAMPLE).cast(pl.String))
    return records.with_columns(pl.col(conf.example).cast(pl.String).alias(EXAMPLE))


def content(conf: Dataset, schema: pl.Schema) -> pl.Expr:
    """What each record says in the columns that decide a fit, as text.

    Args:
        conf: the dataset.
        schema: of the records.
    """
    named = [column.name for column in conf.task.named_columns()]
    split = conf.split
    others = [name for name in (conf.weight, split.column, split.time, split.group) if name is not None]
    columns = dict.fromkeys([*conf.token_columns, *named, *others])
    return pl.concat_str([_as_text(name, schema[name]).fill_null("\0") for name in columns], separator="\x1f")


def _as_text(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if dtype.is_nested():
        return pl.struct(column).struct.json_encode()
    if dtype == pl.Binary:
        return column.bin.encode("hex")
    return (column.cast(pl.Int64) if dtype == pl.Duration else column).cast(pl.String)


def fingerprints(texts: pl.Series) -> Array:
    """(N,) uint64, a number for each text, the same on every machine."""
    each = (hashlib.blake2b(text.encode(), digest_size=8).digest() for text in texts)
    return np.frombuffer(b"".join(each), "<u8")


def known_by(fingerprints: Array) -> pl.Series:
    """What examples without an id are known by in a later run: what they say, and a count where several say the same.

    A row's number is no name: a row that is added at the top gives all others another one.

    >>> known_by(np.array([7, 8, 7], np.uint64)).to_list()
    ['7', '8', '7-1']
    """
    frame = pl.DataFrame({"said": fingerprints}).with_columns(nth=pl.int_range(pl.len()).over("said"))
    text = pl.col("said").cast(pl.String)
    return frame.select(pl.when(pl.col("nth") > 0).then(pl.format("{}-{}", text, "nth")).otherwise(text)).to_series()
