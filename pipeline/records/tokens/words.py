"""Tokens that are the words of a text, or runs of several words."""

from typing import Annotated, ClassVar, Literal

import polars as pl
from pydantic import Field

from pipeline.config.section import OneOrMore
from pipeline.config.tokens import Lengths
from pipeline.records.tokens.texts import WORD, TextTokens, runs


class WordTokens(TextTokens):
    """The words of a text column: runs of letters and digits."""

    role: ClassVar[str] = "its words are tokens"

    kind: Literal["words"]
    min_length: int = Field(2, ge=1)
    """Leave out words of fewer characters than this."""
    stop_words: Annotated[tuple[str, ...], OneOrMore()] = ()
    """Words to leave out, such as `[the, and, of]`."""
    ngrams: Lengths = (1, 1)
    """Fewest and most words of a token: with `[1, 2]`, `walk in closet` makes `walk`, `in`, `closet`, `walk in` and
    `in closet`. Words that are left out do not part those around them."""

    @property
    def rows_at_once(self) -> int:
        """Fewer rows if a word begins several tokens."""
        shortest, longest = self.ngrams
        return super().rows_at_once // (longest - shortest + 1)

    def cut(self, text: pl.Expr) -> pl.Expr:
        """The words of each text, then its pairs of neighbouring words, and so on."""
        stop_words = [word.lower() if self.lowercase else word for word in self.stop_words]
        is_kept = (pl.element().str.len_chars() >= self.min_length) & ~pl.element().is_in(stop_words)
        return runs(text.str.extract_all(WORD).list.filter(is_kept), self.ngrams, between=" ")
