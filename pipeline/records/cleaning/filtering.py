"""Filters rows by a condition in SQL, as Polars' SQL reads it."""

import re
from itertools import combinations

import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.errors import PipelineError, first_line, nearest
from pipeline.records.cleaning.quarantine import Why
from pipeline.records.values.writing import Writing

_PROBED = 100
"""Rows on which a condition is tried out."""


class Filter:
    """The condition `source.where` of a dataset; false if there is none.

    A column of texts is compared as it is where the condition compares it with a text, and as a number where it
    compares it with a number.
    """

    def __init__(self, conf: Dataset, schema: pl.Schema) -> None:
        """Read the condition.

        Raises:
            PipelineError: it is no condition, names a column that is not there, or compares what cannot be compared.
        """
        self.columns: tuple[str, ...] = ()
        """The columns of texts that the condition reads."""
        self.as_numbers: tuple[str, ...] = ()
        """Those of them that it compares with numbers."""
        self.condition = conf.source.where
        if self.condition is None:
            return
        self._place = f"{conf.file}, source.where"
        self._is_probed = False
        try:
            self._condition = _parsed(self.condition, schema)
        except (pl.exceptions.PolarsError, ValueError, TypeError) as error:
            raise PipelineError(f"{self._place}: is no condition in SQL ({first_line(error)}).") from error
        named = sorted({*self._condition.meta.root_names()})
        for column in named:
            if column not in schema:
                raise PipelineError(f"{self._place}: there is no column {column!r}, {nearest(column, schema.names())}")
        self.columns = tuple(column for column in named if schema[column] == pl.String)
        self.as_numbers = self._which_as_numbers(schema)
        self.why = Why("is no number, and `where` compares it with one", " or ".join(self.as_numbers) or None)

    def __bool__(self) -> bool:
        return self.condition is not None

    def _which_as_numbers(self, schema: pl.Schema) -> tuple[str, ...]:
        """The fewest columns of texts that have to be read as numbers, so that the condition can be evaluated."""
        first_reason = ""
        for size in range(len(self.columns) + 1):
            for columns in combinations(self.columns, size):
                rows = pl.DataFrame(schema=schema).with_columns(pl.col(columns).cast(pl.Float64))
                try:
                    if rows.select(self._condition).dtypes == [pl.Boolean]:
                        return columns
                    first_reason = first_reason or "it gives no yes or no"
                except pl.exceptions.PolarsError as error:
                    first_reason = first_reason or first_line(error)
        raise PipelineError(
            f"{self._place}: cannot be evaluated ({first_reason}). Write a condition such as `rating >= 4`."
        )

    def of(self, frame: pl.DataFrame, writing: Writing) -> tuple[pl.Series, pl.Series]:
        """Whether each row (n,) meets the condition, and whether it holds a text where a number is asked for.

        Args:
            frame: the rows.
            writing: how their numbers are read.
        """
        rows = frame.with_columns(writing.number(column).alias(column) for column in self.as_numbers)
        no_numbers = (pl.col(column).is_nan().fill_null(False) for column in self.as_numbers)
        nobody = pl.repeat(False, frame.height)
        is_odd = rows.select(pl.any_horizontal(nobody, *no_numbers)).to_series()
        if not self._is_probed:
            self._probe(rows.head(_PROBED))
        return self._of(rows), is_odd

    def _of(self, rows: pl.DataFrame) -> pl.Series:
        met = rows.select(met=self._condition).to_series().fill_null(False)
        return met if len(met) == rows.height else pl.repeat(met[0], rows.height, eager=True)  # 1 = 1

    def _probe(self, rows: pl.DataFrame) -> None:
        """Refuse a condition whose answer for a row depends on other rows: they are not in memory at the same time."""
        alone = [self._of(row)[0] for row in rows.iter_slices(1)]
        if alone != self._of(rows).to_list():
            raise PipelineError(f"{self._place}: compares rows with each other. Write a condition about one row.")
        self._is_probed = True


def _parsed(condition: str, schema: pl.Schema) -> pl.Expr:
    """The condition as an expression. A column's name may mean something in SQL, such as `user`, or have blanks."""
    try:
        return pl.sql_expr(condition)
    except pl.exceptions.PolarsError:
        plain = sorted((name for name in schema if re.fullmatch(r"\w+( \w+)*", name)), key=len, reverse=True)
        names = "|".join(rf"\b{re.escape(name)}\b" for name in plain)
        if not names:
            raise
        pattern = rf"""('(?:[^']|'')*'|"[^"]*")|({names})"""
        return pl.sql_expr(re.sub(pattern, lambda found: found[1] or f'"{found[2]}"', condition))
