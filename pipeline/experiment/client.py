"""MLflow at an address: its client, its tables, and the files of its runs.

Only `MlflowClient` is used, with an explicit address: no global state, nothing that depends on the working directory.
"""

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from pipeline.errors import PipelineError
from pipeline.experiment import moved_home
from pipeline.secrets import masked

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "5")  # a server that is gone is told after half a minute
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # files of a few kilobytes

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

_SQLITE = "sqlite:///"
_BY_HALF = ("already exists", "duplicate column name")
"""What SQLite says where MLflow makes tables of which some are there."""


def prepare(uri: str) -> None:
    """Make the tables of a database if they are missing, and let one of SQLite follow its home; a server has its own.

    Args:
        uri: `sqlite:///` and an absolute path, the address of another database, or a server's.
    """
    if is_server(uri):
        return
    with alone(uri):
        if uri.startswith(_SQLITE) and (database := Path(uri.removeprefix(_SQLITE))).is_file():
            moved_home.follow(database)  # takes no time, while MLflow takes seconds to import
        else:
            client_of(uri)


def is_server(uri: str) -> bool:
    """Whether runs are kept by an MLflow server, and not in a database."""
    return uri.startswith(("http://", "https://"))


def client_of(uri: str) -> "MlflowClient":
    """MLflow at an address; a database of SQLite follows a home that was moved, see `moved_home`.

    Raises:
        PipelineError: it cannot be used.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient
    from mlflow.tracking._tracking_service import utils
    from sqlalchemy.exc import OperationalError

    # MLflow remembers where the files of a run are by its id alone, and a copied home has the same runs
    getattr(utils, "_artifact_repos_cache", {}).clear()
    # an error of the database is told once, in a sentence of ours
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    database = Path(uri.removeprefix(_SQLITE)).absolute() if uri.startswith(_SQLITE) else None
    try:
        if database is not None and not database.exists():
            with alone(uri):
                _make(database)
        client = MlflowClient(tracking_uri=uri)
    except MlflowException as error:
        raise PipelineError(masked(f"MLflow at {uri} cannot be used: {error}")) from error
    except OperationalError as error:
        if database is None or not any(said in str(error) for said in _BY_HALF):
            raise
        raise PipelineError(
            f"{database}: an earlier version was killed while it made the tables of this database. Move it away: the "
            "next run makes a new one."
        ) from error
    if database is not None and database.is_file():
        moved_home.follow(database)
    return client


def _make(database: Path) -> None:
    """Make a database with MLflow's tables, in one step: one that was made by half could never be used."""
    from mlflow.tracking import MlflowClient

    if database.exists():  # another process was faster
        return
    new = database.with_name(f".{database.name}.new")
    for left in (new, new.with_name(f"{new.name}-journal")):  # by a process that was killed
        left.unlink(missing_ok=True)
    MlflowClient(tracking_uri=f"{_SQLITE}{new}")
    moved_home.keep_beside(new)
    new.replace(database)


def artifact_of(client: "MlflowClient", run_id: str, name: str) -> Path:
    """A local file or folder with an artifact of a run, or with all for an empty name: fetched if it is elsewhere."""
    return fetched(client, client.get_run(run_id).info.artifact_uri, name)


def fetched(client: "MlflowClient", artifacts: str, name: str) -> Path:
    """As `artifact_of`, where the address of the run's artifacts is known."""
    from mlflow.artifacts import download_artifacts

    address = f"{artifacts}/{name}".rstrip("/")
    return Path(download_artifacts(address, tracking_uri=client.tracking_uri))  # by the run's id, it would be copied


def add_artifacts(client: "MlflowClient", run_id: str, folder: Path) -> None:
    """Add the files of a folder to those of a run.

    On this machine each takes the place of an earlier one in one step, so that whoever reads sees the one or the other,
    also where this process is killed.
    """
    from mlflow.utils.file_utils import local_file_uri_to_path

    uri: str = client.get_run(run_id).info.artifact_uri
    if not uri.startswith(("file:", "/")):
        client.log_artifacts(run_id, str(folder))
        return
    root = Path(local_file_uri_to_path(uri))
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        there = root / file.relative_to(folder)
        there.parent.mkdir(parents=True, exist_ok=True)
        new = there.with_name(f".{there.name}.new")
        shutil.copyfile(file, new)
        new.replace(there)


@contextmanager
def alone(uri: str, part: str = "") -> Iterator[None]:
    """Lock a SQLite database: of two processes that open a fresh one at once, the second one waits.

    A process that has locked it may do so again.

    Args:
        uri: of the database; any other is not locked.
        part: locks only this part of it, such as a model.
    """
    if not uri.startswith(_SQLITE):
        yield
        return
    database = Path(uri.removeprefix(_SQLITE))
    database.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{database}.{part}.lock" if part else f"{database}.lock", is_singleton=True):
        yield
