"""Tells what lies in a ZIP archive."""

from fnmatch import fnmatch
from pathlib import Path
from zipfile import ZipFile

_OF_FILE_MANAGERS = {".DS_Store", "Thumbs.db", "desktop.ini"}
"""Files that macOS and Windows keep in each folder that has been looked at."""


def members(archive: ZipFile, pattern: str | None = None) -> list[str]:
    """The names of an archive's files, or of those that a glob fits; without what a file manager adds for itself."""
    names = [one.filename for one in archive.infolist() if not one.is_dir()]
    names = [name for name in names if not (name.startswith("__MACOSX/") or Path(name).name in _OF_FILE_MANAGERS)]
    return [name for name in names if pattern is None or fnmatch(name, pattern)]


def archive_kind(members: list[str]) -> str | None:
    """What a ZIP archive is, by the names of its files, if it is no archive of tables; otherwise None.

    >>> archive_kind(["[Content_Types].xml", "xl/workbook.xml"])
    'this is a workbook: say `source.format: excel`'
    """
    if "xl/workbook.xml" in members:
        return "this is a workbook: say `source.format: excel`"
    if "content.xml" in members and "mimetype" in members:
        return "this is a document of LibreOffice; a workbook is read with `source.format: excel`"
    if members and all(name.endswith(".npy") for name in members):
        return "these are arrays of NumPy; a sparse matrix of SciPy is read with `source.format: npz`"
    return None
