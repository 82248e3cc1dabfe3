"""Tokens that are the items of a list."""

from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from pipeline.config.tokens import Tokens
from pipeline.records.tokens.list_texts import lists


class ItemTokens(Tokens):
    """The items of a list: delimited text, a list in text (JSON, Python or PostgreSQL), or a list column."""

    gives_lists: ClassVar[bool] = True
    reads_lists: ClassVar[bool] = True
    role: ClassVar[str] = "its items are tokens"

    kind: Literal["items"]
    lowercase: bool = False
    """Lower-case the items."""
    delimiter: str | None = Field(None, min_length=1)
    """What separates the items of delimited text, such as `|`. Default: the text is a list as JSON (`["tea", "milk"]`),
    Python (`['tea', 'milk']`) or PostgreSQL (`{tea,milk}`) writes it. An object in it stands for its name, as in
    `[{"id": 28, "name": "Action"}]`."""

    max_tokens: int | None = Field(None, ge=1)
    """A record with more items than this cannot be used. Default: there is no limit."""

    def rules(self, column: str, dtype: pl.DataType) -> list[tuple[str, pl.Expr]]:
        """A record cannot be used if its text is no list, or if it has too many items."""
        rules, value = [], pl.col(column)
        if dtype == pl.String and not self.delimiter:
            is_bad = value.map_batches(_is_no_list, return_dtype=pl.Boolean)
            rules.append(("is no list of items (does `tokens` lack a `delimiter`?)", is_bad))
            value = pl.when(~is_bad).then(value)
        texts = self._items(value, dtype)
        if self.max_tokens is not None and texts is not None:
            rules.append((f"has more than {self.max_tokens} items", texts.list.len() > self.max_tokens))
        return rules

    def texts(self, column: str, dtype: pl.DataType) -> pl.Expr | None:
        """The items of each list, without surrounding space; None for a column that holds neither lists nor text."""
        return self._items(pl.col(column), dtype)

    def _items(self, value: pl.Expr, dtype: pl.DataType) -> pl.Expr | None:
        if isinstance(dtype, pl.List | pl.Array):
            items = value.cast(pl.List(pl.String))
        elif dtype != pl.String:
            return None
        elif self.delimiter:
            items = value.str.split(self.delimiter)
        else:
            items = value.map_batches(lists, return_dtype=pl.List(pl.String), is_elementwise=True)
        stripped = items.list.eval(pl.element().str.strip_chars())
        return stripped.list.filter(pl.element().str.len_chars() > 0)


def _is_no_list(texts: pl.Series) -> pl.Series:
    """Whether each text is something else than a list of texts and numbers."""
    return texts.is_not_null() & lists(texts).is_null()
