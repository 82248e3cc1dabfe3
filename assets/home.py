"""Where everything is: the home, the conf files, the store that several machines share, and the databases.

What is kept there, and how, does not belong here.
"""

import os
import re
import tempfile
from pathlib import Path
from uuid import uuid4

from assets.faults import POSTGRESQL, broken_database, in_words, require_server
from assets.store import Store
from pipeline.errors import PipelineError
from pipeline.home import folder_of
from pipeline.secrets import masked

TRACKING = "MLFLOW_TRACKING_URI"
"""The variable with the address of MLflow's runs: of a server, or of a database."""
DAGSTER_STORAGE = "DAGSTER_STORAGE_URI"
"""The variable with the address of a PostgreSQL database for Dagster's runs and schedules."""
_EARLIER = """\
# Written by Embedding Pipeline where there was no dagster.yaml; yours to change.
telemetry:
  enabled: false
nux:
  enabled: false
"""
"""What earlier versions wrote."""
# The terminal shows what the assets say, and errors; the engine's own events, which are DEBUG, stay in Dagster's log.
_DAGSTER_YAML = f"""\
{_EARLIER}python_logs:
  python_log_level: INFO
"""
_IN_POSTGRESQL = f"""\
storage:
  postgres:
    postgres_url:
      env: {DAGSTER_STORAGE}
"""


def home() -> Path:
    """The one folder in which everything is written: PIPELINE_HOME, by default `var` in the project.

    Raises:
        PipelineError: its path has a character that addresses of databases do not allow, or that is part of a pattern.
    """
    folder = folder_of("PIPELINE_HOME", "var")
    odd = sorted({*"%?#"} & {*str(folder)})
    if odd:
        raise PipelineError(
            f"PIPELINE_HOME={folder}: the address of a database cannot have {' or '.join(odd)}. Choose another path."
        )
    odd = sorted({*"*[]"} & {*str(folder)})
    if odd:
        raise PipelineError(
            f"PIPELINE_HOME={folder}: Dagster takes {' and '.join(odd)} for a pattern of paths. Choose another path."
        )
    return folder


def address_of(variable: str) -> str:
    """The address of a server that the environment names, with PostgreSQL's driver; empty if it names none."""
    return re.sub(r"^postgres(ql)?://", f"{POSTGRESQL}://", os.environ.get(variable, ""))


def require_home() -> None:
    """Refuse a home that cannot be written, or whose databases cannot be read, before anything begins.

    Raises:
        PipelineError: says what is wrong with it.
    """
    folder = home()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"1")
    except FileExistsError:
        raise PipelineError(f"PIPELINE_HOME={folder}: is a file. Choose a folder.") from None
    except NotADirectoryError:
        raise PipelineError(f"PIPELINE_HOME={folder}: a part of this path is a file. Choose another path.") from None
    except OSError as error:
        raise PipelineError(f"PIPELINE_HOME={folder}: {in_words(error) or error}") from None
    for variable in (TRACKING, DAGSTER_STORAGE):
        require_server(variable, address_of(variable))
    if address_of(DAGSTER_STORAGE):
        if address_of(DAGSTER_STORAGE) == address_of(TRACKING):
            raise PipelineError(
                f"{TRACKING} and {DAGSTER_STORAGE} are one database, in which both would have a table `runs`. Give two."
            )
        os.environ[DAGSTER_STORAGE] = address_of(DAGSTER_STORAGE)  # Dagster reads it there, and so do its processes
    own = ("history/runs.db", "history/runs/index.db", "schedules/schedules.db")
    for database in (folder / "mlflow.db", *(dagster_home() / name for name in own)):
        broken = broken_database(database)
        if broken:
            raise PipelineError(broken)


def conf_folder() -> Path:
    """The folder of the dataset files: PIPELINE_CONF, by default `conf` in the project."""
    return folder_of("PIPELINE_CONF", "conf")


def store() -> Store | None:
    """The store of values that several machines share: PIPELINE_STORE, a URL such as `s3://bucket/folder`; or None.

    Raises:
        PipelineError: it is no URL.
    """
    url = os.environ.get("PIPELINE_STORE")
    if url and "://" not in url:
        raise PipelineError(f"PIPELINE_STORE={url} is no URL: give one such as s3://bucket/folder or file:///folder.")
    if url and masked(url) != url:
        raise PipelineError(
            f"PIPELINE_STORE={url}: MLflow would keep its password. Give it in the variables of the store's own "
            "library, such as AWS_SECRET_ACCESS_KEY."
        )
    return Store(url) if url else None


def dagster_home() -> Path:
    """Dagster's own folder in the home, made if it is missing, with settings such as no telemetry.

    Raises:
        PipelineError: the environment names a database for Dagster, and a `dagster.yaml` of the user's own does not.
    """
    folder = home() / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "dagster.yaml"
    wanted = _DAGSTER_YAML + (_IN_POSTGRESQL if os.environ.get(DAGSTER_STORAGE) else "")
    written = settings.read_text() if settings.exists() else None
    if written is None or written.removesuffix(_IN_POSTGRESQL) in (_EARLIER, _DAGSTER_YAML):
        if written != wanted:
            new = settings.with_name(f".{settings.name}.{uuid4().hex}")  # Dagster never sees half of it
            new.write_text(wanted)
            new.replace(settings)
    elif os.environ.get(DAGSTER_STORAGE) and "storage:" not in str(written):
        lines = " / ".join(line.strip() for line in _IN_POSTGRESQL.splitlines())
        raise PipelineError(f"{settings} is your own, and says no storage: for {DAGSTER_STORAGE} add `{lines}` to it.")
    return folder
