"""Finds the lines of a block of delimited text that are no records, so that all others can be parsed at once.

A record is a line, or several lines if a quoted value holds line ends (RFC 4180). Python's csv module decides about the
few lines that look odd: with too many or too few values, or with quotes at unusual places. All others are told by
counting, a block at a time.
"""

import csv
import io
from typing import Any, NamedTuple

import numpy as np

from pipeline.arrays import Array
from pipeline.records.source.batch import Unreadable

MOST_LINES, MOST_BYTES = 10_000, 2**24
"""The longest record that is looked for: where a quote stays open beyond it, the quote is a mistake."""
_END, _RETURN = 10, 13
csv.field_size_limit(2**31 - 1)


class Dialect(NamedTuple):
    """How records are written as text."""

    separator: str
    quote: str | None
    n_columns: int


class Sifted(NamedTuple):
    """A block without its odd lines."""

    text: bytes
    """The records, each on lines of its own, in a form that every parser of CSV reads alike."""
    lines: Array
    """(n,) the place of each record's first line within the block, from 0."""
    ends: Array
    """(n,) the place behind each record's last line."""
    unreadable: list[Unreadable]
    """The lines that are no record, by their places within the block."""
    rest: bytes
    """The end of the block, if a quoted value goes on in the next one."""


def sift(text: bytes, dialect: Dialect, is_last: bool) -> Sifted:
    """The records of a block, and the lines that are none.

    Args:
        text: whole lines.
        dialect: how records are written.
        is_last: whether no block follows.
    """
    return _Sifter(text, dialect).sifted(is_last)


