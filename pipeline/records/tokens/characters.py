"""Tokens that are runs of characters of the words of a text."""

from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from pipeline.config.tokens import Lengths, Tokens
from pipeline.records.tokens.words import runs, words_of

FIRST, LAST = "<", ">"
"""What stands before and behind a word."""
_ACROSS_WORDS = f".{FIRST}|{LAST}."


class CharacterTokens(Tokens):
    """The runs of characters of each word of a text column, such as `<gar`, `gara`, `rage` and `age>` of `garage`.

    Words that are misspelt, inflected or compound share most of them (Bojanowski et al., 2017, arXiv:1607.04606).
    """

    gives_lists: ClassVar[bool] = True
    role: ClassVar[str] = "runs of its characters are tokens"

    kind: Literal["characters"]
    lowercase: bool = True
    """Lower-case the words."""
    ngrams: Lengths = (3, 5)
    """Fewest and most characters of a token. `<` before a word and `>` behind it count too."""

    max_tokens: int | None = Field(None, ge=1)
    """A record with more tokens than this cannot be used. Default: there is no limit."""

    @property
    def rows_at_once(self) -> int:
        """Few rows, as each character begins several tokens."""
        shortest, longest = self.ngrams
        return max(100, super().rows_at_once // (5 * (longest - shortest + 1)))

    def rules(self, column: str, dtype: pl.DataType) -> list[tuple[str, pl.Expr]]:
        """A record cannot be used if it makes too many tokens."""
        texts = self.texts(column, dtype)
        if self.max_tokens is None or texts is None:
            return []
        return [(f"has more than {self.max_tokens} tokens", texts.list.len() > self.max_tokens)]

    def texts(self, column: str, dtype: pl.DataType) -> pl.Expr | None:
        """The runs of characters of each text; None if the column holds no text."""
        if dtype != pl.String:
            return None
        marked = words_of(column, self.lowercase).list.eval(FIRST + pl.element() + LAST)
        characters = marked.list.join("").str.split("")
        return runs(characters, self.ngrams, between="").list.filter(~pl.element().str.contains(_ACROSS_WORDS))
