"""Links between Dagster's and MLflow's pages that follow the ports on which `make dev` serves them.

Each page shows only whole addresses, kept where it reads them: in Dagster's events, MLflow's notes, reports. So a run
writes the addresses of the servers that run, or of those that would by default; and `make dev`, without which no link
works, changes what was written for other ports. What others share, such as a server of MLflow, stays as it is.
"""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from assets.addresses import HOST
from assets.home import home
from assets.resources import MLflow
from pipeline.experiment.moved_home import ARTIFACTS
from pipeline.views.pages.report import FILE as REPORT

_HERE = re.escape(f"http://{HOST}:") + r"\d+"
_OF_MLFLOW, _OF_DAGSTER = re.compile(rf"{_HERE}(?=/#/)"), re.compile(rf"{_HERE}(?=/(?:assets|runs)/)")
_EVENTS = "dagster/history/runs"
"""The folder in the home with a database of Dagster's events for each run, and one for the assets."""
_PATIENCE = 60.0
"""Seconds to wait for another process that writes."""


def follow(mlflow: MLflow) -> None:
    """Let all links that the home keeps lead to where the pages are served now."""

    def followed(text: str) -> str:
        if mlflow.is_local:  # a server has its own address
            text = _OF_MLFLOW.sub(mlflow.ui, text)
        return _OF_DAGSTER.sub(mlflow.dagster_ui, text)

    folder = home()
    _in_table(folder / "mlflow.db", "tags", "value", followed)
    _in_table(folder / "mlflow.db", "experiment_tags", "value", followed)
    _in_table(folder / _EVENTS / "index.db", "asset_keys", "last_materialization", followed)
    if _in_table(folder / _EVENTS / "index.db", "event_logs", "event", followed):
        for database in (folder / _EVENTS).glob("*-*.db"):
            _in_table(database, "event_logs", "event", followed)
    for pattern in (f"data/*/report/{REPORT}", f"{ARTIFACTS}/*/*/artifacts/{REPORT}"):
        for report in folder.glob(pattern):
            _in_file(report, followed)


def _in_table(database: Path, table: str, column: str, followed: Callable[[str], str]) -> int:
    """Change a column of a database, if there is one; how many rows were changed."""
    if not database.exists():
        return 0
    with closing(sqlite3.connect(database, timeout=_PATIENCE)) as connection, connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone():
            return 0
        connection.create_function("followed", 1, followed, deterministic=True)
        return connection.execute(
            f"UPDATE {table} SET {column} = followed({column}) "
            f"WHERE {column} LIKE '%http://{HOST}:%' AND followed({column}) <> {column}"
        ).rowcount


def _in_file(path: Path, followed: Callable[[str], str]) -> None:
    """Change a file in one step."""
    text = path.read_text(encoding="utf-8")
    if followed(text) != text:
        new = path.with_name(f".{path.name}.new")
        new.write_text(followed(text), encoding="utf-8")
        new.replace(path)
