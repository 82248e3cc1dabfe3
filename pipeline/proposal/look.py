"""Looks at the start of a source: how it is written, and its first rows."""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from pipeline.config.records import Source
from pipeline.errors import PipelineError
from pipeline.records.ingest import source_of
from pipeline.records.source import paths
from pipeline.records.source.file_kinds import format_of_content, other_kind
from pipeline.records.source.object_stores import on_this_machine
from pipeline.records.source.streams import TextFile
from pipeline.secrets import masked

ROWS = 200_000
"""Rows that are looked at, at most."""
_START = 2**18
"""Bytes of a text file that tell how it is written."""
_LINES = 200
_SEPARATORS = (",", ";", "\t", "|", "::")
_DELIMITERS = (" ", ",", ";", "\t", "|")
_MOST_NUMBERS = 6
_COMMENTS = ("#", "%", "//")
_WESTERN = "windows-1252"
_WRITTEN = b"\x80\x82\x84\x85\x8b\x91\x92\x93\x94\x95\x96\x97\x9b\xa0\xa3\xa7\xab\xb0\xb2\xb3\xb7\xba\xbb".decode(
    _WESTERN
)
"""Characters that are no letters, and yet stand in texts of Western Europe: quotation marks, dashes, currencies."""
_UNUSUAL = b"\xa4\xa6\xac\xb6\xd0\xde\xf0\xfe".decode(_WESTERN)
"""Characters of that encoding that few texts have; letters of other encodings look like them."""


class Guess(NamedTuple):
    """A setting, why it is guessed, and what else it could be."""

    value: Any
    reason: str
    otherwise: str = ""


@dataclass(frozen=True)
class Look:
    """What the start of a source shows."""

    source: dict[str, Guess]
    """The settings of `source`, by key."""
    frame: pl.DataFrame
    """The first rows."""
    is_whole: bool
    """Whether these are all rows."""
    delimiter: Guess | None = None
    """What separates the items of a line, if each line is a list."""


def look(place: str, query: str | None, conf_folder: Path, downloads: Path) -> Look:
    """Look at a source.

    Args:
        place: a path, glob, folder or address of files, or the address of a database.
        query: the query, if it is a database.
        conf_folder: folder of the conf file, where relative paths start.
        downloads: folder in which fetched files stay.

    Raises:
        PipelineError: it cannot be read.
    """
    if query is not None or place.startswith(("postgresql://", "postgres://", "sqlite://", "duckdb://")):
        if query is None:
            raise PipelineError(f'{place}: which rows? Give a query too: QUERY="select * from sales".')
        settings = {"database": Guess(place, "given"), "query": Guess(query, "given")}
        return Look(settings, *_rows(settings, conf_folder, downloads))
    settings = {"path": Guess(place, "given")}
    asked = Source(path=(place,))
    first = paths.resolved(asked, conf_folder)[0]
    if paths.of_ending(first) not in (None, "csv"):
        return Look(settings, *_rows(settings, conf_folder, downloads))
    file = TextFile(on_this_machine(first, downloads), masked(first), None, None, 1e18)
    start = file.start(_START)
    try:
        found = format_of_content(start)
    except ValueError as kind:
        raise PipelineError(f"{file.name}: {kind}.") from None
    if found is not None:
        settings["format"] = Guess(*found)
        return Look(settings, *_rows(settings, conf_folder, downloads))
    return _text(settings, file.name, start, paths.ending(first), conf_folder, downloads)


