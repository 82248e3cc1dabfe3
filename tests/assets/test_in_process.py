"""Runs of `make run` as Dagster's pages list them."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from assets.run_command import instance
from pipeline.config.dataset import Dataset
from tests.conftest import PATIENCE, learns, wait_until, with_training
from tests.forked import Process

pytestmark = pytest.mark.slow(30)
MATERIALISE = (sys.executable, "-m", "dagster", "asset", "materialize", "-m", "assets.definitions", "--select", "*")


@pytest.mark.parametrize("is_ours", [True, False], ids=["run", "a tool of Dagster"])
def test_a_run_that_was_killed_does_not_run_for_ever(
    is_ours: bool,
    movies: Dataset,
    tmp_path: Path,
    started: Callable[..., Process],
    fresh_database: Callable[[Path], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home, conf = tmp_path / "home", tmp_path / "conf"
    monkeypatch.setenv("PIPELINE_HOME", str(home))
    fresh_database(home)
    with_training(conf / "planted_movies.yaml", max_epochs=1_000_000, patience=1_000_000)
    own = {"PIPELINE_HOME": str(home), "PIPELINE_CONF": str(conf)}
    process = (
        started("run", **own)
        if is_ours
        else subprocess.Popen(MATERIALISE, env={**os.environ, **own, "DAGSTER_HOME": str(home / "dagster")})
    )
    wait_until(lambda: process.poll() is not None or learns(home / "mlflow.db", movies.name))
    process.send_signal(signal.SIGKILL)
    assert process.wait(PATIENCE) == -signal.SIGKILL
    with instance() as dagster:
        (killed,) = dagster.get_runs()
        assert killed.status == dg.DagsterRunStatus.STARTED
        repeated = dagster.create_run_for_job(  # as its page repeats it
            dg.job(name="again")(lambda: None), status=dg.DagsterRunStatus.STARTED, tags=killed.tags
        )

        (conf / "planted_movies.csv").write_text("nothing\n")  # the next run ends at once
        assert started("run", **own).wait(PATIENCE) == 1
        found = {run.run_id: run.status for run in dagster.get_runs()}
        assert found[killed.run_id] == dg.DagsterRunStatus.FAILURE
        assert found[repeated.run_id] == dg.DagsterRunStatus.STARTED
