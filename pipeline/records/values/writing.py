"""How a source writes numbers, their units and dates, as the texts of all its rows tell it, or as conf says it."""

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.errors import PipelineError
from pipeline.records.values.dates import Days
from pipeline.records.values.numbers import ColumnMarks, Decimal, numbers_of
from pipeline.records.values.units import ColumnUnits, is_passed_over


class Writing(NamedTuple):
    """How numbers and dates are read."""

    decimals: Mapping[str, Decimal]
    """The mark before the decimals of each column of texts that holds numbers."""
    day_first: bool | None = None
    """Whether the day stands before the month in the column of times; None: each date tells."""
    units: Mapping[str, str] = MappingProxyType({})
    """The unit of each column of texts whose numbers have one."""

    def number(self, column: str) -> pl.Expr:
        """The numbers of a column of texts, see `numbers_of`."""
        read = partial(numbers_of, decimal=self.decimals.get(column, "."), unit=self.units.get(column))
        return pl.col(column).map_batches(read, pl.Float64, is_elementwise=True)

    @property
    def told(self) -> dict[str, str]:
        """What was found out about numbers, for people."""
        decimals = {f"decimals of {column}": mark for column, mark in self.decimals.items()}
        return decimals | {f"unit of {column}": unit for column, unit in self.units.items()}


class Signs:
    """What the texts of a source tell about how it writes, batch after batch."""

    def __init__(self, conf: Dataset, numbers: Sequence[str], times: str | None) -> None:
        """Begin without texts.

        Args:
            conf: the dataset.
            numbers: the columns of texts that hold numbers.
            times: the column of texts that says when, if there is one.
        """
        self.marks, self.units, self.days = ColumnMarks(), ColumnUnits(), Days()
        self._conf, self._numbers, self._times = conf, numbers, times

    def add(self, frame: pl.DataFrame) -> None:
        """Look at the texts of some rows."""
        self.marks.add(frame, self._numbers)
        self.units.add(frame, self._numbers)
        if self._times is not None and self._conf.source.day_first is None:
            self.days += Days.of(frame[self._times])

    def writing(self, usual: Decimal) -> Writing:
        """How numbers and dates are written.

        Args:
            usual: the mark before decimals where texts do not tell.
        """
        source = self._conf.source
        day_first = self.days.day_first if source.day_first is None else source.day_first
        return Writing(self.marks.decimals(usual, source.decimal), day_first, self.units.units(source.units))

    def facts(self, used: Writing) -> dict[str, dict[str, str]]:
        """What JSON can hold of how numbers were read: `decimals`, the mark, and `units`, the unit, by column.

        A currency or percent is among the units though numbers are read without it: who asks about amounts in another
        one gets no answer.

        Args:
            used: how they were read.
        """
        most = {column: units.most for column, units in self.units.items()}
        signs = {column: unit for column, unit in most.items() if unit is not None and is_passed_over(unit)}
        decimals = {column: used.decimals.get(column, ".") for column in self.marks}
        return {"decimals": {**decimals}, "units": {**signs, **self._conf.source.units, **used.units}}

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
