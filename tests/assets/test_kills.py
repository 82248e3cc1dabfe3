"""A run of the whole chain that is killed at any moment: what others read stays one consistent set, and nothing lies.

KILLS=50 in the environment kills that often; the records change each time, so that each run makes everything anew.
"""

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from mlflow.tracking import MlflowClient

from pipeline.embedding import Embedding
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.experiment.comparison import Comparison
from pipeline.experiment.fits import Fits
from pipeline.records.records import Records
from pipeline.vocabulary.counted import Counted
from tests.conftest import MOVIES, PATIENCE
from tests.forked import Process

KILLS = int(os.environ.get("KILLS", "2"))
pytestmark = pytest.mark.slow(50)


@pytest.fixture
def run(started: Callable[..., Process]) -> Callable[[Path, float | None], int]:
    """`make run` in a home beside its conf files, killed after some seconds: its exit code."""

    def begin(folder: Path, seconds: float | None) -> int:
        home, conf = str(folder / "home"), str(folder / "conf")
        process = started("run", often=True, PIPELINE_HOME=home, PIPELINE_CONF=conf)
        with suppress(TimeoutError):
            code = process.wait(PATIENCE if seconds is None else seconds)
            assert code == 0, process.err
            return code
        process.send_signal(signal.SIGKILL)
        return process.wait()

    return begin


def written(folder: Path, records: pl.DataFrame, version: int) -> None:
    """The conf file, and the records without those of one person: another one in each version.

    The last version begins anew, so that a home with a past ends with what a fresh one has.
    """
    (folder / "conf").mkdir(parents=True, exist_ok=True)
    people = records["user"].unique().sort()
    some = records.filter(pl.col("user") != people[version % len(people)])
    some.write_csv(folder / "conf" / ".films.csv")
    (folder / "conf" / ".films.csv").replace(folder / "conf" / "films.csv")
    settings = {**MOVIES, "source": {"path": "films.csv"}, "training": {**MOVIES["training"], "max_epochs": 10}}
    anew = {"vocabulary": {"keep": False}, "refresh": {"times": 0}} if version == KILLS else {}
    (folder / "conf" / "films.yaml").write_text(yaml.safe_dump({**settings, **anew}))


def people_in(folder: Path) -> set[str] | None:
    """Whose records everything in a home was made from; None if nothing was finished yet. It fails if they differ."""
    values = folder / "home" / "data" / "films"
    if not (values / "raw_records").exists():
        return None
    people = set(Records.load(values / "raw_records").frame.collect()["user"].cast(pl.String))
    counted, examples = Counted.load(values / "vocabulary"), SparseExamples.load(values / "sparse_examples")
    assert examples.about["vocabulary"] == counted.vocabulary.fingerprint
    assert set(examples.frame["example"]) == people
    client = MlflowClient(f"sqlite:///{folder}/home/mlflow.db")
    fits = [fit for name in ("embedding", "pca", "other_baselines") for fit in Fits.load(values / name).fits]
    for fit in fits:
        assert client.get_run(fit.run_id).info.status == "FINISHED"
        path = client.download_artifacts(fit.run_id, "embedding.parquet")
        embedding = Embedding.load(Path(path))
        assert embedding.vocabulary.fingerprint == counted.vocabulary.fingerprint
        assert (embedding.stability is not None) == (fit.method in ("embedding", "pca"))
    assert {fit.run_id for fit in Comparison.load(values / "comparison").fits} == {fit.run_id for fit in fits}
    return people


def metrics(folder: Path) -> list[dict[str, Any]]:
    """The metrics of all fits, without times and names of runs."""
    frame = Comparison.load(folder / "home" / "data" / "films" / "comparison").frame
    return frame.drop("run_id", "experiment_id", "reused", "fit_seconds", "replica_seconds").to_dicts()


def test_a_home_is_consistent_after_a_kill_at_any_moment(
    run: Callable[[Path, float | None], int],
    two_genres: pl.DataFrame,
    tmp_path: Path,
    fresh_database: Callable[[Path], str],
) -> None:
    people = set(two_genres["user"])
    calm, stormy = tmp_path / "calm", tmp_path / "stormy"
    for folder in (calm, stormy):
        fresh_database(folder / "home")
    written(calm, two_genres, KILLS)
    began = time.monotonic()
    assert run(calm, None) == 0
    seconds = time.monotonic() - began

    moments, before = random.Random(0), None
    for version in range(KILLS):
        written(stormy, two_genres, version)
        code = run(stormy, moments.uniform(0, seconds))
        assert code in (-9, 0)
        found = people_in(stormy)
        assert found == before or found == people - {f"u{version:03d}"}
        assert code != 0 or found != before
        before = found

    written(stormy, two_genres, KILLS)
    assert run(stormy, None) == 0
    assert people_in(stormy) == people_in(calm)
    assert metrics(stormy) == metrics(calm)
    client = MlflowClient(f"sqlite:///{stormy}/home/mlflow.db")
    experiment = client.get_experiment_by_name("films")
    assert experiment is not None
    for one in client.search_runs([experiment.experiment_id], max_results=1000):
        assert one.info.status in ("FINISHED", "KILLED")
        if one.info.status == "FINISHED":
            assert "embedding.parquet" in {file.path for file in client.list_artifacts(one.info.run_id)}
    assert not [path for path in (stormy / "home" / "data" / "films" / ".runs").glob("*") if path.is_dir()]
    assert len(list((stormy / "home" / "data" / "films" / ".versions").iterdir())) == 1
