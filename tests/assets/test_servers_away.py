"""Runs that servers keep, PostgreSQL for MLflow and Dagster, or an MLflow server; and servers that go away."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import requests

from assets.__main__ import main
from benchmarks import postgresql
from benchmarks.postgresql import PASSWORD
from docs.tour import free_port
from pipeline.config.dataset import Dataset
from tests.conftest import PATIENCE, learns, wait_until, with_training
from tests.forked import Process

pytestmark = pytest.mark.slow(60)


@pytest.fixture
def cluster() -> Iterator[postgresql.Cluster]:
    """A PostgreSQL of this test's own, as it is stopped."""
    if postgresql.binaries() is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    with postgresql.cluster(free_port()) as server:
        for name in ("runs", "schedules"):
            asked(f"{server.address}/postgres", f"create database {name}")
        yield server


def asked(address: str, query: str) -> list[Any]:
    """What a database answers; nothing while it has no such table."""
    with closing(psycopg2.connect(address)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        try:
            cursor.execute(query)
        except psycopg2.errors.UndefinedTable:
            return []
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def start(started: Callable[..., Process], tmp_path: Path) -> Callable[..., Process]:
    """Start `make run`, in a process of its own."""
    return partial(started, "run", PIPELINE_HOME=str(tmp_path / "home"), PIPELINE_CONF=str(tmp_path / "conf"))


def test_runs_in_postgresql_which_goes_away_in_the_middle(
    movies: Dataset, cluster: postgresql.Cluster, start: Callable[..., Process], tmp_path: Path
) -> None:
    """Then everything is in PostgreSQL, Dagster's runs too, and the next run goes on."""
    runs, schedules = (f"{cluster.address}/{name}" for name in ("runs", "schedules"))
    conf = tmp_path / "conf" / "planted_movies.yaml"
    as_it_was = conf.read_text()
    with_training(conf, max_epochs=1_000_000, patience=1_000_000)
    process = start(MLFLOW_TRACKING_URI=runs)
    is_learning = "select 1 from metrics where key = 'train_loss' limit 1"
    wait_until(lambda: process.poll() is not None or bool(asked(runs, is_learning)))
    cluster.stop()
    code = process.wait(PATIENCE)
    cluster.start()
    out, err = process.out, process.err
    assert code == 1
    assert "the database does not answer, or refuses. Look at its server, and run again" in err
    assert "Traceback" not in err

    shutil.rmtree(tmp_path / "home" / "dagster")
    conf.write_text(as_it_was)
    process = start(MLFLOW_TRACKING_URI=runs, DAGSTER_STORAGE_URI=schedules)
    code = process.wait(PATIENCE)
    table, later = process.out, process.err
    assert (code, later) == (0, "")
    assert "\nplanted_movies  " in table
    statuses = asked(runs, "select name, status from runs")
    finished = [(name, "FINISHED") for name in ("embedding D=2", "pca D=2", "popularity")]
    assert sorted(statuses) == sorted([*finished, ("embedding D=2", "KILLED")])
    assert asked(schedules, "select count(*) from runs where status = 'SUCCESS'") == [(1,)]

    files = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix == ".db"]
    assert not [path for path in files if PASSWORD.encode() in path.read_bytes()]
    assert PASSWORD not in out + err + table + later
    assert asked(runs, f"select * from params where value like '%{PASSWORD}%'") == []
    assert asked(schedules, f"select * from event_logs where event like '%{PASSWORD}%'") == []


def test_an_mlflow_server_that_goes_away_in_the_middle(
    movies: Dataset,
    start: Callable[..., Process],
    fresh_database: Callable[[Path], str],
    tmp_path: Path,
) -> None:
    database, port = fresh_database(tmp_path / "elsewhere"), free_port()
    command = [str(Path(sys.executable).parent / "mlflow"), "server", "--workers", "1", "--port", str(port)]
    store = ["--backend-store-uri", database, "--artifacts-destination", str(tmp_path / "artifacts")]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # as `make dev` starts it
    server = subprocess.Popen(
        [*command, *store], cwd=tmp_path, env=environment, start_new_session=True, stderr=subprocess.DEVNULL
    )
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until(lambda: _answers(f"{address}/health"))
        with_training(tmp_path / "conf" / "planted_movies.yaml", max_epochs=1_000_000, patience=1_000_000)
        process = start(MLFLOW_TRACKING_URI=address, MLFLOW_HTTP_REQUEST_MAX_RETRIES="1")
        wait_until(lambda: process.poll() is not None or learns(tmp_path / "elsewhere" / "mlflow.db", movies.name))
    finally:
        os.killpg(server.pid, 9)
        server.wait()
    assert process.wait(PATIENCE) == 1
    assert "the MLflow server does not answer. Start it, and run again: what was finished is kept." in process.err
    assert "Traceback" not in process.err


def _answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=PATIENCE).ok
    except requests.ConnectionError:
        return False


def test_a_database_that_cannot_be_used_is_told_before_anything_begins(
    movies: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIPELINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PIPELINE_CONF", str(tmp_path / "conf"))
    nowhere = f"127.0.0.1:{free_port()}"
    for variable, address, said in (
        (
            "MLFLOW_TRACKING_URI",
            f"postgresql://me:{PASSWORD}@{nowhere}/runs",
            r"me:\*\*\*@.* does not answer",
        ),
        ("DAGSTER_STORAGE_URI", f"postgresql://me:{PASSWORD}@{nowhere}/x", "DAGSTER_STORAGE_URI=.* does not answer"),
        ("DAGSTER_STORAGE_URI", f"mysql://me:{PASSWORD}@{nowhere}/x", "is no address that can be used here"),
        ("MLFLOW_TRACKING_URI", f"http://{nowhere}", "MLFLOW_TRACKING_URI=.* does not answer"),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(variable, address)
            assert main(["run"]) == 1
        err = capsys.readouterr().err
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        assert PASSWORD not in err
        assert re.search(said, err)
    assert not (tmp_path / "home" / "data").exists()
