"""How a source writes numbers, their units and dates, as the texts of all its rows tell it, or as conf says it."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.errors import PipelineError
from pipeline.records.columns import number_column
from pipeline.records.dates import Days
from pipeline.records.numbers import ColumnMarks, Decimal, as_number
from pipeline.records.units import ColumnUnits, taken_apart


class Writing(NamedTuple):
    """How numbers and dates are read."""

    decimals: Mapping[str, Decimal]
    """The mark before the decimals of each column of texts that holds numbers."""
    day_first: bool | None = None
    """Whether the day stands before the month in the column of times; None: each date tells."""
    units: Mapping[str, str] = MappingProxyType({})
    """The unit of each column of texts whose numbers have one."""

    def number(self, column: str) -> pl.Expr:
        """The numbers of a column of texts, see `as_number`."""
        return as_number(pl.col(column), self.decimals.get(column, "."), self.units.get(column))

    def facts(self) -> dict[str, dict[str, str]]:
        """What JSON can hold of it: how numbers are written."""
        return {"decimals": {**self.decimals}, "units": {**self.units}}

    @property
    def told(self) -> dict[str, str]:
        """What was found out about numbers, for people."""
        decimals = {f"decimals of {column}": mark for column, mark in self.decimals.items()}
        return decimals | {f"unit of {column}": unit for column, unit in self.units.items()}


def written(conf: Dataset, records: pl.LazyFrame) -> Writing:
    """How the numbers of the columns of texts were read, as records tell that could be used."""
    schema = records.collect_schema()
    decimals: dict[str, Decimal] = {}
    units = dict(conf.source.units)
    for name in {one.column for one in conf.numbers()}:
        if schema.get(name) != pl.String or number_column(name) not in schema:
            continue
        unit = pl.col(name).map_batches(lambda texts: taken_apart(texts)["unit"], pl.String, is_elementwise=True)
        counts = records.select(unit=unit).drop_nulls().group_by("unit").len().collect(engine="streaming")
        if counts.height and name not in units:
            units[name] = counts.sort("len", "unit", descending=[True, False])["unit"][0]
        read = Writing({name: ","}, units=units).number(name)
        differs = (read.ne(pl.col(number_column(name))) | read.is_nan()).any()
        decimals[name] = "." if records.select(differs).collect(engine="streaming").item() else ","
    return Writing(decimals, units=units)


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