class _Sifter:
    """Works on one block. Letters: n lines, q quotes, s separators."""

    def __init__(self, text: bytes, dialect: Dialect) -> None:
        self.text, self.dialect = text, dialect
        buffer = np.frombuffer(text, np.uint8)
        self.ends = np.flatnonzero(buffer == _END)  # (n,)
        self.starts = np.append(0, self.ends[:-1] + 1)  # (n,)
        separators = np.flatnonzero(buffer == ord(dialect.separator))  # (s,)
        quotes = np.flatnonzero(buffer == ord(dialect.quote)) if dialect.quote else np.empty(0, np.int64)  # (q,)
        before = np.searchsorted(quotes, self.starts)  # (n,) the number of quotes before each line
        n_quotes = np.diff(np.append(before, len(quotes)))
        outside = separators
        if len(quotes):
            line = np.searchsorted(self.ends, separators)  # (s,)
            outside = separators[(np.searchsorted(quotes, separators) - before[line]) % 2 == 0]
        n_values = np.diff(np.append(np.searchsorted(outside, self.starts), len(outside))) + 1
        self.is_blank = _is_blank(buffer, self.starts, self.ends)
        self.is_open = n_quotes % 2 == 1
        odd_quotes = _lines_with_odd_quotes(buffer, quotes, before, self.ends, dialect)
        self.is_good = ~self.is_blank & ~self.is_open & ~odd_quotes & (n_values == dialect.n_columns)
        self.is_good &= ~self._not_utf_8()

    def _not_utf_8(self) -> Array:
        """Whether each line (n,) holds bytes that are no UTF-8."""
        found, at = np.zeros(len(self.ends), bool), 0
        while True:
            try:
                str(memoryview(self.text)[at:], "utf-8")
                return found
            except UnicodeDecodeError as error:
                line = int(np.searchsorted(self.ends, at + error.start))
                found[line] = True
                at = int(self.ends[line]) + 1

    def sifted(self, is_last: bool) -> Sifted:
        """The block without its odd lines."""
        pieces: list[bytes] = []
        firsts: list[Array] = []
        ends: list[Array] = []
        unreadable: list[Unreadable] = []
        done = 0  # lines before this one are dealt with
        odd = np.flatnonzero(~self.is_good & ~self.is_blank)
        opens = np.flatnonzero(self.is_open)
        for first in odd.tolist():
            if first < done:
                continue
            self._keep(pieces, firsts, ends, done, first)
            last = self._last_line(first, opens)
            if last < 0 and not is_last and self._may_go_on(first):
                rest = self.text[self.starts[first] :]
                return Sifted(b"".join(pieces), _joined(firsts), _joined(ends), unreadable, rest)
            last, record = self._record(first, last)
            if record is None:
                unreadable.append(self._unreadable(first))
                done = first + 1
            else:
                pieces.append(record)
                firsts.append(np.array([first]))
                done = last + 1
                ends.append(np.array([done]))
        self._keep(pieces, firsts, ends, done, len(self.ends))
        return Sifted(b"".join(pieces), _joined(firsts), _joined(ends), unreadable, b"")

    def _keep(self, pieces: list[bytes], firsts: list[Array], ends: list[Array], start: int, end: int) -> None:
        """Keep the good lines from one line to another; blank lines between them go."""
        if start >= end:
            return
        good = start + np.flatnonzero(self.is_good[start:end])
        firsts.append(good)
        ends.append(good + 1)
        runs = np.split(good, np.flatnonzero(np.diff(good) > 1) + 1) if len(good) < end - start else [good]
        pieces += [self.text[self.starts[run[0]] : self.ends[run[-1]] + 1] for run in runs if len(run)]

    def _last_line(self, first: int, opens: Array) -> int:
        """The line on which a record ends that begins on a line; -1 if the block ends within a quoted value."""
        if not self.is_open[first]:
            return first
        at = int(np.searchsorted(opens, first)) + 1
        return int(opens[at]) if at < len(opens) else -1

    def _record(self, first: int, last: int) -> tuple[int, bytes | None]:
        """The last line of a record, and the record as every parser reads it alike; None if there is none.

        If several lines are no record, the first of them may be one by itself.
        """
        fits = last - first < MOST_LINES and self.ends[last] - self.starts[first] < MOST_BYTES
        if last > first and fits and (found := self._parsed(self._text(first, last))) is not None:
            return last, found
        return first, self._parsed(self._text(first, first))

    def _text(self, first: int, last: int) -> str | None:
        try:
            return str(memoryview(self.text)[self.starts[first] : self.ends[last]], "utf-8").removesuffix("\r")
        except UnicodeDecodeError:
            return None

    def _parsed(self, text: str | None) -> bytes | None:
        """A record, written anew; None if the text is no record. A quote may be escaped by a backslash."""
        if text is None or not self.dialect.quote:
            return None
        escaped = {"doublequote": False, "escapechar": "\\"}
        for escapes in ({}, escaped) if f"\\{self.dialect.quote}" in text else ({},):
            values = self._values(text, **escapes)
            if values is not None and len(values) == self.dialect.n_columns:
                written = io.StringIO()
                quoting: Any = csv.QUOTE_ALL if values == [""] else csv.QUOTE_MINIMAL
                csv.writer(written, **self._characters, lineterminator="\n", quoting=quoting).writerow(values)
                return written.getvalue().encode()
        return None

    def _values(self, text: str, **escapes: Any) -> list[str] | None:
        quoting: Any = csv.QUOTE_MINIMAL if self.dialect.quote else csv.QUOTE_NONE
        lines = io.StringIO(text, newline="")
        try:
            rows = list(csv.reader(lines, **self._characters, quoting=quoting, strict=True, **escapes))
        except csv.Error:
            return None
        return rows[0] if len(rows) == 1 else None

    @property
    def _characters(self) -> dict[str, Any]:
        return {"delimiter": self.dialect.separator, "quotechar": self.dialect.quote}

    def _may_go_on(self, first: int) -> bool:
        """Whether a quoted value that begins on a line may end in the next block."""
        return len(self.ends) - first < MOST_LINES and len(self.text) - self.starts[first] < MOST_BYTES

    def _unreadable(self, line: int) -> Unreadable:
        raw = self.text[self.starts[line] : self.ends[line]].removesuffix(b"\r")
        text = self._text(line, line)
        if text is None:
            return Unreadable(line, "is not UTF-8", raw.decode("utf-8", "backslashreplace"))
        if self.is_open[line]:
            return Unreadable(line, "has a quote that does not close", text)
        values = self._values(text)
        if values is None:
            return Unreadable(line, "has text behind a closing quote", text)
        return Unreadable(
            line, f"has {'more' if len(values) > self.dialect.n_columns else 'fewer'} values than columns", text
        )


def _is_blank(buffer: Array, starts: Array, ends: Array) -> Array:
    """Whether each line (n,) is empty."""
    length = ends - starts
    blank: Array = (length == 0) | ((length == 1) & (buffer[starts] == _RETURN))
    return blank


def _lines_with_odd_quotes(buffer: Array, quotes: Array, before: Array, ends: Array, dialect: Dialect) -> Array:
    """Whether each line (n,) has a quote that neither opens nor closes a value, nor stands for itself by being doubled.

    An opening quote follows a separator or the start of the line; a closing quote stands before a separator or its end.
    """
    found = np.zeros(len(ends), bool)
    if len(quotes):
        line = np.searchsorted(ends, quotes)
        opens = (np.arange(len(quotes)) - before[line]) % 2 == 0
        neighbour = np.where(opens, buffer[quotes - 1], buffer[quotes + 1])
        neighbour[0] = _END if quotes[0] == 0 else neighbour[0]
        usual = np.isin(neighbour, (ord(dialect.separator), ord(dialect.quote or '"'), _END))
        usual |= ~opens & (neighbour == _RETURN) & (ends[line] == quotes + 2)
        found[line[~usual]] = True
    return found


def _joined(arrays: list[Array]) -> Array:
    return np.concatenate(arrays) if arrays else np.empty(0, np.int64)
