"""Tells where each file lies that is read: on its own, or in an archive of which conf asks for some files."""

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile, is_zipfile

from pipeline.config.records import Source
from pipeline.records.source import tables
from pipeline.records.source.archives import members
from pipeline.records.source.object_stores import on_this_machine
from pipeline.records.source.paths import without_way_back
from pipeline.secrets import masked


class Location(NamedTuple):
    """Where a file lies."""

    path: str
    member: str | None
    """The file of an archive, as a glob that fits no other; of a workbook, the sheets; None: all there is."""
    name: str
    """For people."""


def locations(source: Source, format_: str, paths: Sequence[str], downloads: Path) -> Iterator[Location]:
    """The location of each file, in the order in which they are read: in an archive in the order of their names.

    Args:
        source: says which files of an archive are read, in `member`.
        format_: of all files. Documents are one table, whose first file stands for all.
        paths: of the files, in their order.
        downloads: folder in which fetched files stay.
    """
    asked = source.member
    for path in paths[:1] if format_ == "documents" else paths:
        inside, name = [], without_way_back(masked(path))
        if asked is not None and format_ not in tables.FILES:
            inside = _members(on_this_machine(path, downloads), asked)
        if len(inside) < 2:
            yield Location(path, asked, name)
        else:
            yield from (Location(path, glob.escape(member), f"{name}, {member}") for member in inside)


def _members(path: Path, asked: str) -> list[str]:
    """The files of an archive that a glob fits, in the order of their names; [] if this is no archive."""
    if not is_zipfile(path):
        return []
    with ZipFile(path) as archive:
        return sorted(members(archive, asked))
