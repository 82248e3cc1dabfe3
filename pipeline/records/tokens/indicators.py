"""Tokens that are the names of columns."""

from typing import ClassVar, Literal

import polars as pl

from pipeline.config.tokens import Tokens

NO = ("", "0", "false", "f", "no", "n", "none", "nein", "non", "-")
"""What a text says, in lower case, if a record does not have what the column stands for."""


class IndicatorTokens(Tokens):
    """The name of each column in which a record has a number above 0, `true` or a text such as `yes` or `x`.

    So a wide table is read: a row for each example, and a column for each thing with 0 and 1, or with counts.
    """

    gives_lists: ClassVar[bool] = False
    role: ClassVar[str] = "its name is a token where its value is above 0, or yes"

    kind: Literal["indicators"]
    qualified: bool | None = False
    """Write tokens as `bread=bread`. Default: no, the name tells the column."""
    lowercase: bool = False
    """Lower-case the token."""

    @property
    def rows_at_once(self) -> int:
        """Fewer rows, the more columns there are."""
        return max(1_000, super().rows_at_once // len(self.columns))

    def texts(self, column: str, dtype: pl.DataType) -> pl.Expr | None:
        """The column's name where a record has what it stands for, else null; None for lists, objects and times."""
        value = pl.col(column)
        if dtype == pl.Boolean:
            has = value
        elif dtype.is_numeric():
            has = (value > 0) & value.is_not_nan() if dtype.is_float() else value > 0
        elif dtype == pl.String:
            text = value.str.strip_chars().str.to_lowercase()
            number = text.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
            has = pl.when(number.is_not_null()).then(number > 0).otherwise(~text.is_in(NO))
        elif dtype == pl.Null:
            has = pl.lit(False)
        else:
            return None
        return pl.when(has.fill_null(False)).then(pl.lit(column))
