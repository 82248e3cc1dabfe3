"""Reads a text file in which each line is one record, such as a basket of items: one column, named `line`."""

from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np
import polars as pl

from pipeline.out_of_core.side_by_side import side_by_side
from pipeline.records.source.batch import Batch, Unreadable
from pipeline.records.source.json_lines import raw_lines
from pipeline.records.source.streams import Block, TextFile

SCHEMA = pl.Schema({"line": pl.String})


class Lines:
    """A text file, one record a line."""

    schema = SCHEMA
    found: Mapping[str, str] = {}

    def __init__(self, file: TextFile) -> None:
        self._file = file

    def batches(self) -> Iterator[Batch]:
        """All lines that are not blank, in the file's order."""
        yield from side_by_side(partial(_batch, self._file.name), ((block,) for block in self._file.blocks()))

    @property
    def checksum(self) -> str:
        """The SHA-256 of the bytes on disk; after the last batch."""
        return self._file.checksum


def _batch(name: str, block: Block) -> Batch:
    texts: list[str] = []
    lines: list[int] = []
    unreadable = []
    for place, line in enumerate(block.text.split(b"\n")):
        try:
            text = line.decode().strip()
        except UnicodeDecodeError:
            raw = line.decode("utf-8", "backslashreplace")
            unreadable.append(Unreadable(block.first_line + place, "is not UTF-8", raw))
            continue
        if text:
            texts.append(text)
            lines.append(place)
    places = np.array(lines, np.int64)
    frame = pl.DataFrame({"line": texts}, schema=SCHEMA)
    return Batch(frame, name, places + block.first_line, partial(raw_lines, block.text, places), tuple(unreadable))
