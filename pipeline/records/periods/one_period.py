"""The rows of one period: cleaned as they come, they wait until they are enough to be written.

Rows without a date go to quarantine at once.

Batches of rows enter, and leave as frames with the path of a file.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.errors import PipelineError
from pipeline.records.cleaning.cleaner import Cleaner
from pipeline.records.cleaning.counts import Counts
from pipeline.records.cleaning.quarantine import Quarantine, Why
from pipeline.records.periods.keys import UNDATED, period_keys, period_of, source_column
from pipeline.records.record_files import file_of
from pipeline.records.source.batch import Batch
from pipeline.records.values.times import LIKE
from pipeline.records.values.writing import Writing, unclear

_MARKS = {".": "point", ",": "comma"}


def by_period(batch: Batch, conf: Dataset, wanted: Collection[str]) -> Iterator[tuple[str, Batch]]:
    """The rows of each period in a batch, of those that are wanted; lines from which no row can be made are undated."""
    keys = period_keys(batch.frame[source_column(conf)], conf)
    rows = keys.to_frame("key").with_row_index("row")
    for (one,), some in rows.group_by("key", maintain_order=True):
        if one in wanted:
            yield str(one), batch if some.height == rows.height else _taken(batch, some["row"].to_list())
    if batch.unreadable and UNDATED in wanted:
        yield UNDATED, _taken(batch, [])._replace(unreadable=batch.unreadable)


def _taken(batch: Batch, rows: list[int]) -> Batch:
    """Some rows of a batch, without its unreadable lines."""

    def raw(some: Sequence[int]) -> list[str]:
        return batch.raw([rows[i] for i in some])

    return Batch(batch.frame[rows], batch.file, batch.lines[rows], raw)


class PeriodRecords:
    """The records of a period while they are read."""

    def __init__(
        self,
        one: str,
        folder: Path,
        conf: Dataset,
        schema: pl.Schema,
        quarantine: Quarantine,
        writing: Writing,
    ) -> None:
        """Begin without records.

        Args:
            one: the key of the period.
            folder: its files are written there.
            conf: the dataset.
            schema: the columns of the source.
            quarantine: gets the records that cannot be used.
            writing: how numbers and dates are read; all periods are read alike.

        Raises:
            PipelineError: the source lacks a column that conf names, or holds something else in it.
        """
        self.quarantine = quarantine
        self.size, self.height = 0, 0
        """Bytes and number of the records that wait."""
        self._one, self._folder, self._conf = one, folder, conf
        self._cleaner = Cleaner(conf, schema, quarantine, writing)
        self._undated = Counts()
        self._waiting: list[pl.DataFrame] = []
        self._n_files = 0

    @property
    def counts(self) -> Counts:
        """What became of the rows of the period."""
        return self._undated if self._one == UNDATED else self._cleaner.counts

    @property
    def written(self) -> dict[str, dict[str, str]]:
        """How numbers are written, see `Signs.facts`."""
        return self._cleaner.signs.facts(self._cleaner.writing)

    def add(self, batch: Batch) -> None:
        """Clean rows of the period; if they have no date, none can be used."""
        if self._one == UNDATED:
            self._set_aside(batch)
            return
        frame = self._cleaner.clean(batch._replace(unreadable=()))
        if frame.height:
            self._waiting.append(frame)
            self.size, self.height = self.size + int(frame.estimated_size()), self.height + frame.height

    def _set_aside(self, batch: Batch) -> None:
        self.quarantine.add_unreadable(batch.file, batch.unreadable)
        column, values = period_of(self._conf).column, batch.frame[source_column(self._conf)]
        missing = {*self._conf.source.missing, None}
        why = [Why("is missing" if value in missing else f"is no date such as {LIKE}", column) for value in values]
        self.quarantine.add(batch.file, batch.lines.tolist(), why, batch.raw(range(len(why))))
        self._undated.read += batch.n_read
        self._undated.quarantined += batch.n_read

    def next_file(self, like: Mapping[str, pl.DataType] | None) -> tuple[Path, pl.DataFrame]:
        """The records that wait, and the file into which they are to be written.

        Args:
            like: the columns of the other periods, which it gets too; None: there are no others. A column whose values
                fit into their dtype gets that.
        """
        frame = pl.concat(self._waiting)
        self._waiting, self.size, self.height = [], 0, 0
        if like is not None:
            with suppress(pl.exceptions.SchemaError):  # what cannot be alike is told once all is written
                frame = pl.concat([frame, pl.DataFrame(schema=like)], how="diagonal_relaxed").select(like.keys())
        self._n_files += 1
        return file_of(self._folder, self._n_files - 1), frame

    def require_writing(self) -> None:
        """Refuse numbers and dates that are written otherwise than they were read.

        Raises:
            PipelineError: says what to write into conf.
        """
        days, when = self._cleaner.signs.days, self._conf.split.time
        if days.unclear is not None:  # another period may tell, but each has to be read without the others
            raise unclear(self._conf, "split.time", when, days.unclear)
        for column, unit in self._cleaner.signs.units.units({}).items():
            if column not in self._conf.source.units:
                raise PipelineError(
                    f"{self._conf.file}, source.units: the numbers of {column!r} have the unit {unit} in {self._one}. "
                    f"Say `units: {{{column!r}: {unit!r}}}` below `source`, so that all periods are read alike."
                )
        if self._conf.source.decimal is not None:
            return
        for column, marks in self._cleaner.signs.marks.items():
            used = self._cleaner.writing.decimals.get(column, ".")
            mark = marks.decimal(used)
            if mark != used:
                raise PipelineError(
                    f"{self._conf.file}, source.decimal: the numbers of {column!r} have a decimal {_MARKS[mark]} in "
                    f'{self._one}. Say `decimal: "{mark}"` below `source`, so that all periods are read alike.'
                )
