"""Tells what a file is, by its first bytes, where its name does not say it, or says something else."""

import json
import re

from pipeline.config.records import Format

_DATABASE = "a database: say `source.database` and `source.query` instead of `source.path`"
_OTHER = "which is not read here: write it as Parquet or CSV first"
_PICTURE = "a picture, and no table"
_BY_START = {
    b"PAR1": "Parquet: say `source.format: parquet`",
    b"ARROW1": "Arrow: say `source.format: arrow`",
    b"SQLite format 3": _DATABASE,
    b"Obj\x01": f"Avro, {_OTHER}",
    b"ORC": f"ORC, {_OTHER}",
    b"\x89HDF": f"HDF5, {_OTHER}",
    **{b"\x80" + bytes([version]): f"a pickle, {_OTHER}" for version in (2, 3, 4, 5)},
    b"\xd0\xcf\x11\xe0": "a document of Office; a workbook is read with `source.format: excel`",
    **dict.fromkeys((b"\x89PNG", b"\xff\xd8\xff", b"GIF8"), _PICTURE),
}
"""How files that are no text start, and what they are."""
_START = 1_000
"""Bytes that tell."""
_LINES = 50
_NUMBER = rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
_SVMLIGHT = re.compile(rb"^" + _NUMBER + rb"([ \t]+(qid|\d+):" + _NUMBER + rb")*[ \t]*(#.*)?$")


def other_kind(text: bytes) -> str | None:
    """What a file is, and what to do, if it starts like something else than a table; None if it is one.

    >>> other_kind(b"PAR1" + bytes(4))
    'this is Parquet: say `source.format: parquet`'
    """
    start = text[:_START].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.lower().startswith((b"<!doctype html", b"<html")):
        return "this is a web page and no table. Open its address in a browser: it may ask for a login, or have moved"
    if start.lower().startswith((b"<?xml", b"begin:vcalendar", b"begin:vcard")):
        return f"this is {'XML' if start.startswith(b'<') else 'a calendar or a card'}, {_OTHER}"
    if start.startswith((b"[{", b"[[", b'{"')):
        return "this is JSON and no table: say `source.format: json`"
    if start.lower().startswith(b"%%matrixmarket"):
        return "this is a sparse matrix: say `source.format: matrix_market`"
    if start.startswith(b"%PDF"):
        return "this is a PDF, and no table"
    found = _magic(text)
    if found is not None:
        return f"this is {found}"
    if b"\0" in text.partition(b"\n")[0]:
        return (
            "this is no text. If it is compressed, let its name end like that (.gz, .zip); a document has to be "
            "exported as CSV or Parquet first"
        )
    return None


def rather_text(path: str) -> str:
    """What a file of this machine is that only has the name of a table, as the end of a sentence; empty if no text."""
    try:
        with open(path, "rb") as file:
            start = file.read(_START)
    except OSError:  # whoever asks has met the same error
        return ""
    if b"\0" in start or not start.strip():
        return ""
    return f": {other_kind(start) or 'it is text. Let its name end in .csv, or say `source.format: csv`'}"


def format_of_content(start: bytes) -> tuple[Format, str] | None:
    """The format in which a file seems to be written, and why; None if it is lines of values or of text.

    >>> format_of_content(b"3 7:1 12:2")
    ('svmlight', 'its lines have a label, and then numbers with their values')

    Raises:
        ValueError: it is something that cannot be read; says what it is.
    """
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    lines = [line for line in text.split(b"\n")[:_LINES] if line.strip() and not line.startswith(b"#")]
    if text.startswith(b"PAR1") and b"\0" in start:
        return "parquet", "its first bytes say so"
    if text.startswith(b"ARROW1") and b"\0" in start:
        return "arrow", "its first bytes say so"
    if text.lower().startswith(b"%%matrixmarket"):
        return "matrix_market", "its first line says so"
    if lines and all(_SVMLIGHT.match(line.rstrip(b"\r")) for line in lines[: max(1, len(lines) - 1)]):
        return "svmlight", "its lines have a label, and then numbers with their values"
    if text.startswith((b"[{", b"[[", b"[\n", b"[\r", b"[ ", b'{"', b"{\n", b"{\r")):
        if len(lines) > 1 and all(map(is_object, lines[:2])):
            return "ndjson", "each line is an object"
        return "json", "it is JSON"
    kind = other_kind(start) if _magic(start) else None
    if kind is not None:
        raise ValueError(kind)
    return None


def is_database(start: bytes) -> bool:
    """Whether a file is one of SQLite or DuckDB, by its first bytes."""
    return _magic(start) == _DATABASE


def _magic(text: bytes) -> str | None:
    """What a file is whose first bytes say it; None if it may be text."""
    has_zeros = b"\0" in text[:_START]
    found = next((kind for magic, kind in _BY_START.items() if text.startswith(magic)), None)
    if found is not None and (has_zeros or not text[:4].isalnum()):  # the first name of a table may be `PAR1`
        return found
    return _DATABASE if text[8:12] == b"DUCK" and has_zeros else None


def is_object(line: bytes) -> bool:
    """Whether a line is an object of JSON."""
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
