from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from pipeline.baselines.als import Als
from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.experiment.tracking import Tracker
from tests.conftest import MOVIES, with_baselines
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
