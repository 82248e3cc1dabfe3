"""How a source writes numbers and dates, as the texts of all its rows tell it, or as conf says it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.errors import PipelineError
from pipeline.records.dates import Days
from pipeline.records.numbers import ColumnMarks, Decimal


class Writing(NamedTuple):
    """How numbers and dates are read."""

    decimals: Mapping[str, Decimal]
    """The mark before the decimals of each column of texts that holds numbers."""
    day_first: bool | None = None
    """Whether the day stands before the month in the column of times; None: each date tells."""


class Signs:
    """What the texts of a source tell about how it writes, batch after batch."""

    def __init__(self, conf: Dataset, numbers: Sequence[str], times: str | None) -> None:
        """Begin without texts.

        Args:
            conf: the dataset.
            numbers: the columns of texts that hold numbers.
            times: the column of texts that says when, if there is one.
        """
        self.marks, self.days = ColumnMarks(), Days()
        self._conf, self._numbers, self._times = conf, numbers, times

    def add(self, frame: pl.DataFrame) -> None:
        """Look at the texts of some rows."""
        self.marks.add(frame, self._numbers)
        if self._times is not None and self._conf.source.day_first is None:
            self.days += Days.of(frame[self._times])

    def writing(self, usual: Decimal) -> Writing:
        """How numbers and dates are written.

        Args:
            usual: the mark before decimals where texts do not tell.
        """
        source = self._conf.source
        day_first = self.days.day_first if source.day_first is None else source.day_first
        return Writing(self.marks.decimals(usual, source.decimal), day_first)

    def require_told(self) -> None:
        """Refuse dates of which none tells whether the day stands before the month.

        Raises:
            PipelineError: says what to write into conf.
        """
        if self.days.day_first is None and self.days.unclear is not None:
            raise unclear(self._conf, "split.time", self._times, self.days.unclear)


def unclear(conf: Dataset, key: str, column: str | None, date: str) -> PipelineError:
    """What to say of a date that may be read in two ways.

    Args:
        conf: the dataset.
        key: the key of conf that names the column.
        column: its name.
        date: the date.
    """
    return PipelineError(
        f"{conf.file}, {key}: in dates of {column!r}, such as {date}, the day may stand before the month or behind it. "
        "Say `day_first: true` or `day_first: false` below `source`."
    )
