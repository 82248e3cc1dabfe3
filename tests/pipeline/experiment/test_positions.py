import time

import polars as pl
import pytest

from pipeline.baselines.pca import Pca
from pipeline.config.dataset import Dataset
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.experiment.fitting import fit_all
from pipeline.experiment.positions import Positions
from pipeline.experiment.tracking import CURRENT, Tracker
from pipeline.vocabulary.vocabulary import Vocabulary
from tests.conftest import encoded_from


@pytest.fixture
def conf(movies: Dataset) -> Dataset:
    return movies.model_copy(update={"dimensions": (2, 4), "baselines": (Pca(dimensions=(2, 4)),)})


@pytest.fixture
def encoded(two_genres: pl.DataFrame, conf: Dataset) -> tuple[Vocabulary, SparseExamples]:
    return encoded_from(two_genres, conf)


def note(tracker: Tracker, name: str, seconds: float, elapsed: float | None = None) -> None:
    """Store a finished run as the one that counts."""
    with tracker.run(name, {"fit_key": "of other settings", "method": name.split(" ")[0]}, {}) as run:
        run.log_metrics({"fit_seconds": seconds} | ({"elapsed_seconds": elapsed} if elapsed else {}))
    tracker.mark_current(run.run_id, name)


def seconds_left(positions: Positions, method: str, dimension: int) -> float | None:
    end = positions.position(method, dimension).end
    return None if end is None else end - time.monotonic()


def test_the_fits_that_follow_take_as_long_as_they_did_or_as_the_longest_of_their_method(
    conf: Dataset, encoded: tuple[Vocabulary, SparseExamples], tracker: Tracker
) -> None:
    positions = Positions(conf, encoded[1], tracker, force=False)
    assert positions.position("pca", 2) == (1, 4, None)
    assert positions.position("embedding", 4) == (4, 4, None)
    note(tracker, "pca D=2", 1e4)
    note(tracker, "pca D=4", 2e4)
    note(tracker, "embedding D=2", 1e5, elapsed=4e5)
    assert seconds_left(positions, "pca", 2) == pytest.approx(1e4 + 2e4 + 2 * 4e5, rel=1e-2)
    assert seconds_left(positions, "embedding", 4) == pytest.approx(4e5, rel=1e-2)


def test_a_fit_that_will_be_reused_takes_no_time_unless_all_are_repeated(
    conf: Dataset, encoded: tuple[Vocabulary, SparseExamples], tracker: Tracker
) -> None:
    vocabulary, examples = encoded
    fit_all(["pca"], conf, vocabulary, examples, tracker)
    for run in tracker.client.search_runs([tracker.experiment_id], f"tags.{CURRENT} = 'yes'"):
        tracker.client.log_metric(run.info.run_id, "elapsed_seconds", 1e4)
    note(tracker, "embedding D=2", 4e5)
    conf = conf.resolved(examples.n_training, len(vocabulary))
    reusing, repeating = (Positions(conf, examples, tracker, force=force) for force in (False, True))
    assert seconds_left(reusing, "pca", 2) == pytest.approx(1e4 + 2 * 4e5, rel=1e-4)
    assert seconds_left(repeating, "pca", 2) == pytest.approx(2e4 + 2 * 4e5, rel=1e-4)