def _text(settings: dict[str, Guess], name: str, start: bytes, ending: str, conf_folder: Path, downloads: Path) -> Look:
    text, encoding = _decoded(start)
    if encoding is not None:
        settings["encoding"] = Guess(encoding, "some of its letters are no UTF-8")
    whole = len(start) < _START
    lines = [line for line in text.splitlines()[: None if whole else -1] if line.strip()][:_LINES]
    if not lines:
        raise PipelineError(f"{name}: the file is empty.")
    lines = _after_comments(lines, settings)
    if (kind := other_kind(text[:_START].encode("utf-8", "replace"))) is not None:
        raise PipelineError(f"{name}: {kind}.")
    separator, quote = _separator(lines, ending)
    if separator is None:
        settings["format"] = Guess("lines", "its lines have different numbers of values, so each is a list")
        found = _rows(settings, conf_folder, downloads)
        return Look(settings, *found, delimiter=_delimiter(lines))
    if ending not in (".csv", ".tsv", ".txt", ".tab"):
        settings["format"] = Guess("csv", f"its lines have values with {separator!r} between them")
    if separator != ("\t" if ending in (".tsv", ".tab") else ","):
        settings["separator"] = Guess(separator, "each line has as many of them")
    if quote is None:
        settings["quote"] = Guess(None, "quotes stand within values, and do not close")
    names = _names_missing(lines, separator, quote)
    if names is not None:
        settings["columns"] = Guess(names, "the first line holds values, no names: name the columns as you like")
    return Look(settings, *_rows(settings, conf_folder, downloads))


def _after_comments(lines: list[str], settings: dict[str, Guess]) -> list[str]:
    """The lines that follow those which tell something about the file; how these begin is a setting."""
    for comment in _COMMENTS:
        n = next((i for i, line in enumerate(lines) if not line.startswith(comment)), 0)
        # a single one may be the names of columns
        if n > 1 or (n and len(lines[0].split()) != len(lines[1].split())):
            settings["comment"] = Guess(comment, f"the lines before the first record begin with it ({n} of them)")
            return lines[n:]
    return lines


def _rows(settings: dict[str, Guess], conf_folder: Path, downloads: Path) -> tuple[pl.DataFrame, bool]:
    """The first rows of a source with these settings, and whether they are all."""
    source = Source.model_validate({key: guess.value for key, guess in settings.items()})
    opened = source_of(source, conf_folder, downloads, ())
    frames: list[pl.DataFrame] = []
    batches = opened.batches()
    for batch in batches:
        frames.append(batch.frame)
        if sum(frame.height for frame in frames) >= ROWS:
            break
    frame = pl.concat(frames) if frames else pl.DataFrame(schema=opened.schema)
    if frame.is_empty():
        raise PipelineError(f"{paths.name(source)}: has not a single record.")
    return frame.head(ROWS), frame.height < ROWS and next(iter(batches), None) is None


def _decoded(start: bytes) -> tuple[str, str | None]:
    """The start of a file as text, and its encoding if that has to be said."""
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig")):
        if start.startswith(mark):
            return start.decode(encoding, "ignore"), None
    if start[1:1000:2].count(0) > 400 or start[:1000:2].count(0) > 400:
        return start.decode("utf-16-le" if start[1:2] == b"\0" else "utf-16-be", "ignore"), None
    for cut in range(4):  # the last letter may be cut in two
        try:
            return start[: len(start) - cut].decode(), None
        except UnicodeDecodeError as error:
            if error.start < len(start) - 4:
                break
    encoding = _WESTERN if _is_western(start) else _by_its_letters(start)
    return start.decode(encoding, "replace"), encoding


def _is_western(start: bytes) -> bool:
    """Whether bytes are text in the encoding of Western Europe: their special characters are letters that it writes."""
    try:
        special = [letter for letter in start.decode(_WESTERN) if letter > "\x7f"]
    except UnicodeDecodeError:
        return False
    usual = sum(letter.isalpha() or letter in _WRITTEN for letter in special)
    odd = sum(letter in _UNUSUAL for letter in special)
    words = start.decode(_WESTERN).split()
    shouted = sum(word[1:] != word[1:].lower() and word != word.upper() for word in words)  # an umlaut inside a word
    return usual > 0.9 * len(special) and odd < 0.05 * len(special) and shouted < 0.2 * len(words)


