"""What the kinds of tokens share that are cut out of a text: a record makes several; they may be runs of neighbours."""

from abc import abstractmethod
from typing import ClassVar

import polars as pl
from pydantic import Field

from pipeline.config.tokens import Tokens
from pipeline.records.tokens.markup import without_markup

WORD = "[\\p{L}\\p{M}\\p{N}]+(?:['\u2019][\\p{L}\\p{M}]+)*"
"""A run of letters, marks and digits, with apostrophes inside: `two`, `owner's`, `Öl`, `1920`."""
_DECOMPOSED = "[\\p{M}\u1100-\u11ff]"
"""Marks behind letters, and the parts of Korean syllables."""


class TextTokens(Tokens):
    """Tokens that are cut out of a text column."""

    gives_lists: ClassVar[bool] = True

    lowercase: bool = True
    """Lower-case the words."""
    max_tokens: int | None = Field(None, ge=1)
    """A record with more tokens than this cannot be used. Default: there is no limit."""

    @abstractmethod
    def cut(self, text: pl.Expr) -> pl.Expr:
        """The list of tokens of each text, which is in lower case if that is asked for."""

    def rules(self, column: str, dtype: pl.DataType) -> list[tuple[str, pl.Expr]]:
        """A record cannot be used if it makes too many tokens."""
        texts = self.texts(column, dtype)
        if self.max_tokens is None or texts is None:
            return []
        return [(f"has more than {self.max_tokens} tokens", texts.list.len() > self.max_tokens)]

    def texts(self, column: str, dtype: pl.DataType) -> pl.Expr | None:
        """The tokens of each text; None if the column holds no text."""
        if dtype != pl.String:
            return None
        text = pl.col(column).map_batches(_readable, return_dtype=pl.String, is_elementwise=True)
        return self.cut(text.str.to_lowercase() if self.lowercase else text)


def _readable(texts: pl.Series) -> pl.Series:
    """Texts as a person reads them on a page."""
    return composed(without_markup(texts))


def composed(texts: pl.Series) -> pl.Series:
    """Texts in which a letter and its accent are one character, as in Unicode's form NFC, so that they are one word.

    Only what has marks is looked at twice, because few texts have them.

    >>> composed(pl.Series(["cafe\u0301", "tea"])).to_list() == ["café", "tea"]
    True
    """
    has_marks = texts.str.contains(_DECOMPOSED)
    if not has_marks.any():
        return texts
    return texts.clone().scatter(has_marks.arg_true(), texts.filter(has_marks).str.normalize("NFC"))


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
