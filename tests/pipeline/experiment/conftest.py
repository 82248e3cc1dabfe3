import os
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from pipeline.baselines.als import Als
from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.experiment import piece_queue
from pipeline.experiment.helpers import helpers
from pipeline.experiment.tracking import Tracker
from tests.conftest import MOVIES, PATIENCE, with_baselines
from tests.pipeline.experiment.shop import Shop


@pytest.fixture
def tracker(tmp_path: Path, fresh_database: Callable[[Path], str]) -> Tracker:
    """A tracker for each test: a fit of another test would be reused."""
    return Tracker(fresh_database(tmp_path), tmp_path / "artifacts", "planted")


@pytest.fixture
def shop(tmp_path: Path, fresh_database: Callable[[Path], str]) -> Shop:
    uri = fresh_database(tmp_path)
    return Shop(Tracker(uri, tmp_path / "artifacts", "films"), uri)


@pytest.fixture
def films(write_conf: Callable, two_genres: pl.DataFrame) -> Dataset:
    conf = load(write_conf("films", {**MOVIES, "training": {**MOVIES["training"], "max_epochs": 2}}, two_genres))
    return with_baselines(conf, conf.baseline("popularity"), Als(dimension=2, regularisation=1.0, alpha=1.0))


@pytest.fixture
def another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more process, which is ready, and idle cores, whatever else this machine does."""
    monkeypatch.setattr(piece_queue, "idle_cores", lambda: 2)
    monkeypatch.setattr("pipeline.experiment.helpers._load", os.getpid)  # few of these tests train
    helpers.start(1)
    assert helpers.started is not None
    helpers.started.result(PATIENCE)


@pytest.fixture(autouse=True, scope="module")
def _no_process_stays() -> Iterator[None]:
    yield
    helpers.end()
