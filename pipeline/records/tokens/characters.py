"""Tokens that are runs of characters of the words of a text."""

from typing import ClassVar, Literal

import polars as pl

from pipeline.config.tokens import Lengths
from pipeline.records.tokens.texts import WORD, TextTokens, runs

FIRST, LAST = "<", ">"
"""What stands before and behind a word."""
_ACROSS_WORDS = f".{FIRST}|{LAST}."


class CharacterTokens(TextTokens):
    """The runs of characters of each word of a text column, such as `<gar`, `gara`, `rage` and `age>` of `garage`.

    Words that are misspelt, inflected or compound share most of them (Bojanowski et al., 2017, arXiv:1607.04606).
    """

    role: ClassVar[str] = "runs of its characters are tokens"

    kind: Literal["characters"]
    ngrams: Lengths = (3, 5)
    """Fewest and most characters of a token. `<` before a word and `>` behind it count too."""

    @property
    def rows_at_once(self) -> int:
        """Few rows, as each character begins several tokens."""
        shortest, longest = self.ngrams
        return max(100, super().rows_at_once // (5 * (longest - shortest + 1)))

    def cut(self, text: pl.Expr) -> pl.Expr:
        """The runs of characters of each text's words."""
        marked = text.str.extract_all(WORD).list.eval(FIRST + pl.element() + LAST)
        characters = marked.list.join("").str.split("")
        return runs(characters, self.ngrams, between="").list.filter(~pl.element().str.contains(_ACROSS_WORDS))