def _by_its_letters(start: bytes) -> str:
    from charset_normalizer import from_bytes

    best = from_bytes(start).best()
    return best.encoding if best is not None else _WESTERN


def _separator(lines: Sequence[str], ending: str) -> tuple[str | None, str | None]:
    """What stands between values, and the quote; None if no character divides most lines into as many values."""
    usual = "\t" if ending in (".tsv", ".tab") else ","
    found: list[tuple[float, int, bool, str, str | None]] = []
    for separator in _SEPARATORS:
        for quote in ('"', None):
            counts = Counter(len(values) for values in _split(lines, separator, quote))
            count, times = counts.most_common(1)[0]
            header = len(next(iter(_split(lines[:1], separator, quote)), []))
            share = times / counts.total()
            if count > 1 and share >= 0.8 and header == count:
                found.append((share, count, separator == usual, separator, quote))
    if not found and _is_table_of_numbers(lines):
        return " ", '"'
    if not found:
        one_column = ending in (".csv", ".tsv") and not any(d in line for line in lines for d in (*_SEPARATORS, " "))
        return (usual, '"') if one_column else (None, None)
    best = max(found, key=lambda one: (round(one[0], 1), one[1], one[2], one[4] is not None))
    quoted = [one for one in found if one[3] == best[3] and one[4] is not None]
    return best[3], '"' if quoted and quoted[0][0] >= best[0] - 0.02 else best[4]


def _is_table_of_numbers(lines: Sequence[str]) -> bool:
    """Whether each line has as many numbers as the others, with one blank between them, as lists of edges have."""
    rows = [line.split(" ") for line in lines]
    of_numbers = all(_is_number(value) for row in rows[1:] for value in row)
    return len({len(row) for row in rows}) == 1 and 2 <= len(rows[0]) <= _MOST_NUMBERS and len(rows) > 2 and of_numbers


def _split(lines: Sequence[str], separator: str, quote: str | None) -> list[list[str]]:
    """The values of each record of some lines; a record may be several lines."""
    one = separator if len(separator) == 1 else "\x1f"
    text = [line.replace(separator, one) + "\n" for line in lines]
    try:
        quoting: Any = csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE
        return [values for values in csv.reader(text, delimiter=one, quotechar=quote, quoting=quoting) if values]
    except csv.Error:
        return [line.split(separator) for line in lines]


def _names_missing(lines: Sequence[str], separator: str, quote: str | None) -> list[str] | None:
    """Names for the columns of a file whose first line holds values like those below it."""
    rows = _split(lines, separator, quote)
    first = [value.strip() for value in rows[0]]
    below = [row for row in rows[1:] if len(row) == len(first)]
    if len({*first}) == len(first) and not any(_is_number(value) for value in first) and all(first):
        return None
    numbers = [bool(below) and all(_is_number(row[i]) for row in islice(below, 50)) for i in range(len(first))]
    if not any(is_number and _is_number(value) for is_number, value in zip(numbers, first, strict=True)):
        return None  # a name may be missing or stand there twice, and still be a name
    usual = ("user", "item", "rating", "time")
    are_ratings = len(first) in (2, 3, 4) and all(numbers[:2])
    return [usual[i] if are_ratings else f"column_{i + 1}" for i in range(len(first))]


def _is_number(text: str) -> bool:
    try:
        float(text.strip().replace(",", "."))
    except ValueError:
        return False
    return True


def _delimiter(lines: Sequence[str]) -> Guess:
    """What separates the items of lines that are lists."""
    items = {one: sum(len([item for item in line.split(one) if item.strip()]) for line in lines) for one in _DELIMITERS}
    with_space = max(items, key=lambda one: items[one])
    best = max((one for one in _DELIMITERS if one != " "), key=lambda one: items[one])
    # items may be of several words, but then something else stands between them on most lines
    chosen = best if items[best] > 1.5 * len(lines) else with_space
    return Guess(chosen, f"it divides the lines into {items[chosen] / len(lines):.1f} items on average")
