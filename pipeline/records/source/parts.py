"""Tells what is read as one file: each file of a source, or each of those in an archive that conf asks for."""

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile, is_zipfile

from pipeline.config.records import Source
from pipeline.records.source import tables
from pipeline.records.source.archives import members
from pipeline.records.source.object_stores import on_this_machine
from pipeline.secrets import masked


class Part(NamedTuple):
    """What is read as one file."""

    path: str
    member: str | None
    """The file of an archive, as a glob that fits no other; of a workbook, the sheets; None: all there is."""
    name: str
    """For people."""


def parts(source: Source, format_: str, paths: Sequence[str], downloads: Path) -> Iterator[Part]:
    """Each file, in the order in which they are read: those of an archive in the order of their names.

    Args:
        source: says which files of an archive are read, in `member`.
        format_: of all files. Documents are one table, whose first file stands for all.
        paths: of the files, in their order.
        downloads: folder in which fetched files stay.
    """
    asked = source.member
    for path in paths[:1] if format_ == "documents" else paths:
        found = []
        if asked is not None and format_ not in tables.FILES:
            found = _members(on_this_machine(path, downloads), asked)
        if len(found) < 2:
            yield Part(path, asked, masked(path))
        else:
            yield from (Part(path, glob.escape(member), f"{masked(path)}, {member}") for member in found)


def _members(path: Path, asked: str) -> list[str]:
    """The files of an archive that a glob fits, in the order of their names; [] if this is no archive."""
    if not is_zipfile(path):
        return []
    with ZipFile(path) as archive:
        return sorted(members(archive, asked))
