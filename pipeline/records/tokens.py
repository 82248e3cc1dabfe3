"""Raw records -> (example, token) pairs, by the three ways that conf can declare: values, words, items.

Which tokens get an integer is the vocabulary's business, and which integers an example has is encoding's.
"""

import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.config.records import ItemTokens, Tokens, ValueTokens, WordTokens
from pipeline.errors import PipelineError
from pipeline.records.sources import is_missing, label_columns

WORD = "[\\p{L}\\p{M}\\p{N}]+(?:['\u2019][\\p{L}\\p{M}]+)*"
"""A run of letters, marks and digits, with apostrophes inside: `two`, `owner's`, `Öl`, `1920`."""

EXAMPLE = "_example"
"""The column that says which example a record belongs to; the raw records may have an `example` of their own."""


def with_example(records: pl.LazyFrame, conf: Dataset) -> pl.LazyFrame:
    """The records that can be used, with the column `EXAMPLE` added: the id as text.

    Where every row is an example its id is the row's number in the raw records. A record without an id, or without the
    number that is to be predicted, is left out.
    """
    if conf.example is None:
        records = records.with_row_index(EXAMPLE).with_columns(pl.col(EXAMPLE).cast(pl.String))
    else:
        named = pl.col(conf.example).cast(pl.String).alias(EXAMPLE)
        records = records.with_columns(named).filter(pl.col(EXAMPLE).is_not_null())
    if conf.task.kind == "regression":
        dtype = records.collect_schema()[conf.task.target]
        records = records.filter(~is_missing(conf.task.target, dtype))
    return records


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
            frame = records.select(example=EXAMPLE, token=texts, label=_label(tokens), part=part)
            if tokens.kind != "value":
                frame = frame.explode("token", empty_as_null=False, keep_nulls=False)
            frame = frame.filter(pl.col("token").is_not_null())
            frames.append(frame.with_columns(_written(tokens, column, many=len(conf.token_columns) > 1)))
    return pl.concat(frames).with_columns(label=pl.coalesce("label", "token"))


def described(records: pl.LazyFrame, conf: Dataset) -> pl.DataFrame:
    """What conf says about tokens (`about`), as text: a row a token, with `token` and then each column that is named.

    Where the rows of a token differ, the smallest text stands for all; where no row says anything, null.
    """
    columns = list(dict.fromkeys(c for tokens in conf.tokens for c in getattr(tokens, "about", None) or ()))
    frames = [
        records.select(pl.col(column).cast(pl.String).alias("token"), *(pl.col(c).cast(pl.String) for c in columns))
        .filter(pl.col("token").is_not_null())
        .with_columns(_written(tokens, column, many=len(conf.token_columns) > 1))
        for tokens in conf.tokens
        if isinstance(tokens, ValueTokens) and tokens.about
        for column in tokens.columns
    ]
    if not frames:
        return pl.DataFrame(schema={"token": pl.String})
    return pl.concat(frames).group_by("token").agg(pl.col(columns).min()).collect(engine="streaming")


def _texts(tokens: Tokens, column: str, dtype: pl.DataType, conf: Dataset) -> pl.Expr:
    """A row's text (values) or list of texts (words, items)."""
    is_list = isinstance(dtype, pl.List | pl.Array)
    fits = {"value": not is_list, "words": dtype == pl.String, "items": is_list or dtype == pl.String}
    if not fits[tokens.kind]:
        cure = "`kind: items`" if is_list else "`kind: value`"
        raise PipelineError(f"{conf.file}, tokens: column {column!r} holds {dtype}: make its tokens with {cure}.")
    if isinstance(tokens, WordTokens):
        text = pl.col(column).str.to_lowercase() if tokens.lowercase else pl.col(column)
        return text.str.extract_all(WORD).list.filter(pl.element().str.len_chars() >= tokens.min_length)
    if isinstance(tokens, ItemTokens):
        if is_list:
            items = pl.col(column).cast(pl.List(pl.String))
        elif tokens.delimiter:
            items = pl.col(column).str.split(tokens.delimiter)
        else:
            items = pl.col(column).str.json_decode(pl.List(pl.String))
        stripped = items.list.eval(pl.element().str.strip_chars())
        return stripped.list.filter(pl.element().str.len_chars() > 0)
    return pl.col(column).cast(pl.String)


def _label(tokens: Tokens) -> pl.Expr:
    """The label that conf declares, `?` for what a record lacks; null where it declares none."""
    label = getattr(tokens, "label", None)
    if not label:
        return pl.lit(None, pl.String)
    columns = label_columns(label)
    texts = [pl.col(column).cast(pl.String) for column in columns]
    if columns == [label]:
        return texts[0]
    template = label
    for column in columns:
        template = template.replace("{" + column + "}", "{}")
    some = pl.any_horizontal(text.is_not_null() for text in texts)
    return pl.when(some).then(pl.format(template, *(text.fill_null("?") for text in texts)))


def _written(tokens: Tokens, column: str, many: bool) -> pl.Expr:
    """The token as it is written into the vocabulary: qualified with its column, lower-cased, or as it is."""
    token = pl.col("token")
    if tokens.qualified or (tokens.qualified is None and many):
        token = pl.format("{}={}", pl.lit(column), token)
    return (token.str.to_lowercase() if tokens.lowercase else token).alias("token")
