"""Several workers of a real cluster learn what one process learns, also when one of them is killed."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import psutil
import pytest

from pipeline.config.dataset import Dataset
from pipeline.embedding import Fitted, Problem, Watch
from pipeline.evaluation.bootstrap import difference, resampled
from pipeline.evaluation.metrics import measure
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.network.learned import LearnedEmbedding
from pipeline.vocabulary.vocabulary import Vocabulary
from tests.pipeline.network.test_resuming import encoded
from tests.ray_cluster import ray_cluster

pytestmark = pytest.mark.slow(60)

SAMPLED = {"negatives": 24, "learning_rate": 0.1, "max_epochs": 12}


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a cluster of two nodes, each with two CPUs."""
    with ray_cluster(2, cpus=2) as made:
        yield made.address


def learned(
    conf: Dataset, vocabulary: Vocabulary, examples: SparseExamples, watch: Watch = Watch(), **training: Any
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


def test_two_workers_learn_what_one_process_learns(
    cluster: str, movies: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", cluster)
    vocabulary, examples = encoded(tmp_path / "conf" / "planted_movies.yaml", movies)
    alone = learned(movies, vocabulary, examples, **SAMPLED)
    epochs: list[int] = []
    watch = Watch("planted", on_epoch=lambda losses, epoch: epochs.append(epoch))
    together = learned(movies, vocabulary, examples, watch, workers=2, **SAMPLED)
    assert epochs == list(range(1, 13))
    print(verdict(movies, examples, together, alone))
