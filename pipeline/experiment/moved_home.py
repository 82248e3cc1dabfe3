"""A home that was moved or copied: its MLflow database says where the files of its runs are now.

MLflow keeps absolute addresses of artifacts, which a folder that is moved leaves behind. So each opening of a database
looks whether the files beside it are those that it knows at another place, and then takes the ones beside it.
"""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pipeline.errors import PipelineError

ARTIFACTS = "artifacts"
"""The folder in a home with a folder of artifacts for each experiment."""
DEFAULT = "Default"
"""MLflow's own experiment, which stands in every database."""
_ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("logged_models", "artifact_location"),
)
"""The tables and columns in which MLflow keeps addresses of artifacts."""
_LOCAL = "file://"
_PATIENCE = 60.0
"""Seconds to wait for another process that writes."""


def follow(database: Path) -> None:
    """Let a database follow its home; nothing is changed if its files are where it says, or are not beside it.

    An address is changed if it begins with the folder of the earlier home. Experiments whose files are elsewhere on
    purpose, as in a database that several homes share, stay as they are. So does the earlier home, if it still exists.

    Args:
        database: a file of SQLite, with MLflow's tables.

    Raises:
        PipelineError: the home was moved, and its database may not be written.
    """
    here = database.absolute().parent
    with closing(sqlite3.connect(database, timeout=_PATIENCE, isolation_level=None)) as connection:
        if not _earlier_homes(connection, here):
            return
        try:
            connection.execute("BEGIN IMMEDIATE")
            earlier = _earlier_homes(connection, here)  # another process may have been faster
            for before in earlier:
                _rewrite(connection, f"{before}/{ARTIFACTS}/", f"{(here / ARTIFACTS).as_uri()}/")
            connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise PipelineError(
                f"{database}: this home was moved to here, and its database cannot be changed accordingly ({error})."
            ) from error
    for before in earlier:
        logging.getLogger(__name__).warning(
            f"The home was at {_path(before)} and is at {here} now: MLflow's addresses follow."
        )


def keep_beside(database: Path) -> None:
    """Let a new database keep the files of MLflow's own experiment beside it, and not in the working directory."""
    folder = database.parent / ARTIFACTS / DEFAULT
    folder.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(database, timeout=_PATIENCE)) as connection, connection:
        connection.execute("UPDATE experiments SET artifact_location = ? WHERE name = ?", (folder.as_uri(), DEFAULT))


def make_folder(location: str | None) -> None:
    """Make the folder of an experiment, if it is one of this machine: it shows whose files lie beside a database."""
    if location is not None and location.startswith(_LOCAL):
        _path(location).mkdir(parents=True, exist_ok=True)


def _earlier_homes(connection: sqlite3.Connection, here: Path) -> list[str]:
    """The addresses of the homes in which the files that now lie beside the database were before."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'experiments'").fetchone():
        return []
    earlier = set()
    for name, location in connection.execute("SELECT name, artifact_location FROM experiments"):
        home = (location or "").removesuffix(f"/{ARTIFACTS}/{name}")
        is_of_a_home = home != location and home.startswith(_LOCAL) and (here / ARTIFACTS / name).is_dir()
        if is_of_a_home and not _is_the_same(_path(home), here):
            earlier.add(home)
    return sorted(earlier)


def _is_the_same(there: Path, here: Path) -> bool:
    return there == here or (there.exists() and there.samefile(here))


def _path(address: str) -> Path:
    return Path(unquote(urlsplit(address).path))


def _rewrite(connection: sqlite3.Connection, before: str, now: str) -> None:
    for table, column in _ADDRESSES:
        connection.execute(
            f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
            (now, len(before) + 1, len(before), before),
        )
