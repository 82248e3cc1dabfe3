"""Tokens that are the items of a list."""

from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from pipeline.config.tokens import Tokens


class ItemTokens(Tokens):
    """The items of a list: delimited text, a JSON array in text, or a list column."""

    gives_lists: ClassVar[bool] = True
    role: ClassVar[str] = "its items are tokens"

    kind: Literal["items"]
    lowercase: bool = False
    """Lower-case the items."""
    delimiter: str | None = Field(None, min_length=1)
    """What separates the items of delimited text, such as `|`. Default: the text is a JSON array."""

    def texts(self, column: str, dtype: pl.DataType) -> pl.Expr | None:
        """The items of each list, without surrounding space; None for a column that holds neither lists nor text."""
        if isinstance(dtype, pl.List | pl.Array):
            items = pl.col(column).cast(pl.List(pl.String))
        elif dtype != pl.String:
            return None
        elif self.delimiter:
            items = pl.col(column).str.split(self.delimiter)
        else:
            items = pl.col(column).str.json_decode(pl.List(pl.String))
        stripped = items.list.eval(pl.element().str.strip_chars())
        return stripped.list.filter(pl.element().str.len_chars() > 0)
