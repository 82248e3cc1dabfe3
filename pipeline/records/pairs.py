"""Raw records -> (example, token) pairs, by the kinds of tokens that conf declares.

Which tokens get an integer is the vocabulary's business, and which integers an example has is encoding's.
"""

import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.config.tokens import Tokens
from pipeline.errors import PipelineError

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


def pairs(records: pl.LazyFrame, conf: Dataset) -> pl.LazyFrame:
    """The tokens of every record, lazily: a frame of `schemas.Pairs`.

    Raises:
        PipelineError: a column has a dtype from which such tokens cannot be made.
    """
    records = with_example(records, conf)
    part = pl.col(conf.split.column).cast(pl.String) if conf.split.column else pl.lit(None, pl.String)
    schema = records.collect_schema()
    frames = []
    for tokens in conf.tokens:
        for column in tokens.columns:
            texts = _texts(tokens, column, schema[column], conf)
            label = tokens.label_text()
            label = pl.lit(None, pl.String) if label is None else label
            frame = records.select(example=EXAMPLE, token=texts, label=label, part=part)
            if tokens.gives_lists:
                frame = frame.explode("token", empty_as_null=False, keep_nulls=False)
            frame = frame.filter(pl.col("token").is_not_null())
            frames.append(frame.with_columns(_written(tokens, column, many=len(conf.token_columns) > 1)))
    return pl.concat(frames).with_columns(label=pl.coalesce("label", "token"))


def described(records: pl.LazyFrame, conf: Dataset) -> pl.DataFrame:
    """What conf says about tokens (`about`), as text: a row a token, with `token` and then each column that is named.

    Where the rows of a token differ, the smallest text stands for all; where no row says anything, null.
    """
    columns = list(dict.fromkeys(column for tokens in conf.tokens for column in tokens.described_by()))
    frames = [
        records.select(pl.col(column).cast(pl.String).alias("token"), *(pl.col(c).cast(pl.String) for c in columns))
        .filter(pl.col("token").is_not_null())
        .with_columns(_written(tokens, column, many=len(conf.token_columns) > 1))
        for tokens in conf.tokens
        if tokens.described_by()
        for column in tokens.columns
    ]
    if not frames:
        return pl.DataFrame(schema={"token": pl.String})
    return pl.concat(frames).group_by("token").agg(pl.col(columns).min()).collect(engine="streaming")


def _texts(tokens: Tokens, column: str, dtype: pl.DataType, conf: Dataset) -> pl.Expr:
    """A row's text, or list of texts."""
    texts = tokens.texts(column, dtype)
    if texts is None:
        cure = "`kind: items`" if isinstance(dtype, pl.List | pl.Array) else "`kind: value`"
        raise PipelineError(f"{conf.file}, tokens: column {column!r} holds {dtype}: make its tokens with {cure}.")
    return texts


def _written(tokens: Tokens, column: str, many: bool) -> pl.Expr:
    """The token as it is written into the vocabulary: qualified with its column, lower-cased, or as it is."""
    token = pl.col("token")
    if tokens.qualified or (tokens.qualified is None and many):
        token = pl.format("{}={}", pl.lit(column), token)
    return (token.str.to_lowercase() if tokens.lowercase else token).alias("token")
