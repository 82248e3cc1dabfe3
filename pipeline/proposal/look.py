"""Looks at the start of a source: how it is written, and its first rows."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from pipeline.config.records import Source
from pipeline.errors import PipelineError
from pipeline.proposal.archive import tables_of
from pipeline.proposal.dialect import delimiter, names_missing, separator_and_quote, values
from pipeline.proposal.encoding import decoded, of_many
from pipeline.proposal.titles import LOOKED_AT, n_above_names
from pipeline.records.ingest import source_of
from pipeline.records.source import paths
from pipeline.records.source.file_kinds import format_of_content, is_database, other_kind
from pipeline.records.source.object_stores import on_this_machine
from pipeline.records.source.streams import TextFile
from pipeline.records.source.workbooks import behind_cover, first_rows
from pipeline.secrets import masked

ROWS = 200_000
"""Rows that are looked at, at most."""
_START = 2**18
"""Bytes of a text file that tell how it is written."""
_LINES = 200
_MANY_FILES = 20
_FIRST = 2_000
"""Bytes of each of many files that are looked at."""
_IN_PROSE = (",", ";")
_COMMENTS = ("#", "%", "//")


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
    mark = None
    if query is not None or place.lower().startswith(("postgresql://", "postgres://", "sqlite://", "duckdb://")):
        if query is None:
            raise _asks_for_a_query(place)
        settings = {"database": Guess(place, "given"), "query": Guess(query, "given")}
    else:
        settings = {"path": Guess(place, "given")}
        mark = _of_files(place, paths.resolved(Source(path=(place,)), conf_folder), settings, downloads)
    frame, is_whole = _rows(settings, conf_folder, downloads)
    are_documents = "format" in settings and settings["format"].value == "documents"
    return Look(settings, frame.drop("file") if are_documents else frame, is_whole, mark)


def _of_files(place: str, files: Sequence[str], settings: dict[str, Guess], downloads: Path) -> Guess | None:
    """Make settings of how files are written; return what separates the items of a line, if each line is a list."""
    first = files[0]
    if paths.of_ending(first) not in (None, "csv"):
        if paths.of_ending(first) == "excel":
            _sheet(settings, str(on_this_machine(first, downloads)))
        return None
    if _are_documents(files):
        settings["format"] = Guess("documents", f"each of the {len(files):,} files is a text")
        encoding, n = of_many(TextFile(Path(one), one).start(_START) for one in files)
        if encoding is not None:
            settings["encoding"] = Guess(encoding, f"some letters of {n:,} of them are no UTF-8")
        return None
    for first in files:
        local = on_this_machine(first, downloads)
        held = tables_of(local)
        file = TextFile(local, masked(first), member=None if held is None else held.first)
        start = file.start(_START)
        if start.strip():  # a file among many may be empty
            break
    if held is not None:
        first, settings["member"] = held.pattern, Guess(held.pattern, held.reason)
    if is_database(start):
        raise _asks_for_a_query(place)
    try:
        found = format_of_content(start)
    except ValueError as kind:
        raise PipelineError(f"{place}: {kind}.") from None
    if found is not None:
        settings["format"] = Guess(*found)
        return None
    return _of_text(file.name, start, paths.ending(first), settings)


def _asks_for_a_query(place: str) -> PipelineError:
    return PipelineError(f'{place}: this is a database. Which rows? Give a query too: QUERY="select * from sales".')


def _are_documents(files: Sequence[str]) -> bool:
    """Whether there are many files with a text each: their lines differ in the number of values, or read like prose."""
    if len(files) < _MANY_FILES or any("://" in file or paths.ending(file) not in (".txt", "") for file in files):
        return False
    some = files[:: -(-len(files) // _LINES)]
    starts = [TextFile(Path(file), file).start(_FIRST) for file in some]
    if any(format_of_content(start) is not None or b"\0" in start for start in starts):
        return False
    texts = [_whole_lines(start) for start in starts]
    separator, _ = separator_and_quote([lines[0] for lines in texts if lines], ".txt")
    every = [line for lines in texts for line in lines]
    if separator is None or separator_and_quote(every, ".txt")[0] != separator:
        return True
    if separator not in _IN_PROSE or len({Path(file).parent for file in files}) == 1:
        return False
    # folders tell texts apart; lines of them may have a comma each, as rows have, but then a blank behind it
    prose = [re.search(rf"{separator}(\s|$)", line) is not None for line in every]
    return sum(prose) > len(every) / 2


def _whole_lines(start: bytes) -> list[str]:
    """The lines at the start of a file that hold something, without the last one if it is cut."""
    lines = start.decode("utf-8", "replace").strip().split("\n")
    whole = lines[:-1] if len(start) >= _FIRST and len(lines) > 1 else lines
    return [line for line in whole if line.strip()]


def _of_text(name: str, start: bytes, ending: str, settings: dict[str, Guess]) -> Guess | None:
    """Make settings of how a text is written; return what separates the items of a line, if each line is a list."""
    text, encoding = decoded(start)
    if encoding is not None:
        settings["encoding"] = Guess(encoding, "some of its letters are no UTF-8")
    whole = len(start) < _START
    every = text.splitlines()[: None if whole else -1]
    lines = [line for line in every if line.strip()][:_LINES]
    if not lines:
        raise PipelineError(f"{name}: the file is empty.")
    lines = _after_comments(lines, settings)
    if "comment" not in settings:
        lines = _after_titles(every, lines, ending, settings)
    if (kind := other_kind(text[:_START].encode("utf-8", "replace"))) is not None:
        raise PipelineError(f"{name}: {kind}.")
    separator, quote = separator_and_quote(lines, ending)
    if separator is None:
        settings["format"] = Guess("lines", "its lines have different numbers of values")
        mark, n_items = delimiter(lines)
        return Guess(mark, f"it divides the lines into {n_items:.1f} items on average")
    if ending not in (".csv", ".tsv", ".txt", ".tab"):
        settings["format"] = Guess("csv", f"its lines have values with {separator!r} between them")
    if separator != ("\t" if ending in (".tsv", ".tab") else ","):
        settings["separator"] = Guess(separator, "each line has as many of them")
    if quote is None:
        settings["quote"] = Guess(None, "quotes stand within values, and do not close")
    names = names_missing(lines, separator, quote)
    if names is not None:
        settings["columns"] = Guess(names, "the first line holds values, no names: name the columns as you like")
    return None


def _after_titles(every: list[str], lines: list[str], ending: str, settings: dict[str, Guess]) -> list[str]:
    """The lines from that with the names of the columns on; how many stand above it is a setting.

    Args:
        every: all lines at the start of the file.
        lines: the first of them that are not blank.
        ending: of the file's name.
        settings: of `source`; gets one more if there are such lines.
    """
    separator, quote = separator_and_quote(lines[len(lines) // 2 :], ending)
    if separator is None:
        return lines
    if quote is not None and any(line.count(quote) % 2 for line in every[:_LINES]):
        return lines  # a value, or a name, goes on in the next line
    skip = _skip(settings, [values(line, separator, quote) for line in every[:_LINES]])
    return [line for line in every[skip:] if line.strip()][:_LINES]


def _sheet(settings: dict[str, Guess], workbook: str) -> None:
    """Make settings of the sheet to read, if it is not the first, and of how many rows stand above its names."""
    found = behind_cover(workbook)
    if found is not None:
        settings["member"] = Guess(found[0], f"the sheet with most rows; the first, {found[1]}, is a cover")
    _skip(settings, first_rows(workbook, LOOKED_AT, None if found is None else found[0]))


def _skip(settings: dict[str, Guess], rows: Sequence[Sequence[str]]) -> int:
    """How many rows stand above the names of the columns; if any do, they become a setting."""
    skip = n_above_names(rows)
    if skip:
        settings["skip"] = Guess(skip, f"the names of the columns stand in line {skip + 1}, below a title")
    return skip


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
