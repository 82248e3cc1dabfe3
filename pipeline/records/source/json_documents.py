"""Reads JSON that is no NDJSON: an array of objects, objects over several lines, or one object that holds them all."""

import json
from collections.abc import Iterator
from typing import Any

from pipeline.errors import PipelineError
from pipeline.records.source.file_kinds import is_object
from pipeline.records.source.streams import BLOCK, Block, TextFile

ITEMS, KEY = "items", "key"
"""The columns of lists that have no name of their own, and of the keys of an object that maps ids to them."""
_BETWEEN = " \t\r\n,"
_WRAPPED = {"data", "response", "result", "results", "hits", "payload", "body", "content", "_embedded", "feed", "d"}
"""Names of what a service wraps its answer in, beside others that tell about it, such as `status`."""


class JsonFile(TextFile):
    """A file with JSON, whose records are given as lines, so that it is read as NDJSON is.

    What is a record: each object, or list, of an array; each object of several ones; of one object, what its fields
    hold: the only array of objects, or the columns of a table, or a record for each key. An answer of a service is
    what it wraps. A line is a record's number.
    """

    def blocks(self) -> Iterator[Block]:
        """All records, block by block.

        Raises:
            PipelineError: the file is damaged, too large, or no JSON.
        """
        blocks = super().blocks()
        first = next(blocks, Block(b"", 1))
        if _is_ndjson(first.text):
            yield first
            yield from blocks
            return
        yield from _in_blocks(self._records(first, blocks))

    def _records(self, first: Block, blocks: Iterator[Block]) -> Iterator[str]:
        """The text of each record."""
        elements = self._elements(first, blocks)
        if first.text.lstrip()[:1] == b"[":
            yield from (_as_record(*one) for one in elements)
            return
        begin = [one for one, _ in zip(elements, range(2), strict=False)]
        if len(begin) == 1 and isinstance(begin[0][1], dict):
            yield from map(_text, records_of(begin[0][1]))
            return
        for one in begin:
            yield _as_record(*one)
        yield from (_as_record(*one) for one in elements)

    def _elements(self, first: Block, blocks: Iterator[Block]) -> Iterator[tuple[str, Any]]:
        """The text and the value of each element of an array, or of values that follow each other."""
        decode, text, place, line, is_last = json.JSONDecoder().raw_decode, "", 0, 1, False
        waiting: Iterator[Block] = iter([first])
        is_array: bool | None = None
        while True:
            while place < len(text) and text[place] in _BETWEEN:
                place += 1
            if is_array is None and text[place : place + 1] == "[":
                is_array, place = True, place + 1
                continue
            if text[place : place + 1] == "]" and is_array:
                return
            try:
                if place == len(text) and is_last:
                    if is_array:
                        raise PipelineError(f"{self.name}: the array has no end. Is the file complete? Fetch it again.")
                    return
                value, end = decode(text, place)
            except json.JSONDecodeError as error:
                if is_last or not _is_cut(error, len(text)):
                    line += text.count("\n", 0, min(error.pos, len(text.rstrip())))
                    raise PipelineError(f"{self.name}: line {line:,}: is no JSON ({error.msg}).") from None
                line += text.count("\n", 0, place)
                more = next(waiting, None) or next(blocks, None)
                is_last = more is None
                text = text[place:] + ("" if more is None else more.text.decode("utf-8", "replace"))
                place = 0
                continue
            is_array = bool(is_array)
            yield text[place:end], value
            place = end


def records_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The records that one object holds, in one of the ways in which people write them.

    >>> records_of({"made": "today", "users": [{"id": 1}, {"id": 2}]})
    [{'id': 1}, {'id': 2}]
    >>> records_of({"status": {"code": 200}, "data": {"total": 2, "users": [{"id": 1}, {"id": 2}]}})
    [{'id': 1}, {'id': 2}]
    >>> records_of({"ann": ["x", "y"], "bob": ["z"]})
    [{'key': 'ann', 'items': ['x', 'y']}, {'key': 'bob', 'items': ['z']}]
    >>> records_of({"user": {"0": "ann", "1": "bob", "2": "cid"}, "item": {"0": "x", "1": "y", "2": "z"}})[0]
    {'user': 'ann', 'item': 'x'}
    """
    arrays = [value for value in document.values() if isinstance(value, list)]
    of_objects = _arrays_of_objects(document)
    if len(of_objects) == 1:
        return list(of_objects[0])
    if len(arrays) == len(document) > 0:
        lengths = {len(value) for value in arrays}
        if len(lengths) == 1 and min(lengths) > len(document):  # the columns of a table
            return [dict(zip(document, row, strict=True)) for row in zip(*arrays, strict=True)]
        return [{KEY: key, ITEMS: value} for key, value in document.items()]
    if all(isinstance(value, dict) for value in document.values()) and document:
        keys = {tuple(value) for value in document.values()}
        if len(keys) == 1 and len(next(iter(keys))) > len(document):  # as pandas writes a frame
            return [{name: column[key] for name, column in document.items()} for key in next(iter(keys))]
        return [{KEY: key, **value} for key, value in document.items()]
    return [document]


def _arrays_of_objects(document: dict[str, Any]) -> list[list[Any]]:
    """The arrays of objects that an object holds; if it has none, those of the object that it is wrapped around."""
    arrays = [value for value in document.values() if isinstance(value, list)]
    found = [value for value in arrays if value and all(isinstance(one, dict) for one in value)]
    names = document.keys() & _WRAPPED if len(document) > 1 else document.keys()
    wrapped = [value for name in names if isinstance(value := document[name], dict)]
    return _arrays_of_objects(wrapped[0]) if not found and len(wrapped) == 1 else found


def _is_ndjson(text: bytes) -> bool:
    """Whether a file that begins so has an object in each line: more than one line, and the first is an object."""
    line, _, rest = text.partition(b"\n")
    return bool(rest.strip()) and is_object(line)


def _is_cut(error: json.JSONDecodeError, length: int) -> bool:
    """Whether a text that is no JSON could be the start of one."""
    return error.msg.startswith("Unterminated string") or error.pos > length - 16


def _as_record(text: str, value: Any) -> str:
    """One element in one line: an object as it is, a list as the items of a record."""
    line = text.replace("\n", " ").replace("\r", " ")
    return f'{{"{ITEMS}": {line}}}' if isinstance(value, list) else line


def _text(record: Any) -> str:
    return json.dumps(record, ensure_ascii=False)


def _in_blocks(records: Iterator[str]) -> Iterator[Block]:
    lines: list[bytes] = []
    size, first = 0, 1
    for record in records:
        lines.append(record.encode("utf-8", "replace"))
        size += len(lines[-1])
        if size > BLOCK:
            yield Block(b"\n".join(lines) + b"\n", first)
            first, lines, size = first + len(lines), [], 0
    if lines or first == 1:
        yield Block(b"\n".join(lines) + b"\n", first)
