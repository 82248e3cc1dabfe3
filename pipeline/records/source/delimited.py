"""Reads CSV, TSV and the like: all values are text, and a line that is no record is told."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from pipeline.arrays import Array
from pipeline.errors import PipelineError
from pipeline.out_of_core.side_by_side import side_by_side
from pipeline.records.source.batch import Batch, EmptyFileError, Unreadable
from pipeline.records.source.file_kinds import other_kind
from pipeline.records.source.names import names_in_line, plain_names
from pipeline.records.source.odd_lines import Dialect, Sifted, sift
from pipeline.records.source.streams import Block, TextFile

MOST_COLUMNS = 50_000
LINES_OF_NAMES = 100
"""Lines that the names of the columns take at most."""
_ONE = "\x1f"
"""Stands for a separator of several characters while a block is parsed."""
_RETURN = "\ue00d"
"""Stands for a carriage return within a line: a character that no text has."""
SEPARATORS = (",", ";", "\t", "|")
"""What usually stands between values, tried in this order."""


class DelimitedFile:
    """A text file with one record per line."""

    def __init__(
        self,
        file: TextFile,
        separator: str | None,
        quote: str | None,
        columns: Sequence[str] | None,
        needed: Sequence[str],
    ) -> None:
        """Read the first line.

        Args:
            file: the file.
            separator: the character between values; None: the usual one with which the first line has the most of the
                columns that are needed.
            quote: the character around values that hold separators, or None.
            columns: the names of the columns, if no line of the file has them.
            needed: the columns that will be used.

        Raises:
            PipelineError: the file is empty or damaged.
        """
        self.file, self.separator = file, separator
        self._blocks = file.blocks()
        self._long = separator.encode() if separator and len(separator) > 1 else None
        if self._long is not None:  # parsers of CSV know one character only
            long, separator = self._long, _ONE
            self._blocks = (block._replace(text=block.text.replace(long, _ONE.encode())) for block in self._blocks)
        first = next((block for block in self._blocks if block.text.strip(b"\r\n")), None)
        if first is None:
            raise EmptyFileError(file.name)
        n_blank = len(first.text) - len(first.text.lstrip(b"\r\n"))
        blank = first.text[:n_blank]
        self._first = Block(first.text[n_blank:], first.first_line + blank.count(b"\n"))
        kind = other_kind(self._first.text)
        if kind is not None:
            raise PipelineError(f"{file.name}: {kind}.")
        self._header_end = self._first.text.index(b"\n") if columns else _end_of_header(self._first.text, quote)
        header = self._first.text[: self._header_end].decode("utf-8", "replace").strip("\r")
        one = separator or _best_separator(header, quote, needed)
        self.separator = self.separator or one
        found = _values(header, one, quote)
        self.columns = plain_names(columns) if columns else names_in_line(found)
        if len(self.columns) > MOST_COLUMNS:
            raise PipelineError(f"{file.name}: its first line has {len(self.columns):,} names. Is the separator right?")
        self._has_names = not columns
        self._dialect = Dialect(one, quote, len(self.columns))

    @property
    def schema(self) -> pl.Schema:
        """The columns, all of them texts."""
        return pl.Schema(dict.fromkeys(self.columns, pl.String()))

    @property
    def found(self) -> dict[str, str]:
        """What stands between the values."""
        return {"separator": repr(self.separator)}

    @property
    def checksum(self) -> str:
        """The SHA-256 of the bytes on disk; after the last batch."""
        return self.file.checksum

    def batches(self) -> Iterator[Batch]:
        """All records of the file, in its order."""
        yield from side_by_side(self._parsed, self._sifted())

    def _sifted(self) -> Iterator[tuple[Block, Sifted | None]]:
        """The blocks; with each, if it has odd lines or none that can be parsed at once, what sifting gave."""
        rest = b""
        block: Block | None = self._without_names(self._first)
        while block is not None:
            following = next(self._blocks, None)
            if rest:
                block = Block(rest + block.text, block.first_line - rest.count(b"\n"))
            rest = b""
            if self._is_plain(block.text):
                yield block, None
            else:
                sifted = sift(block.text, self._dialect, is_last=following is None)
                rest = sifted.rest
                yield block, sifted
            block = following

    def _without_names(self, block: Block) -> Block:
        if not self._has_names:
            return block
        end = self._header_end + 1
        return Block(block.text[end:], block.first_line + block.text[:end].count(b"\n"))

    def _is_plain(self, text: bytes) -> bool:
        """Whether every line has as many values as there are columns, on average, and no quotes."""
        if self._dialect.quote and self._dialect.quote.encode() in text:
            return False
        buffer = np.frombuffer(text, np.uint8)
        n_lines, n_separators = (np.count_nonzero(buffer == ord(one)) for one in ("\n", self._dialect.separator))
        if len(self.columns) == 1 and (b"\n\n" in text or text[:1] == b"\n"):
            return False  # a blank line has as many values as any other
        return bool(n_separators == n_lines * (len(self.columns) - 1))

    def _parsed(self, block: Block, sifted: Sifted | None) -> Batch:
        if sifted is None:
            try:
                frame = self._parse(block.text)
                if frame.height == block.text.count(b"\n"):  # so no line has fewer values than another
                    lines = np.arange(frame.height)
                    return self._batch(block, frame, lines, lines + 1, [])
            except pl.exceptions.PolarsError:
                pass  # a line has too many values, or is no UTF-8
            sifted = sift(block.text, self._dialect, is_last=True)
        return self._batch(block, self._parse_sifted(sifted), sifted.lines, sifted.ends, sifted.unreadable)

    def _parse_sifted(self, sifted: Sifted) -> pl.DataFrame:
        try:
            frame = self._parse(sifted.text)
            if frame.height == len(sifted.lines):
                return frame
        except pl.exceptions.PolarsError:
            pass
        # Polars splits some odd text otherwise, such as a lone carriage return beside a quote, which ends Python's rows
        lines = io.StringIO(re.sub("\r(?!\n)", _RETURN, sifted.text.decode()), newline="")
        values = _reader(lines, self._dialect.separator, self._dialect.quote)
        rows = [[value.replace(_RETURN, "\r") or None for value in row] for row in values]
        return pl.DataFrame(rows, schema=dict.fromkeys(self.columns, pl.String()), orient="row")

    def _parse(self, text: bytes) -> pl.DataFrame:
        schema = dict.fromkeys(self.columns, pl.String())
        if not text:
            return pl.DataFrame(schema=schema)
        return pl.read_csv(
            text,
            has_header=False,
            schema=schema,
            separator=self._dialect.separator,
            quote_char=self._dialect.quote,
        )

    def _batch(
        self, block: Block, frame: pl.DataFrame, lines: Array, ends: Array, unreadable: list[Unreadable]
    ) -> Batch:
        assert frame.height == len(lines)
        told = tuple(one._replace(line=one.line + block.first_line) for one in unreadable)
        text = block.text
        if self._long is not None:
            text = text.replace(_ONE.encode(), self._long)
            told = tuple(one._replace(raw=one.raw.replace(_ONE, self._long.decode())) for one in told)
        raw = partial(_raw, text, lines, ends)
        return Batch(frame, self.file.name, lines + block.first_line, raw, told)


def _raw(text: bytes, lines: Array, ends: Array, rows: Sequence[int]) -> list[str]:
    """The texts of some records of a block."""
    whole = text.split(b"\n")
    texts = (b"\n".join(whole[lines[row] : ends[row]]) for row in rows)
    return [text.removesuffix(b"\r").decode("utf-8", "backslashreplace") for text in texts]


def _end_of_header(text: bytes, quote: str | None) -> int:
    """Where the line of names ends; within quotes a name may have line breaks, as in tables that people export."""
    first = end = text.index(b"\n")
    mark = (quote or "").encode()
    for _ in range(LINES_OF_NAMES):
        if not mark or text[:end].count(mark) % 2 == 0:
            return end
        end = text.find(b"\n", end + 1)
        if end < 0:
            break
    return first  # the quote is a character of a name


def _values(line: str, separator: str, quote: str | None) -> list[str]:
    try:
        return next(_reader(io.StringIO(line, newline=""), separator, quote), [])
    except csv.Error:
        return line.split(separator)


def _reader(lines: Iterable[str], separator: str, quote: str | None) -> Iterator[list[str]]:
    quoting: Any = csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE
    return csv.reader(lines, delimiter=separator, quotechar=quote, quoting=quoting)


def _best_separator(header: str, quote: str | None, needed: Sequence[str]) -> str:
    """The usual separator with which the first line has the most of the needed columns, then the most columns."""

    def worth(separator: str) -> tuple[int, int]:
        names = names_in_line(_values(header, separator, quote))
        return len(set(names) & set(needed)), len(names)

    return max(SEPARATORS, key=worth)
