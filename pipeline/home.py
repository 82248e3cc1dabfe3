"""Where everything is by default, and what a person types: in a clone, and where the package is installed."""

import os
from pathlib import Path

_CODE = Path(__file__).resolve().parent.parent


def is_clone() -> bool:
    """Whether the code is in a clone of its repository, with `conf` and `make` beside it, and not installed."""
    return (_CODE / "workspace.yaml").is_file()


def project() -> Path:
    """The folder in which conf and home are by default: the clone, or the working directory of an installed command."""
    return _CODE if is_clone() else Path.cwd()


def typed(command: str, dataset: str = "") -> str:
    """What a person types for a command: in a clone `make`, elsewhere the installed command."""
    if is_clone():
        return f"make {command}{f' DATASET={dataset}' if dataset else ''}"
    return f"embedding-pipeline {command} {dataset}".strip()


def folder_of(variable: str, default: str) -> Path:
    """The folder that an environment variable names, or else one of the project."""
    value = os.environ.get(variable)
    return Path(value).expanduser().absolute() if value else project() / default


def tracking_uri() -> str:
    """Where MLflow keeps runs and models: MLFLOW_TRACKING_URI, or the database in PIPELINE_HOME."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{folder_of('PIPELINE_HOME', 'var')}/mlflow.db"
