"""Tokens that are the words of a text."""

from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from pipeline.config.tokens import Tokens

WORD = "[\\p{L}\\p{M}\\p{N}]+(?:['\u2019][\\p{L}\\p{M}]+)*"
"""A run of letters, marks and digits, with apostrophes inside: `two`, `owner's`, `Öl`, `1920`."""


class WordTokens(Tokens):
    """The words of a text column: runs of letters and digits."""

    gives_lists: ClassVar[bool] = True
    role: ClassVar[str] = "its words are tokens"

    kind: Literal["words"]
    lowercase: bool = True
    """Lower-case the words."""
    min_length: int = Field(2, ge=1)
    """Leave out words of fewer characters than this."""

    max_tokens: int | None = Field(None, ge=1)
    """A record with more words than this cannot be used. Default: there is no limit."""

    def rules(self, column: str, dtype: pl.DataType) -> list[tuple[str, pl.Expr]]:
        """A record cannot be used if it has too many words."""
        texts = self.texts(column, dtype)
        if self.max_tokens is None or texts is None:
            return []
        return [(f"has more than {self.max_tokens} words", texts.list.len() > self.max_tokens)]

    def texts(self, column: str, dtype: pl.DataType) -> pl.Expr | None:
        """The words of each text; None for a column that holds no text."""
        if dtype != pl.String:
            return None
        text = pl.col(column).str.to_lowercase() if self.lowercase else pl.col(column)
        return text.str.extract_all(WORD).list.filter(pl.element().str.len_chars() >= self.min_length)
