"""Tells which files of a ZIP archive to read, where it holds several."""

import glob
import json
import zipfile
import zlib
from contextlib import suppress
from fnmatch import fnmatch
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from pipeline.records.source.archives import archive_kind, members
from pipeline.records.source.paths import ending

_TABLES = (".csv", ".tsv", ".tab", ".ndjson", ".jsonl", ".json")
"""Endings of tables; a .txt file beside them is rather a README."""
_START = 2**16
"""Bytes of a table that tell its columns."""


class Tables(NamedTuple):
    """The tables of an archive that are read."""

    pattern: str
    """A glob of their names."""
    reason: str
    first: str
    """One of them, as a glob."""


def tables_of(path: Path) -> Tables | None:
    """The largest table of a ZIP archive with several files, with those that have its columns; None if there is none.

    The largest is that of what happened, such as the loans of a library, and not that of the readers or of the books.
    What happened may be divided into tables of the same columns, such as one for each month.
    """
    with suppress(OSError, zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
        names = members(archive)
        tables = [name for name in names if ending(name) in _TABLES]
        if len(names) < 2 or not tables or archive_kind(names) is not None:
            return None
        largest = max(tables, key=lambda name: archive.getinfo(name).file_size)
        own = glob.escape(largest)
        if len(tables) == 1:
            return Tables(own, f"the only table of the {len(names):,} files in the archive", own)
        columns = _columns(archive, largest)
        alike = [name for name in tables if ending(name) == ending(largest) and _columns(archive, name) == columns]
        pattern = _pattern(alike, names)
        if len(alike) > 1 and columns and pattern is not None:
            others = "" if len(alike) == len(names) else f" of the {len(names):,} files in the archive"
            return Tables(pattern, f"{len(alike):,} tables{others} have the same columns", own)
        why = f"the largest of the {len(tables):,} tables in the archive; the others have other columns"
        return Tables(own, why, own)
    return None


def _columns(archive: zipfile.ZipFile, name: str) -> str:
    """What names the columns of a table: its first line, or the keys of its first object; empty if unreadable."""
    try:
        with archive.open(name) as file:
            start = file.read(_START).decode("utf-8-sig", "replace")
    except (RuntimeError, OSError, zipfile.BadZipFile, zlib.error):  # such as a password; who reads it all tells
        return ""
    if ending(name) in (".csv", ".tsv", ".tab"):
        return start.lstrip().partition("\n")[0].strip()
    with suppress(ValueError, RecursionError):
        first, _ = json.JSONDecoder().raw_decode(start, start.index("{"))
        return " ".join(sorted(first))
    return ""


def _pattern(wanted: list[str], among: list[str]) -> str | None:
    """A glob that fits the wanted names among all, and no other; None if there is no simple one."""
    start = glob.escape(_common_start(wanted))
    end = glob.escape(_common_start([name[::-1] for name in wanted])[::-1])
    for pattern in (f"*{Path(wanted[0]).suffix}", f"{start}*{Path(wanted[0]).suffix}", f"{start}*{end}"):
        if [name for name in among if fnmatch(name, pattern)] == wanted:
            return pattern
    return None


def _common_start(names: list[str]) -> str:
    both = zip(min(names), max(names), strict=False)
    return "".join(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], both))
