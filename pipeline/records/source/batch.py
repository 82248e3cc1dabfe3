"""A batch of rows as it comes from a source, and the lines that cannot be read."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from pipeline.arrays import Array
from pipeline.errors import PipelineError


class EmptyFileError(PipelineError):
    """A file holds nothing: among others it is passed over."""

    def __init__(self, file: str) -> None:
        super().__init__(f"{file}: the file is empty.")


class Unreadable(NamedTuple):
    """A line from which no row can be made."""

    line: int
    """Its number in the file, from 1."""
    reason: str
    raw: str
    """Its text."""


class Batch(NamedTuple):
    """Some rows of one file, in the file's order."""

    frame: pl.DataFrame
    file: str
    """The file as people know it."""
    lines: Array
    """(n,) the line in the file on which each row begins, from 1; of a table without lines the row's number."""
    raw: Callable[[Sequence[int]], list[str]]
    """The texts of some rows, by their places in the frame, as the file has them."""
    unreadable: tuple[Unreadable, ...] = ()

    @property
    def n_read(self) -> int:
        """Number of rows that were read, those that cannot be used included."""
        return self.frame.height + len(self.unreadable)


def content_hash(frame: pl.DataFrame) -> int:
    """A number from the content of the rows; of all batches the sum tells tables apart, however they are cut."""
    return int(frame.hash_rows().sum() or 0)


def of_table(frame: pl.DataFrame, file: str, first: int) -> Batch:
    """A batch of a table that has rows and no lines; the raw text of a row is its values as JSON.

    Args:
        frame: some rows of the table.
        file: the table as people know it.
        first: the number of the first row, from 1.
    """

    def raw(rows: Sequence[int]) -> list[str]:
        return frame[list(rows)].select(pl.struct(pl.all()).struct.json_encode()).to_series().to_list()

    return Batch(frame, file, np.arange(first, first + frame.height), raw)
