"""Lists whose tokens say little about each other need a soft softmax, and the default finds that out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.embedding import Problem
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.network.learned import LearnedEmbedding
from pipeline.network.missing_tokens_module import MissingTokensModule
from pipeline.network.missing_tokens_start import missing_tokens_network
from pipeline.network.temperatures import losses_at_start
from pipeline.tasks.missing_tokens import MissingTokensTraining
from tests.conftest import MOVIES, encoded_from


def lists_of(n_tokens: int, length: int, ratio: float, groups: int) -> pl.DataFrame:
    """1,500 lists of about so many tokens, each of a group whose tokens are so many times as likely as the others."""
    random = np.random.default_rng(0)
    group = np.arange(n_tokens) % groups
    rows = []
    for i in range(1500):
        weights = np.where(group == random.integers(groups), ratio, 1.0)
        n = int(random.integers(2, 2 * length - 1))
        rows += [(f"u{i}", f"t{t}") for t in random.choice(n_tokens, n, replace=False, p=weights / weights.sum())]
    return pl.DataFrame(rows, schema=["user", "movie"], orient="row")


WEAK, STRONG = (
    {"n_tokens": 40, "length": 4, "ratio": 5, "groups": 4},
    {
        "n_tokens": 400,
        "length": 30,
        "ratio": 300,
        "groups": 10,
    },
)


@pytest.fixture
def problem(write_conf: Callable[..., Path]) -> Callable[..., tuple[Problem, SparseExamples]]:
    def make(lists: dict[str, Any], **training: Any) -> tuple[Problem, SparseExamples]:
        frame = lists_of(**lists)
        tokens = [{"kind": "value", "columns": "movie"}]
        conf: Dataset = load(write_conf("lists", {**MOVIES, "tokens": tokens, "training": training}, frame))
        vocabulary, examples = encoded_from(frame, conf)
        conf = conf.resolved(examples.n_training, len(vocabulary))
        return Problem(examples.training(), vocabulary, conf, 8, examples.held_out("validation")), examples

    return make


def tried(problem: Problem) -> list[float]:
    settings = problem.conf.training
    found = MissingTokensModule.promising(problem, settings, settings.choices())
    return [option["temperature"] for option in found]


def test_where_tokens_say_little_about_each_other_the_softest_is_found_and_is_better(problem: Callable) -> None:
    weak, examples = problem(WEAK, weight_decay=0, cut=False)
    usual = weak.conf.training.temperature
    assert usual[1:] == (0.3, 1.0, 3.0)
    assert 1.0 in tried(weak)
    fitted = LearnedEmbedding(weak.conf).fit(weak)
    sharp, _ = problem(WEAK, temperature=usual[0], weight_decay=0, cut=False)
    assert fitted.chosen["temperature"] >= 1.0
    task, test = weak.conf.task, examples.held_out("test")
    soft, hard = (task.evaluate(one, test)["ndcg_at_20"] for one in (fitted, LearnedEmbedding(sharp.conf).fit(sharp)))
    assert soft.mean() > hard.mean() + 0.01


def test_where_they_say_much_the_softest_is_not_tried(problem: Callable) -> None:
    strong, _ = problem(STRONG)
    assert 1.0 not in tried(strong)
    assert strong.conf.training.temperature[0] in tried(strong)


def test_temperatures_in_conf_are_all_tried_and_without_validation_it_is_the_first(problem: Callable) -> None:
    strong, examples = problem(STRONG, temperature=[0.1, 2.0])
    assert tried(strong) == [0.1, 2.0]
    weak, examples = problem(WEAK)
    blind = Problem(examples.training(), weak.vocabulary, weak.conf, 8)
    assert tried(blind) == [weak.conf.training.temperature[0]]


def test_with_an_endless_temperature_the_start_knows_the_popularity_alone(problem: Callable) -> None:
    """By hand: the mean over examples and labels of -log p, where p is the share among the tokens outside the list."""
    weak, _ = problem(WEAK)
    rows, counts = weak.validation, weak.training.inputs.counts
    network = missing_tokens_network(weak.training, MissingTokensTraining(), 8, 1.0, 0)
    network.bias.weight.data[:, 0] = network.bias.weight.new_tensor(np.log(counts))
    (found,) = losses_at_start(network, rows, [1e12])
    losses = []
    for inputs, labels in zip(rows.inputs.csr(), rows.labels.csr(), strict=True):
        outside = np.delete(counts, [*inputs.indices, *labels.indices]).sum()
        if labels.nnz:
            losses.append(-np.log(counts[labels.indices] / outside).mean())
    assert found == pytest.approx(np.mean(losses), rel=1e-6)
