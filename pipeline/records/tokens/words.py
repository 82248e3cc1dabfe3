"""Tokens that are the words of a text, or runs of several words."""

from typing import Annotated, ClassVar, Literal

import polars as pl
from pydantic import Field

from pipeline.config.section import OneOrMore
from pipeline.config.tokens import Lengths, Tokens

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
    stop_words: Annotated[tuple[str, ...], OneOrMore()] = ()
    """Words to leave out, such as `[the, and, of]`."""
    ngrams: Lengths = (1, 1)
    """Fewest and most words of a token: with `[1, 2]`, `walk in closet` makes `walk`, `in`, `closet`, `walk in` and
    `in closet`. Words that are left out do not part those around them."""

    max_tokens: int | None = Field(None, ge=1)
    """A record with more tokens than this cannot be used. Default: there is no limit."""

    @property
    def rows_at_once(self) -> int:
        """Fewer rows if a word begins several tokens."""
        shortest, longest = self.ngrams
        return super().rows_at_once // (longest - shortest + 1)

    def rules(self, column: str, dtype: pl.DataType) -> list[tuple[str, pl.Expr]]:
        """A record cannot be used if it has too many words."""
        texts = self.texts(column, dtype)
        if self.max_tokens is None or texts is None:
            return []
        return [(f"has more than {self.max_tokens} tokens", texts.list.len() > self.max_tokens)]

    def texts(self, column: str, dtype: pl.DataType) -> pl.Expr | None:
        """The words of each text, then its pairs of neighbouring words, and so on; None if the column holds no text."""
        if dtype != pl.String:
            return None
        words = words_of(column, self.lowercase)
        stop_words = [word.lower() if self.lowercase else word for word in self.stop_words]
        is_kept = (pl.element().str.len_chars() >= self.min_length) & ~pl.element().is_in(stop_words)
        return runs(words.list.filter(is_kept), self.ngrams, between=" ")


def words_of(column: str, lowercase: bool) -> pl.Expr:
    """The words of each text of a column."""
    text = pl.col(column).str.to_lowercase() if lowercase else pl.col(column)
    return text.str.extract_all(WORD)


def runs(lists: pl.Expr, lengths: tuple[int, int], between: str) -> pl.Expr:
    """The runs of neighbours in lists of texts: the short ones first, each as one text.

    Args:
        lists: lists of texts.
        lengths: texts of a run, fewest and most.
        between: what stands between the texts of a run.
    """
    shortest, longest = lengths
    if longest == 1:
        return lists

    def of_length(n: int) -> pl.Expr:
        neighbours = [pl.element().shift(-i) for i in range(n)]
        return lists.list.eval(pl.concat_str(neighbours, separator=between).drop_nulls())

    return pl.concat_list([of_length(n) for n in range(shortest, longest + 1)])
