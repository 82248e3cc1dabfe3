"""Raw rows enter, the records that can be used leave; every other row is counted, and kept in quarantine if it is bad.

The order is fixed: columns are renamed, words for a missing value become none, `where` filters, records that cannot be
used are set aside, and of equal records the first stays.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.errors import PipelineError, nearest
from pipeline.records.columns import named_columns, number_column
from pipeline.records.duplicates import Seen
from pipeline.records.filtering import Filter
from pipeline.records.numbers import ColumnMarks, Decimal, as_number
from pipeline.records.quarantine import Quarantine, Why
from pipeline.records.source.batch import Batch
from pipeline.records.token_texts import texts_of

_LARGEST = 1e100
"""The largest number that can be used: its square still is one."""


@dataclass
class Counts:
    """What became of the rows of a source: read = used + quarantined + filtered + unanswered + merged."""

    read: int = 0
    used: int = 0
    quarantined: int = 0
    filtered: int = 0
    """Left out by `where`."""
    unanswered: int = 0
    """Without a value to predict."""
    merged: int = 0
    """Equal to an earlier record, and left out by `drop_duplicates`."""

    @property
    def accounted(self) -> bool:
        """Whether every row is in exactly one of the counts."""
        return self.read == self.used + self.quarantined + self.filtered + self.unanswered + self.merged


class _Rule(NamedTuple):
    """A reason for which a record cannot be used, and whether that is so for each record."""

    why: Why
    is_bad: pl.Expr


class Cleaner:
    """Cleans batch after batch, and counts."""

    def __init__(
        self, conf: Dataset, columns: pl.Schema, where: str, quarantine: Quarantine, decimals: Mapping[str, Decimal]
    ) -> None:
        """Prepare for the columns of a source.

        Args:
            conf: the dataset.
            columns: the columns of the source.
            where: the source as people know it, for messages.
            quarantine: gets the records that cannot be used.
            decimals: the mark before the decimals of each column that holds numbers as text.

        Raises:
            PipelineError: the source lacks a column that conf names, or holds something else in it.
        """
        self.conf, self.quarantine = conf, quarantine
        self.schema = _renamed(conf, columns, where)
        _require_columns(conf, self.schema, where)
        self.counts = Counts()
        self.marks = ColumnMarks()
        self._seen = Seen()
        self._filter = Filter(conf, self.schema)
        texts = {column.name for column in named_columns(conf) if self.schema[column.name] == pl.String}
        texts |= {*self._filter.columns, *self._number_texts}
        floats = {column.name for column in named_columns(conf) if self.schema[column.name].is_float()}
        self._missing = [
            *(
                pl.when(~pl.col(name).is_in(conf.source.missing)).then(pl.col(name)).alias(name)
                for name in sorted(texts)
            ),
            *(pl.col(name).fill_nan(None) for name in sorted(floats)),
        ]
        self.decimals = decimals
        self._unanswered = pl.col(conf.task.answer).is_null() if conf.task.answer else pl.lit(False)

    @property
    def decimals(self) -> Mapping[str, Decimal]:
        """The mark before the decimals of each column of texts that holds numbers."""
        return self._decimals

    @decimals.setter
    def decimals(self, decimals: Mapping[str, Decimal]) -> None:
        self._decimals = decimals
        self._numbers = [
            as_number(pl.col(name), decimals.get(name, ".")).alias(number_column(name)) for name in self._number_texts
        ]
        self._rules = list(self._all_rules())

    def marks_of(self, batch: Batch) -> ColumnMarks:
        """What the texts of a batch tell about the marks before decimals."""
        return ColumnMarks().add(self._with_missing(batch), self._number_texts)

    def _with_missing(self, batch: Batch) -> pl.DataFrame:
        """The rows of a batch with the columns' own names, and null for a missing value."""
        frame = batch.frame.rename(dict(self.conf.source.rename))
        return frame.with_columns(self._missing) if self._missing else frame

    @property
    def _number_texts(self) -> list[str]:
        """The columns of texts that hold numbers."""
        return [number.column for number in self.conf.task.numbers() if self.schema[number.column] == pl.String]

    def clean(self, batch: Batch) -> pl.DataFrame:
        """The records of a batch that can be used."""
        counts = self.counts
        counts.read += batch.n_read
        counts.quarantined += len(batch.unreadable)
        told = batch.unreadable
        self.quarantine.add(
            batch.file, [one.line for one in told], [Why(one.reason) for one in told], [one.raw for one in told]
        )
        frame = self._with_missing(batch)
        self.marks.add(frame, self._number_texts)
        frame = frame.with_columns(self._numbers) if self._numbers else frame
        place = np.arange(frame.height)  # of each row within the batch
        if self._filter:
            stays, odd = self._filter.of(frame)
            self._set_aside(batch, place[odd], [self._filter.why] * int(odd.sum()))
            counts.filtered += int((~stays & ~odd).sum())
            frame, place = frame.filter(pl.Series(stays & ~odd)), place[stays & ~odd]
        if self.conf.task.answer:
            lacks = frame.select(self._unanswered).to_series().to_numpy()
            if lacks.any():
                counts.unanswered += int(lacks.sum())
                frame, place = frame.filter(pl.Series(~lacks)), place[~lacks]
        if self._rules:
            bad = frame.select(pl.coalesce(*(self._coded(i) for i in range(len(self._rules))), pl.lit(0))).to_series()
            codes = bad.to_numpy()
            if codes.any():
                self._set_aside(batch, place[codes > 0], [self._rules[code - 1].why for code in codes[codes > 0]])
                frame = frame.filter(pl.Series(codes == 0))
        if self.conf.source.drop_duplicates:
            asked = self.conf.source.drop_duplicates
            is_new = self._seen.is_new(frame if asked is True else frame.select(asked))
            counts.merged += int((~is_new).sum())
            frame = frame.filter(pl.Series(is_new))
        counts.used += frame.height
        return frame

    def _coded(self, rule: int) -> pl.Expr:
        return pl.when(self._rules[rule].is_bad).then(pl.lit(rule + 1))

    def _set_aside(self, batch: Batch, rows: np.ndarray, why: list[Why]) -> None:
        if len(rows):
            self.counts.quarantined += len(rows)
            self.quarantine.add(batch.file, batch.lines[rows].tolist(), why, batch.raw(rows.tolist()))

    def _all_rules(self) -> Iterator[_Rule]:
        conf = self.conf
        if conf.example is not None:
            yield _Rule(Why("is missing", conf.example), pl.col(conf.example).is_null())
        if conf.split.column is not None:
            part = pl.col(conf.split.column)
            yield _Rule(Why("is missing", conf.split.column), part.is_null())
        for number in conf.task.numbers():
            column = number.column
            is_text = column in self._number_texts
            value = pl.col(number_column(column)) if is_text else pl.col(column).cast(pl.Float64)
            if is_text:
                mark = "comma" if self.decimals.get(column) == "," else "point"
                yield _Rule(Why(f"is no number with a decimal {mark}", column), value.is_nan())
            yield _Rule(Why("is not finite", column), value.is_infinite())
            yield _Rule(Why(f"is beyond {_LARGEST:g}", column), value.abs() > _LARGEST)
            if number.positive:
                yield _Rule(Why("is not above 0, and has no logarithm", column), value <= 0)
        for tokens in conf.tokens:
            for column in tokens.columns:
                for reason, is_bad in tokens.rules(column, self.schema[column]):
                    yield _Rule(Why(reason, column), is_bad)
        if conf.task.predicts_tokens and not any(tokens.gives_lists for tokens in conf.tokens):
            none = pl.all_horizontal(pl.col(column).is_null() for column in conf.token_columns)
            yield _Rule(Why("is missing", " and ".join(conf.token_columns)), none)


