"""Numbers for texts, given as the texts come: what pandas calls factorize, and Arrow dictionary encoding."""

import polars as pl


class TextNumbers:
    """Gives each different text a number, 0, 1, 2 and so on, over all batches that it sees.

    Memory is bounded by the different texts, not by the rows. Which text gets which number depends on the order in
    which threads come to them: nothing that is kept may depend on it.

    >>> numbers = TextNumbers()
    >>> frame = pl.DataFrame({"text": ["b", "a", None, "b"]}).select(numbers.of(pl.col("text")))
    >>> frame["text"].to_list(), numbers.texts(2).to_list()
    ([0, 1, None, 0], ['b', 'a'])
    """

    def __init__(self) -> None:
        """Begin without any text."""
        self._dtype = pl.Categorical(pl.Categories.random())
        self._alive = pl.Series([], dtype=self._dtype)  # Polars forgets the texts when no column has them any more

    def of(self, text: pl.Expr) -> pl.Expr:
        """The number (uint32) of each text; null where it is null."""
        return text.cast(self._dtype).to_physical()

    def texts(self, n: int) -> pl.Series:
        """The texts of the numbers 0..n-1."""
        return pl.int_range(n, dtype=pl.UInt32, eager=True).cat.to(self._dtype).cast(pl.String)
