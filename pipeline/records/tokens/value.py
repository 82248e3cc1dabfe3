"""Tokens that are the values of a column."""

import re
from typing import ClassVar, Literal

import polars as pl

from pipeline.config.section import Columns
from pipeline.config.task import Column
from pipeline.config.tokens import Tokens


class ValueTokens(Tokens):
    """One token per row and column: the column's value, as it is."""

    gives_lists: ClassVar[bool] = False
    role: ClassVar[str] = "its value is a token"
    describing: ClassVar[tuple[str, ...]] = ("label", "about")

    kind: Literal["value"]
    lowercase: bool = False
    """Lower-case the token."""
    label: str | None = None
    """What people read for the token: a column, or a template such as `{title} ({year})`. Default: the token."""
    about: Columns | None = None
    """Columns that describe the token: pages show them with it, and the first column colours the map (by its first
    value, if `|` separates several)."""

    def texts(self, column: str, dtype: pl.DataType) -> pl.Expr | None:
        """The value as text; None for a column of lists or objects."""
        return None if dtype.is_nested() else pl.col(column).cast(pl.String)

    def label_text(self) -> pl.Expr | None:
        """The label that conf declares, with `?` for a value that a record lacks; None if it declares none."""
        if not self.label:
            return None
        columns = label_columns(self.label)
        texts = [pl.col(column).cast(pl.String) for column in columns]
        if columns == [self.label]:
            return texts[0]
        template = self.label
        for column in columns:
            template = template.replace("{" + column + "}", "{}")
        some = pl.any_horizontal(text.is_not_null() for text in texts)
        return pl.when(some).then(pl.format(template, *(text.fill_null("?") for text in texts)))

    def described_by(self) -> tuple[str, ...]:
        """The columns of `about`."""
        return self.about or ()

    def named_columns(self) -> list[Column]:
        """The columns of the values, of the label and of the description."""
        of_label = label_columns(self.label) if self.label else []
        return [
            *super().named_columns(),
            *(Column(f"label ({c})", c, "part of the label that people read for a token") for c in of_label),
            *(Column("about", c, "describes a token on the pages") for c in self.described_by()),
        ]


def label_columns(label: str) -> list[str]:
    """The columns that a label names: those in a template's braces, or the label itself.

    >>> label_columns("{title} ({year})"), label_columns("title")
    (['title', 'year'], ['title'])
    """
    return re.findall(r"{([^{}]+)}", label) or [label]