def needed_columns(conf: Dataset) -> list[str]:
    """The columns of the source that will be used, by the names that the source gives them."""
    before = {new: old for old, new in conf.source.rename.items()}
    return [before.get(column.name, column.name) for column in named_columns(conf)]


def _renamed(conf: Dataset, columns: pl.Schema, where: str) -> pl.Schema:
    renamed = conf.source.rename
    for old in renamed:
        if old not in columns:
            raise PipelineError(
                f"{conf.file}, source.rename: there is no column {old!r} in {where}, {nearest(old, columns.names())}"
            )
    names = [renamed.get(name, name) for name in columns.names()]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise PipelineError(f"{conf.file}, source.rename: {where} would have two columns {twice!r}.")
    return pl.Schema(zip(names, columns.dtypes(), strict=True))


def _require_columns(conf: Dataset, schema: pl.Schema, where: str) -> None:
    """Refuse a source that lacks a column, or in which a column holds what cannot be used."""
    duplicates = conf.source.drop_duplicates
    keys = [
        (f"source.drop_duplicates[{i}]", name)
        for i, name in enumerate(duplicates if isinstance(duplicates, tuple) else ())
    ]
    for key, column in [*((key, name) for key, name, _ in named_columns(conf)), *keys]:
        if column not in schema:
            raise PipelineError(
                f"{conf.file}, {key}: there is no column {column!r} in {where}, {nearest(column, schema.names())}"
            )
    for number in conf.task.numbers():
        dtype = schema[number.column]
        if dtype != pl.String and not (dtype.is_numeric() or dtype == pl.Boolean):
            raise PipelineError(
                f"{conf.file}, task: the column {number.column!r} of {where} holds {dtype}, and a number is asked for."
            )
    for tokens in conf.tokens:
        for column in tokens.columns:
            texts_of(tokens, column, schema[column], conf)
    if conf.example is not None and schema[conf.example].is_nested():
        raise PipelineError(
            f"{conf.file}, example: the column {conf.example!r} holds {schema[conf.example]}, which is no id."
        )
