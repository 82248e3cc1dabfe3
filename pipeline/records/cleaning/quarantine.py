"""Keeps the records that cannot be used: each with its file, line, column, reason and text, in one Parquet file."""

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Self

import polars as pl

from pipeline.records.source.batch import Unreadable
from pipeline.records.source.paths import without_way_back

FILE = "quarantine.parquet"
_SCHEMA = {"file": pl.String, "line": pl.Int64, "column": pl.String, "reason": pl.String, "raw": pl.String}
_ROWS = 10_000
"""Records that wait in memory."""

_CURES = {
    "is not UTF-8": "Say its encoding with `source.encoding`, such as windows-1252.",
    "has more values than columns": "Is `source.separator` right?",
    "has fewer values than columns": "Is `source.separator` right?",
    "has a quote that does not close": "Where quotes are letters like others, say `source.quote: null`.",
    "has text behind a closing quote": "Where quotes are letters like others, say `source.quote: null`.",
    "is no time": "Write times like that, or all of them as numbers, or name another column in `split.time`.",
    "is no date": "Write dates like that, or name another column in `source.period`.",
    "is not above 0, and has no logarithm": "Leave them out with `source.where`; or say `log: false` in `task`, to "
    "learn such numbers as they are.",
    "is no number": "Say how decimals are marked with `source.decimal`, or what unit there is with `source.units`, or "
    "name another column.",
    "has the unit": "Write all numbers of a column in one unit, or leave the others out with `source.where`.",
}
"""What to do where many records cannot be used for one reason, by how the reason begins."""
_A_TEXT_IS_AN_ANSWER_TOO = "To predict a text say `kind: classification`."


class Why(NamedTuple):
    """Why a record cannot be used."""

    reason: str
    """Words that fit behind the name of a record, such as `has no id`."""
    column: str | None = None
    """The column that is wrong; None if the whole line is."""

    def __str__(self) -> str:
        return f"{self.column}: {self.reason}" if self.column else self.reason


class Place(NamedTuple):
    """Where a record stands."""

    file: str
    line: int

    def __str__(self) -> str:
        """The file and the line.

        >>> f"{Place('/home/me/conf/../sales.csv', 7)}"
        '/home/me/sales.csv:7'
        """
        return f"{without_way_back(self.file)}:{self.line}"


class Reasons:
    """Why records cannot be used: how many for each reason, and the first of them."""

    def __init__(self) -> None:
        """Start without a record."""
        self.counts: Counter[Why] = Counter()
        self.first: dict[Why, tuple[Place, str]] = {}
        """Where the first record of each reason stands, and its text."""

    @classmethod
    def of(cls, frame: pl.DataFrame) -> "Reasons":
        """The reasons for which the records of a file of quarantine cannot be used."""
        reasons = cls()
        for file, line, column, reason, raw in frame.iter_rows():
            reasons.count(Why(reason, column), Place(file, line), raw)
        return reasons

    def __len__(self) -> int:
        return self.counts.total()

    def count(self, why: Why, place: Place, raw: str) -> None:
        """Count a record."""
        self.counts[why] += 1
        self.first.setdefault(why, (place, raw))

    def sentence(self) -> str:
        """The reasons by frequency, each with its count and the first place."""
        reasons = [f"{count:,} x {why} (first {self.first[why][0]})" for why, count in self.counts.most_common(5)]
        more = len(self.counts) - len(reasons)
        return "; ".join(reasons) + (f"; and {more} more reasons" if more else "")

    def cure(self, answer: str | None) -> str:
        """What to do, if most records cannot be used for one reason and conf has a key for it; otherwise empty.

        Args:
            answer: the column that is predicted, if there is one.
        """
        ((why, count),) = self.counts.most_common(1)
        cure_of_most = next((cure for start, cure in _CURES.items() if why.reason.startswith(start)), "")
        if why.reason.startswith("is no number") and why.column == answer:
            cure_of_most = f"{cure_of_most} {_A_TEXT_IS_AN_ANSWER_TOO}"
        return cure_of_most if 2 * count > len(self) else ""


class Quarantine(Reasons):
    """Collects records that cannot be used; a context, after which the file is complete."""

    def __init__(self, folder: Path) -> None:
        """Start without a record; the file in the folder is opened once there is something to write."""
        super().__init__()
        self._path = folder / FILE
        self._waiting: list[tuple[str, int, str | None, str, str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        self._writer.close()

    @cached_property
    def _writer(self) -> Any:
        from pyarrow import parquet

        return parquet.ParquetWriter(self._path, _table([]).schema, compression="zstd")

    def add(self, file: str, lines: Sequence[int], why: Sequence[Why], raw: Sequence[str]) -> None:
        """Set records of a file aside.

        Args:
            file: the file as people know it.
            lines: the line of each.
            why: why each cannot be used.
            raw: the text of each.
        """
        for line, one, text in zip(lines, why, raw, strict=True):
            self.count(one, Place(file, int(line)), text)
            self._waiting.append((file, int(line), one.column, one.reason, text))
        if len(self._waiting) >= _ROWS:
            self._flush()

    def add_unreadable(self, file: str, lines: Sequence[Unreadable]) -> None:
        """Set lines of a file aside from which no row can be made."""
        self.add(file, [one.line for one in lines], [Why(one.reason) for one in lines], [one.raw for one in lines])

    def _flush(self) -> None:
        self._writer.write_table(_table(self._waiting))
        self._waiting = []


def _table(rows: list[tuple[str, int, str | None, str, str]]) -> Any:
    """Records as a table of Arrow, which would import pandas to look at lists: that takes longer than a small file."""
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row").to_arrow(compat_level=pl.CompatLevel.oldest())
