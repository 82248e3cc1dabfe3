"""Tells which file of a ZIP archive to read, where it holds several tables."""

import glob
import zipfile
from contextlib import suppress
from pathlib import Path

from pipeline.records.source.file_kinds import archive_kind, members
from pipeline.records.source.paths import ending

_TABLES = (".csv", ".tsv", ".tab", ".ndjson", ".jsonl", ".json")
"""Endings of tables; a .txt file beside them is rather a README."""


def member_of(path: Path) -> tuple[str, str] | None:
    """The largest table of a ZIP archive with several files, as a glob, and why; None if it is none, or holds no table.

    The largest is that of what happened, such as the loans of a library, and not that of the readers or of the books.
    """
    with suppress(OSError, zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
        names = members(archive)
        tables = [name for name in names if ending(name) in _TABLES]
        if len(names) < 2 or not tables or archive_kind(names) is not None:
            return None
        tables.sort(key=lambda name: -archive.getinfo(name).file_size)
        if len(tables) == 1:
            return glob.escape(tables[0]), f"the only table of the {len(names):,} files in the archive"
        why = f"the largest of the {len(tables):,} tables in the archive; unpack it to read several"
        return glob.escape(tables[0]), why
    return None
