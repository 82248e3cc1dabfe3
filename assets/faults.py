"""Turns what goes wrong with the machine, its disk, its memory and its databases, into a sentence for people."""

import errno
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.secrets import masked

_DISK = {
    errno.ENOSPC: "the disk is full. Make room, and run again: what was finished is kept",
    errno.EDQUOT: "the quota of this disk is used up. Make room, and run again: what was finished is kept",
    errno.EROFS: "the disk cannot be written to. Take a folder that can (for the home: PIPELINE_HOME)",
    errno.EACCES: "may not be written or read. Change its permissions, or take another (for the home: PIPELINE_HOME)",
    errno.EPERM: "may not be written or read. Change its permissions, or take another (for the home: PIPELINE_HOME)",
    errno.EIO: "the disk reports an error. Look at its health",
    errno.ENAMETOOLONG: "the name is too long. Choose a shorter one",
    errno.EMFILE: "too many files are open. Raise the limit (ulimit -n)",
}
POSTGRESQL = "postgresql+psycopg2"
"""How an address of PostgreSQL begins. It names the driver, since Dagster works with no other."""
_NO_ANSWER = "the database does not answer, or refuses. Look at its server, and run again: what was finished is kept"
_DATABASE = {
    "database or disk is full": "the disk is full. Make room, and run again: what was finished is kept",
    "readonly database": "the database may not be written. Change its permissions, or set PIPELINE_HOME",
    "unable to open database": "the database cannot be opened. Correct its folder or its permissions",
    "database is locked": "the database is locked by another process. Wait until it has ended, and run again",
    "malformed": "the database is broken. Move it away: the next run makes a new one",
    "not a database": "the database is broken. Move it away: the next run makes a new one",
    "psycopg2.OperationalError": _NO_ANSWER,
    "psycopg2.InterfaceError": _NO_ANSWER,
    "disk I/O error": "the disk reports an error, as a full one does. Make room if it is full, and run again",
}

_PATIENCE = 10
"""Seconds until a server that does not answer is given up."""


def in_words(error: BaseException) -> str | None:
    """What is wrong with the machine, and what to do; None if the error says nothing about the machine."""
    for one in _chain(error):
        if isinstance(one, MemoryError):
            return "the memory is used up. Close other programs, or use a smaller vocabulary (`vocabulary.max_size`)."
        if isinstance(one, OSError) and one.errno in _DISK:
            where = f"{one.filename}: " if one.filename else ""
            return masked(f"{where}{_DISK[one.errno]}.")
        if isinstance(one, sqlite3.Error) or type(one).__module__.startswith("sqlalchemy"):
            for said, words in _DATABASE.items():
                if said in str(one):
                    return f"{words}."
        if type(one).__module__.startswith("mlflow") and "API request to" in str(one):
            return "the MLflow server does not answer. Start it, and run again: what was finished is kept."
        for number, words in _DISK.items():
            if f"os error {number})" in str(one):  # Polars writes files in Rust
                return f"{words}."
    return None


def broken_database(path: Path) -> str | None:
    """Why a database of SQLite cannot be used, in words; None if it can, or if there is none yet."""
    if not path.exists():
        return None
    if path.is_dir():
        return f"{path}: is a folder, where a database should be. Move it away: the next run makes a new one."
    try:
        # not read-only, so that SQLite can take back the half change of a process that was killed
        connection = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True)
        try:
            connection.execute("select count(*) from sqlite_master").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        return f"{path}: {in_words(error) or f'the database cannot be read ({error}).'}"
    return None


def require_server(variable: str, address: str) -> None:
    """Refuse the address of a server that does not answer.

    Args:
        variable: the variable of the environment that names it.
        address: of PostgreSQL; for MLflow also of a server of its own, or of SQLite.

    Raises:
        PipelineError: it is another kind of address, its driver is missing, or it does not answer.
    """
    kind = address.partition("://")[0]
    of_mlflow = ("http", "https", "sqlite") if variable.startswith("MLFLOW") else ()
    if kind not in ("", POSTGRESQL, *of_mlflow):
        kinds = f"{POSTGRESQL}://user:password@host/name" + (", or http://host:port" if of_mlflow else "")
        raise PipelineError(f"{variable}={masked(address)}: is no address that can be used here. Give {kinds}.")
    failed: Exception | None = None
    if kind == POSTGRESQL:
        try:
            import psycopg2
        except ImportError:
            driver = "PostgreSQL needs a driver: pip install 'embedding-pipeline[databases]'"
            raise PipelineError(f"{variable}: {driver}.") from None
        try:
            psycopg2.connect(address.replace(POSTGRESQL, "postgresql", 1), connect_timeout=_PATIENCE).close()
        except psycopg2.Error as error:
            failed = error
    elif kind.startswith("http"):
        import requests

        try:
            requests.get(f"{address.rstrip('/')}/health", timeout=_PATIENCE)
        except requests.RequestException as error:
            failed = error
    if failed is not None:
        said = masked(" ".join(str(failed).split()))
        raise PipelineError(f"{variable}={masked(address)}: does not answer, or refuses: {said}.")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and those that led to it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
