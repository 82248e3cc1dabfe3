"""Several workers of a real cluster learn what one process learns, also when one of them is killed."""

import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline.config.dataset import Dataset
from pipeline.embedding import Fitted, Problem, Watch
from pipeline.errors import PipelineError
from pipeline.evaluation.bootstrap import difference, resampled
from pipeline.evaluation.metrics import measure
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.network import callbacks
from pipeline.network.learned import LearnedEmbedding
from pipeline.vocabulary.vocabulary import Vocabulary
from tests.conftest import wait_until
from tests.pipeline.network.test_resuming import To, encoded
from tests.ray_cluster import ray_cluster

pytestmark = pytest.mark.slow(60)

LOG = logging.getLogger("test")
AS_GOOD = ("no difference shown", "better")
"""Each worker draws negatives of its own, so that several see more of them than one does."""
WATCH = Watch("planted")
SAMPLED = {"negatives": 24, "learning_rate": 0.1, "max_epochs": 12}


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a cluster of two nodes, each with two CPUs."""
    with ray_cluster(2, cpus=2) as made:
        yield made.address


def learned(
    conf: Dataset, vocabulary: Vocabulary, examples: SparseExamples, watch: Watch = WATCH, **training: Any
) -> Fitted:
    """A fit with these training settings."""
    settings = conf.training.model_copy(update=training)
    asked = conf.model_copy(update={"training": settings}).resolved(examples.n_training, len(vocabulary))
    problem = Problem(examples.training(), vocabulary, asked, 2, examples.held_out("validation"), watch=watch)
    return LearnedEmbedding(asked).fit(problem)


def verdict(conf: Dataset, examples: SparseExamples, one: Fitted, other: Fitted) -> str:
    """Whether the test examples show that a fit is better, or worse, than the other: the product's own comparison."""
    scores = [conf.task.evaluate(fitted, examples.held_out("test")) for fitted in (one, other)]
    values, drawn = [measure(conf.task, frame) for frame in scores], resampled(conf.task, scores)
    metric = conf.task.metrics[0]
    pairs = [(value[metric.name], draws[metric.name]) for value, draws in zip(values, drawn, strict=True)]
    return difference(metric, pairs[0], pairs[1], scores[0].height).verdict


def workers_of_this_machine() -> list[psutil.Process]:
    """The processes of Ray Train's workers."""
    return [one for one in psutil.process_iter(["name"]) if "TrainWorker" in str(one.info["name"])]


def test_a_killed_worker_is_replaced_and_two_learn_what_one_process_learns(
    cluster: str, movies: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fit goes on from its checkpoint; each epoch is told once, in order, though some are learned again."""
    monkeypatch.setenv("RAY_ADDRESS", cluster)
    monkeypatch.setattr(callbacks, "CHECKPOINT_SECONDS", 0.0)
    vocabulary, examples = encoded(tmp_path / "conf" / "planted_movies.yaml", movies)
    epochs: list[int] = []
    killed: list[int] = []

    def on_epoch(_: Any, epoch: int) -> None:
        epochs.append(epoch)
        if epoch >= 3 and not killed and list(tmp_path.glob("checkpoints/*/workers/checkpoint_*")):
            killed.append(workers_of_this_machine()[0].pid)
            os.kill(killed[0], signal.SIGKILL)

    lines: list[str] = []
    log = logging.Logger("lines")
    log.addHandler(To(lines))
    training = {**SAMPLED, "batch_size": 16}
    watch = Watch("planted", log, on_epoch, checkpoints=tmp_path / "checkpoints")
    together = learned(movies, vocabulary, examples, watch, workers=2, **training)
    assert killed
    assert any("where a worker was lost" in line for line in lines)
    assert epochs == list(range(1, 13))
    assert verdict(movies, examples, together, learned(movies, vocabulary, examples, **training)) in AS_GOOD


def test_four_workers_with_a_divided_table_learn_what_one_process_learns(
    cluster: str, movies: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checkpoints are in the store that all machines share, until the training is done."""
    monkeypatch.setenv("RAY_ADDRESS", cluster)
    monkeypatch.setenv("PIPELINE_STORE", f"file://{tmp_path}/store")
    vocabulary, examples = encoded(tmp_path / "conf" / "planted_movies.yaml", movies)
    epochs: list[int] = []
    watch = Watch("planted", on_epoch=lambda losses, epoch: epochs.append(epoch))
    together = learned(movies, vocabulary, examples, watch, workers=4, largest_table=1e-9, **SAMPLED)
    assert epochs == list(range(1, 13))
    assert not list((tmp_path / "store" / "training").iterdir())
    assert verdict(movies, examples, together, learned(movies, vocabulary, examples, **SAMPLED)) in AS_GOOD


def test_an_interruption_ends_the_workers_and_the_next_process_goes_on(
    cluster: str, movies: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", cluster)
    monkeypatch.setattr(callbacks, "CHECKPOINT_SECONDS", 0.0)
    vocabulary, examples = encoded(tmp_path / "conf" / "planted_movies.yaml", movies)
    training = {**SAMPLED, "workers": 2, "largest_table": 1e-9}

    def on_epoch(_: Any, epoch: int) -> None:
        if epoch >= 3 and list(tmp_path.glob("checkpoints/*/workers/checkpoint_*")):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        learned(
            movies,
            vocabulary,
            examples,
            Watch("planted", LOG, on_epoch, checkpoints=tmp_path / "checkpoints"),
            **training,
        )
    wait_until(lambda: not workers_of_this_machine())
    epochs: list[int] = []
    seconds: list[float] = []
    again = Watch("planted", LOG, lambda _, epoch: epochs.append(epoch), seconds.append, tmp_path / "checkpoints")
    learned(movies, vocabulary, examples, again, **training)
    assert epochs == list(range(1, 13))
    assert len(seconds) == 1


def test_a_table_that_cannot_be_divided_is_told_with_the_cure(movies: Dataset, tmp_path: Path) -> None:
    """With all tokens as competitors each step needs the whole table."""
    vocabulary, examples = encoded(tmp_path / "conf" / "planted_movies.yaml", movies)
    with pytest.raises(
        PipelineError, match=r"planted_movies.yaml, training.largest_table=1e-09: .* Raise `largest_table`"
    ):
        learned(movies, vocabulary, examples, workers=2, largest_table=1e-9)


def test_what_is_missing_is_told_with_the_cure(
    movies: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray", reason="Ray is not installed (make ray)")
    vocabulary, examples = encoded(tmp_path / "conf" / "planted_movies.yaml", movies)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(PipelineError, match=r"planted_movies.yaml, training.workers=2 .* Start one with `ray start"):
        learned(movies, vocabulary, examples, workers=2)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(PipelineError, match=r"pip install 'embedding-pipeline\[ray\]'"):
        learned(movies, vocabulary, examples, workers=2)
