"""Raw rows enter, the records that can be used leave; every other row is counted, and kept in quarantine if it is bad.

The order is fixed: columns are renamed, words for a missing value become none, `where` filters, records that cannot be
used are set aside, and of equal records the first stays.
"""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import polars as pl
from polars.selectors import by_dtype

from pipeline.config.dataset import Dataset
from pipeline.records.cleaning.counts import Counts
from pipeline.records.cleaning.duplicates import Seen
from pipeline.records.cleaning.filtering import Filter
from pipeline.records.cleaning.quarantine import Quarantine, Why
from pipeline.records.columns import named_columns, number_column, renamed, require_columns
from pipeline.records.source.batch import Batch
from pipeline.records.values.missing import with_missing
from pipeline.records.values.times import LIKE, are_numbers, as_time, time_column
from pipeline.records.values.units import is_in
from pipeline.records.values.writing import Signs, Writing

LARGEST = 1e100
"""The largest number that can be used: its square still is one."""


_PLACE = "\0place"
"""The column with the place of a row in its batch; no column of a file has such a name."""


class _Rule(NamedTuple):
    """A reason for which a record cannot be used, and whether that is so for each record."""

    why: Why
    is_bad: pl.Expr


class Cleaner:
    """Cleans batch after batch, and counts."""

    def __init__(
        self,
        conf: Dataset,
        columns: pl.Schema,
        quarantine: Quarantine,
        writing: Writing,
        may_lack: bool = False,
    ) -> None:
        """Prepare for the columns of a source.

        Args:
            conf: the dataset.
            columns: the columns of the source.
            quarantine: gets the records that cannot be used.
            writing: how numbers and dates are read.
            may_lack: whether a column that conf renames may be missing, as long as nothing is read from it, and one
                that conf names may be without any value.

        Raises:
            PipelineError: the source lacks a column that conf names, or holds something else in it.
        """
        self.conf, self.quarantine = conf, quarantine
        # a column without any value is then one of texts, as in a CSV file
        self._bare = [by_dtype(pl.Null).cast(pl.String)] if may_lack else []
        self.schema = pl.DataFrame(schema=renamed(conf, columns, may_lack)).with_columns(self._bare).schema
        require_columns(conf, self.schema)
        self.counts = Counts()
        self._seen = Seen()
        self._filter = Filter(conf, self.schema)
        self.signs = self._no_signs()
        named = {column.name for column in named_columns(conf)} | {*self._filter.columns}
        self._missing = [
            with_missing(name, self.schema[name], conf, name in self._number_texts) for name in sorted(named)
        ]
        self._times: bool | None = None
        """Whether the texts of the column of times are numbers: the first batch tells."""
        self.writing = writing

    @property
    def writing(self) -> Writing:
        """How numbers and dates are read."""
        return self._writing

    @writing.setter
    def writing(self, writing: Writing) -> None:
        self._writing = writing
        self._numbers = [writing.number(name).alias(number_column(name)) for name in self._number_texts]

    def signs_of(self, batch: Batch) -> Signs:
        """What the texts of a batch tell about how numbers and dates are written."""
        signs = self._no_signs()
        signs.add(self._with_missing(batch))
        return signs

    def _no_signs(self) -> Signs:
        columns = dict.fromkeys((*self._number_texts, *self._filter.as_numbers))
        return Signs(self.conf, [*columns], self._time_texts)

    def _with_missing(self, batch: Batch) -> pl.DataFrame:
        """The rows of a batch with the columns' own names, and null for a missing value."""
        frame = batch.frame.rename(dict(self.conf.source.rename), strict=False).with_columns(self._bare)
        return frame.with_columns(self._missing) if self._missing else frame

    @property
    def _number_texts(self) -> list[str]:
        """The columns of texts that hold numbers."""
        numbers = dict.fromkeys(number.column for number in self.conf.numbers())
        return [column for column in numbers if self.schema[column] == pl.String]

    def clean(self, batch: Batch) -> pl.DataFrame:
        """The records of a batch that can be used."""
        self.quarantine.add_unreadable(batch.file, batch.unreadable)
        frame = self._with_missing(batch)
        self.signs.add(frame)
        frame = self._with_times(frame.with_columns(self._numbers)).with_row_index(_PLACE)
        frame = self._that_meet_where(frame, batch)
        frame = self._with_an_answer(frame)
        frame = self._that_keep_the_rules(frame, batch)
        frame = self._that_are_new(frame.drop(_PLACE))
        self.counts.read += batch.n_read
        self.counts.quarantined = len(self.quarantine)
        self.counts.used += frame.height
        return frame

    @property
    def _time_texts(self) -> str | None:
        """The column of texts that says when, if there is one."""
        column = self.conf.split.time
        return column if column is not None and self.schema[column] == pl.String else None

    def _with_times(self, frame: pl.DataFrame) -> pl.DataFrame:
        column = self._time_texts
        if column is None:
            return frame
        if self._times is None:
            self._times = are_numbers(frame[column])
        read = as_time(pl.col(column), self._times, self.writing.day_first)
        return frame.with_columns(read.alias(time_column(column)))

    def _that_meet_where(self, frame: pl.DataFrame, batch: Batch) -> pl.DataFrame:
        if not self._filter:
            return frame
        stays, is_odd = self._filter.of(frame, self.writing)
        self._set_aside(batch, frame.filter(is_odd), [self._filter.why] * int(is_odd.sum()))
        self.counts.filtered += int((~stays & ~is_odd).sum())
        return frame.filter(stays & ~is_odd)

    def _with_an_answer(self, frame: pl.DataFrame) -> pl.DataFrame:
        answer = self.conf.task.answer
        if answer is None:
            return frame
        self.counts.unanswered += frame[answer].null_count()
        return frame.drop_nulls(answer)

    def _that_keep_the_rules(self, frame: pl.DataFrame, batch: Batch) -> pl.DataFrame:
        """The records that break no rule; of a record that breaks several, the first is told."""
        every = list(self._all_rules())  # units that are read later are told too
        broken = pl.coalesce(*(pl.when(rule.is_bad).then(i) for i, rule in enumerate(every)), pl.lit(None))
        rules = frame.select(broken).to_series()
        if rules.null_count() == len(rules):
            return frame
        self._set_aside(batch, frame.filter(rules.is_not_null()), [every[i].why for i in rules.drop_nulls()])
        return frame.filter(rules.is_null())

    def _that_are_new(self, frame: pl.DataFrame) -> pl.DataFrame:
        columns = self.conf.source.drop_duplicates
        if not columns:
            return frame
        is_new = self._seen.is_new(frame if columns is True else frame.select(columns))
        self.counts.merged += int((~is_new).sum())
        return frame.filter(is_new)

    def _set_aside(self, batch: Batch, frame: pl.DataFrame, why: list[Why]) -> None:
        if frame.height:
            rows = frame[_PLACE].to_list()
            self.quarantine.add(batch.file, batch.lines[rows].tolist(), why, batch.raw(rows))

    def _all_rules(self) -> Iterator[_Rule]:
        conf = self.conf
        for needed in (conf.example, conf.split.column, conf.split.group, conf.split.time):
            if needed is not None:
                yield _Rule(Why("is missing", needed), pl.col(needed).is_null())
        if conf.split.time is not None:
            yield from self._rules_of_times(conf.split.time)
        if conf.weight is not None:
            yield _Rule(Why("is missing", conf.weight), pl.col(conf.weight).is_null())
        for number in conf.numbers():
            column = number.column
            is_text = column in self._number_texts
            value = pl.col(number_column(column)) if is_text else pl.col(column).cast(pl.Float64)
            if is_text:
                yield from self._rules_of_units(column, value)
                mark = "comma" if self.writing.decimals.get(column) == "," else "point"
                yield _Rule(Why(f"is no number with a decimal {mark}", column), value.is_nan())
            yield _Rule(Why("is not finite", column), value.is_infinite())
            yield _Rule(Why(f"is beyond {LARGEST:g}", column), value.abs() > LARGEST)
            if number.above_0:
                yield _Rule(Why(f"is not above 0, {number.above_0}", column), value <= 0)
        for tokens in conf.tokens:
            for column in tokens.columns:
                for reason, is_bad in tokens.rules(column, self.schema[column]):
                    yield _Rule(Why(reason, column), is_bad)
        if conf.task.predicts_tokens and not any(tokens.gives_lists for tokens in conf.tokens):
            none = pl.all_horizontal(pl.col(column).is_null() for column in conf.token_columns)
            yield _Rule(Why("is missing", " and ".join(conf.token_columns)), none)

    def _rules_of_units(self, column: str, value: pl.Expr) -> Iterator[_Rule]:
        unit = self.writing.units.get(column)
        for other in self.signs.units[column].others(unit) if unit is not None else ():
            has_it = pl.col(column).map_batches(partial(is_in, unit=other), pl.Boolean, is_elementwise=True)
            yield _Rule(Why(f"has the unit {other}, and the others have {unit}", column), value.is_nan() & has_it)

    def _rules_of_times(self, column: str) -> Iterator[_Rule]:
        if self._time_texts is not None:
            yield _Rule(Why(f"is no time such as {LIKE}", column), pl.col(time_column(column)).is_null())
        elif self.schema[column].is_float():
            yield _Rule(Why("is not finite", column), pl.col(column).is_infinite())
