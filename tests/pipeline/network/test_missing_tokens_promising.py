"""Lists whose tokens say little about each other need a soft softmax, and the default finds that out.

And which tokens lead PCA, from which training starts, is decided by the lists too.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from benchmarks.lists import Shape, drawn
from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.embedding import Problem
from pipeline.evaluation.metrics import measure
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.network.learned import LearnedEmbedding
from pipeline.network.missing_tokens_module import MissingTokensModule
from pipeline.network.missing_tokens_promising import losses_at_start
from pipeline.network.missing_tokens_start import missing_tokens_network
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


POWER = "count_power"
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
    def make(lists: dict[str, Any] | pl.DataFrame, **training: Any) -> tuple[Problem, SparseExamples]:
        frame = lists if isinstance(lists, pl.DataFrame) else lists_of(**lists)
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


def small_groups() -> pl.DataFrame:
    """1,500 short lists of two of 50 groups each; some tokens are a hundred times as frequent as others."""
    return drawn(Shape(600, 10, 300, 50, lists=1500)).rename({"list": "user", "token": "movie"})


def collectors() -> pl.DataFrame:
    """400 lists from one of four groups of 25 tokens; 16 of them have 120 of 400 other tokens too."""
    random = np.random.default_rng(0)
    rows = []
    for i in range(400):
        rows += [(f"u{i}", f"{i % 4}-{t}") for t in random.choice(25, 6, replace=False)]
        rows += [(f"u{i}", f"rare-{t}") for t in random.choice(400, 120, replace=False) if i < 16]
    return pl.DataFrame(rows, schema=["user", "movie"], orient="row")


@pytest.mark.parametrize(("lists", "power"), [(small_groups, 0.5), (collectors, 0.25)])
def test_all_tokens_count_the_same_at_the_start_unless_rare_ones_are_in_few_lists(
    problem: Callable, lists: Callable[[], pl.DataFrame], power: float
) -> None:
    def recall(**settings: Any) -> tuple[float, float]:
        made, examples = problem(lists(), temperature=0.2, weight_decay=0, cut=False, **settings)
        fitted, task = LearnedEmbedding(made.conf).fit(made), made.conf.task
        return measure(task, task.evaluate(fitted, examples.held_out("test")))["recall_at_20"], fitted.chosen[POWER]

    chosen, others = recall(), [recall(count_power=one)[0] for one in (0.25, 0.5)]
    assert chosen == (max(others), power)
    assert max(others) > min(others) + 0.01


def test_where_all_tokens_are_equally_frequent_no_power_matters_and_it_is_the_first(problem: Callable) -> None:
    rows = [(f"u{i}", f"t{(i + t * t) % 40}") for i in range(400) for t in range(5)]
    even, _ = problem(pl.DataFrame(rows, ["user", "movie"], orient="row"))
    settings = even.conf.training
    found = MissingTokensModule.promising(even, settings, settings.choices())
    assert {one[POWER] for one in found} == {0.25}


def test_nothing_is_measured_where_there_is_nothing_to_choose(
    problem: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A PCA of large data would take as long as an epoch."""
    monkeypatch.delattr("pipeline.network.missing_tokens_module.best_power")
    for settings in ({"negatives": 10}, {"temperature": [0.1, 0.2], "count_power": 0.5}):
        made, _ = problem(STRONG, **settings)
        choices = made.conf.training.choices()
        assert MissingTokensModule.promising(made, made.conf.training, choices) == choices


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
