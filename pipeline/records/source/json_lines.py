"""Reads NDJSON: one JSON object per line. The dtype of a column is what all its values fit into."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import polars as pl

from pipeline.errors import PipelineError, first_line
from pipeline.out_of_core.side_by_side import side_by_side
from pipeline.records.source.batch import Batch, Unreadable
from pipeline.records.source.file_kinds import is_object
from pipeline.records.source.nested import flat
from pipeline.records.source.streams import Block, TextFile

_FIRST = 100
"""Lines that tell the order of the keys."""


def schema_of(files: Sequence[TextFile]) -> pl.Schema:
    """The columns of all lines of some files, in the order in which the first lines have them.

    Polars has those of an object with many keys in another order each time.

    Raises:
        PipelineError: a file is damaged, or no line holds an object, or the values of a column fit into no dtype.
    """
    found, first = pl.DataFrame(), list[Any]()
    for file in files:
        for block in file.blocks():
            first = first or [json.loads(line) for line in block.text.split(b"\n", _FIRST)[:_FIRST] if is_object(line)]
            try:
                found = pl.concat([found, _parsed(block.text)[0].clear()], how="diagonal_relaxed")
            except pl.exceptions.PolarsError as error:
                raise PipelineError(
                    f"{file.name}: the values of a key differ too much ({first_line(error)})."
                ) from error
    if not found.columns:
        raise PipelineError(f'{files[0].name}: no line holds a JSON object, such as {{"user": 1, "item": 2}}.')
    ordered = _in_order(pl.Struct(found.schema), first)
    assert isinstance(ordered, pl.Struct)
    return pl.Schema(ordered)


def _in_order(dtype: pl.DataType, values: Sequence[Any]) -> pl.DataType:
    """The dtype with the fields of objects in the order in which some values have them, the others by name."""
    if isinstance(dtype, pl.List):
        return pl.List(_in_order(dtype.inner, [one for value in values if isinstance(value, list) for one in value]))  # type: ignore[arg-type]
    if not isinstance(dtype, pl.Struct):
        return dtype
    objects = [value for value in values if isinstance(value, dict)]
    places = {key: place for place, key in enumerate(dict.fromkeys(chain.from_iterable(objects)))}
    fields = sorted(dtype.fields, key=lambda field: (places.get(field.name, len(places)), field.name))
    return pl.Struct(
        {field.name: _in_order(field.dtype, [one.get(field.name) for one in objects]) for field in fields}  # type: ignore[arg-type]
    )


class JsonLines:
    """A text file with one object a line; a key that an object lacks is null."""

    found: Mapping[str, str] = {}

    def __init__(self, file: TextFile, of_lines: pl.Schema) -> None:
        """Prepare to read a file.

        Args:
            file: the file.
            of_lines: what its objects hold, and those of the other files of the source.
        """
        self._file, self._of_lines = file, of_lines
        self.schema = flat(pl.DataFrame(schema=of_lines)).schema

    def batches(self) -> Iterator[Batch]:
        """All objects, in the file's order."""
        blocks = ((block,) for block in self._file.blocks())
        for batch in side_by_side(partial(_batch, self._file.name, self._of_lines), blocks):
            yield batch._replace(frame=flat(batch.frame))

    @property
    def checksum(self) -> str:
        """The SHA-256 of the bytes on disk; after the last batch."""
        return self._file.checksum


def _batch(name: str, schema: pl.Schema, block: Block) -> Batch:
    frame, lines, unreadable = _parsed(block.text, schema)
    told = tuple(one._replace(line=one.line + block.first_line) for one in unreadable)
    return Batch(frame, name, lines + block.first_line, partial(raw_lines, block.text, lines), told)


def raw_lines(text: bytes, lines: np.ndarray, rows: Sequence[int]) -> list[str]:
    """The texts of some rows, each of which is one line."""
    whole = text.split(b"\n")
    return [whole[lines[row]].strip(b"\r").decode("utf-8", "backslashreplace") for row in rows]


def _parsed(text: bytes, schema: pl.Schema | None = None) -> tuple[pl.DataFrame, np.ndarray, list[Unreadable]]:
    """The objects of some lines, the places of their lines, and the lines that hold none."""
    whole = text.removesuffix(b"\n").split(b"\n")
    try:
        if b"\n\n" not in text and text[:1] != b"\n":
            frame = _read(text, schema)
            if frame.height == len(whole):
                return frame, np.arange(frame.height), []
    except pl.exceptions.PolarsError:
        pass  # a line holds no object
    places = [place for place, line in enumerate(whole) if line.strip()]
    good = [place for place in places if is_object(whole[place])]
    read = {place: _with_null_for_nan(whole[place]) if b"NaN" in whole[place] else whole[place] for place in good}
    kept, frame = _all_that_parse(read, schema)
    odd = sorted({*places} - {*kept})
    told = [Unreadable(place, "is no JSON object", whole[place].decode("utf-8", "backslashreplace")) for place in odd]
    return frame, np.array(kept, np.int64), told


def _with_null_for_nan(line: bytes) -> bytes:
    """An object with null for each NaN, which is no JSON, but what Python's `json` writes for a missing number."""
    return json.dumps(json.loads(line, parse_constant=lambda name: None if name == "NaN" else float(name))).encode()


def _all_that_parse(good: Mapping[int, bytes], schema: pl.Schema | None) -> tuple[list[int], pl.DataFrame]:
    """The places of the lines that Polars reads too, such as none with a number beyond 64 bits, and their frame."""
    try:
        return [*good], _read(b"\n".join(good.values()), schema)
    except pl.exceptions.PolarsError:
        kept = {place: line for place, line in good.items() if _is_read(line, schema)}
        return [*kept], _read(b"\n".join(kept.values()), schema)


def _is_read(line: bytes, schema: pl.Schema | None) -> bool:
    try:
        return _read(line, schema).height == 1
    except pl.exceptions.PolarsError:
        return False


def _read(text: bytes, schema: pl.Schema | None) -> pl.DataFrame:
    if not text.strip():
        return pl.DataFrame(schema=schema)
    return pl.read_ndjson(text, schema=schema, infer_schema_length=None)
