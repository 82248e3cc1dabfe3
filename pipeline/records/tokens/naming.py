"""How a token is written.

The vocabulary decides which tokens get an integer, and the encoding which integers an example has.
"""

import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.config.tokens import Tokens
from pipeline.errors import PipelineError


def texts_of(tokens: Tokens, column: str, dtype: pl.DataType, conf: Dataset) -> pl.Expr:
    """The text, or list of texts, of each row.

    Raises:
        PipelineError: the column has a dtype from which such tokens cannot be made.
    """
    inner = dtype.inner if isinstance(dtype, pl.List | pl.Array) else dtype
    if inner.is_nested() or inner == pl.Duration:
        raise PipelineError(
            f"{conf.file}, tokens: column {column!r} holds {dtype}, which has no texts: bring texts, numbers, or lists "
            "of them."
        )
    texts = tokens.texts(column, dtype)
    if texts is None and dtype == pl.Null:
        raise PipelineError(f"{conf.file}, tokens: column {column!r} has no value at all. Name another, or none.")
    if texts is None:
        cure = "`kind: items`" if isinstance(dtype, pl.List | pl.Array) else "`kind: value`"
        raise PipelineError(f"{conf.file}, tokens: column {column!r} holds {dtype}: make its tokens with {cure}.")
    return texts


def written(tokens: Tokens, column: str, conf: Dataset, text: pl.Expr) -> pl.Expr:
    """A text as the token that the vocabulary holds: qualified with its column or a name, lower-cased, or unchanged.

    Where two kinds of tokens come from one column, the kind stands there too, so that they are not taken for another.
    """
    if isinstance(tokens.qualified, str):
        text = pl.format("{}={}", pl.lit(tokens.qualified), text)
    elif tokens.qualified or (tokens.qualified is None and len(conf.token_columns) > 1):
        is_shared = conf.token_columns.count(column) > 1
        text = pl.format("{}={}", pl.lit(f"{column} {tokens.kind}" if is_shared else column), text)
    return text.str.to_lowercase() if tokens.lowercase else text
