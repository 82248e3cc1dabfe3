"""Lists with an order: what comes next is learned where it depends on what came last, and bags where it does not."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from pipeline.config.files import load
from pipeline.embedding import Embedding, Problem
from pipeline.evaluation.metrics import measure
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.network.learned import LearnedEmbedding
from pipeline.network.lists import Lists
from pipeline.network.missing_tokens_network import MissingTokensNetwork
from pipeline.network.padded_networks import PaddedMissingTokens
from pipeline.network.parts_of_lists import what_came_next
from pipeline.network.refreshed_start import refreshed_start
from pipeline.network.turned import turned
from tests.conftest import encoded_from
from tests.pipeline.examples.test_recency import IN_ORDER

V, D = 60, 4
Made = tuple[Problem, SparseExamples]


def walks(n: int, seed: int = 0) -> list[list[str]]:
    """Lists in which each token lies one to three places after the one before, on a ring of tokens."""
    random = np.random.default_rng(seed)
    steps = random.integers(1, 4, (n, 9))
    places = (random.integers(0, V, (n, 1)) + np.cumsum(steps, axis=1)) % V
    return [[f"t{place}" for place in one] for one in places]


@pytest.fixture
def problem(write_conf: Callable[..., Path]) -> Callable[..., Made]:
    def make(lists: list[list[str]], **settings: Any) -> Made:
        frame = pl.DataFrame({"songs": [" ".join(one) for one in lists]})
        task = {"kind": "missing_tokens", "primary": "ndcg_at_20"}
        told = {**IN_ORDER, "task": task, "training": {"temperature": [0.15, 0.3], "max_epochs": 20, **settings}}
        conf = load(write_conf("songs", told, frame))
        vocabulary, examples = encoded_from(frame, conf)
        conf = conf.resolved(examples.n_training, len(vocabulary))
        return Problem(examples.training(), vocabulary, conf, D, examples.held_out("validation")), examples

    return make


def fitted_of(problem: Problem) -> Any:
    return LearnedEmbedding(problem.conf).fit(problem)


def without_order(problem: Problem) -> Problem:
    """The same lists as bags."""
    assert problem.validation is not None
    both = (replace(rows, inputs=replace(rows.inputs, times=None)) for rows in (problem.training, problem.validation))
    training, validation = both
    return replace(problem, training=training, validation=validation)


def gain(fitted: Any, problem: Problem, examples: SparseExamples) -> float:
    task = problem.conf.task
    return measure(task, task.evaluate(fitted, examples.held_out("test")))["ndcg_at_20"]


def test_what_comes_next_is_found_where_it_depends_on_the_last_token(problem: Callable[..., Made]) -> None:
    told, examples = problem(walks(600))
    ours, bags = fitted_of(told), fitted_of(without_order(told))
    assert ours.chosen["ordered"] == 1
    assert "ordered" not in bags.chosen
    assert 0 < ours.decay < 0.3
    assert bags.decay == 1
    # one of three tokens comes next: the best order of them has a gain of (1 + 1 / log2(3) + 1 / 2) / 3 = .71
    assert gain(ours, told, examples) > 0.65
    assert gain(bags, told, examples) < 0.5


def test_where_the_order_tells_nothing_the_fit_is_that_of_bags(problem: Callable[..., Made]) -> None:
    random = np.random.default_rng(1)
    groups = random.integers(0, 4, 400)
    lists = [[f"t{i}" for i in 4 * random.choice(V // 4, 8, replace=False) + group] for group in groups]
    told, _ = problem(lists)
    ours, bags = fitted_of(told), fitted_of(without_order(told))
    assert ours.chosen == bags.chosen
    assert ours.weights.keys() == bags.weights.keys()
    assert all((ours.weights[name] == bags.weights[name]).all() for name in bags.weights)


def test_lists_of_which_only_one_token_trains_have_no_order_to_learn(problem: Callable[..., Made]) -> None:
    told, _ = problem([one[:3] for one in walks(400)], max_epochs=2)
    assert "ordered" not in fitted_of(told).chosen
    few, _ = problem([one[: 3 + 4 * (i % 100 == 0)] for i, one in enumerate(walks(400))], max_epochs=2)
    assert np.isfinite(fitted_of(few).weights["table.weight"]).all()


def test_it_is_fitted_again_as_it_was_chosen_and_nothing_else_is_tried(problem: Callable[..., Made]) -> None:
    told, examples = problem(walks(600))
    ours = fitted_of(told)
    again = fitted_of(replace(told, chosen=ours.chosen, validation=None))
    assert again.chosen == ours.chosen
    assert all((ours.weights[name] == again.weights[name]).all() for name in ours.weights)
    assert gain(again, told, examples) > 0.65


def test_restored_turned_and_exported_it_scores_the_same(problem: Callable[..., Made]) -> None:
    told, examples = problem(walks(600), max_epochs=5)
    ours = fitted_of(told)
    rows = examples.held_out("test")
    lists = rows.inputs.recent(ours.decay)[:20]
    scores = ours.score(lists, rows.dense[:20])
    restored = LearnedEmbedding.restore(ours.embedding, ours.weights, told.conf)
    assert (restored.score(lists, rows.dense[:20]) == scores).all()
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(D, D)))
    other = replace(ours, weights=turned(ours.weights, turn))
    assert other.score(lists, rows.dense[:20]) == pytest.approx(scores, abs=1e-5)
    factors = ours.factors
    assert factors is not None
    assert factors.queries(lists) @ factors.items.T == pytest.approx(scores, abs=1e-4)
    tokens, lengths, _, ages = rows.inputs.lists(slice(20))
    assert ages is not None
    padded = np.full((20, lengths.max() + 2), -1)
    padded[np.repeat(np.arange(20), lengths), np.repeat(lengths, lengths) - 1 - ages] = tokens  # in their order
    plain = PaddedMissingTokens(ours.weights, told.conf.task)
    assert plain(torch.from_numpy(padded)).numpy() == pytest.approx(scores, abs=1e-4)


def test_a_refresh_goes_on_with_the_order_it_has_learned(problem: Callable[..., Made]) -> None:
    told, examples = problem(walks(600))
    ours: Any = fitted_of(told)
    embedding: Embedding = ours.embedding
    training = told.conf.training.model_copy(update={"temperature": (0.15,), "max_epochs": 4})
    start = refreshed_start(ours.weights, embedding.vocabulary, told.vocabulary, told.training, told.conf.dtype)
    shorter = replace(told, conf=told.conf.model_copy(update={"training": training}), start=start)
    refreshed = fitted_of(shorter)
    assert refreshed.chosen["ordered"] == 1
    assert gain(refreshed, told, examples) > 0.65
    assert "ordered" not in fitted_of(without_order(shorter)).chosen


def test_with_and_without_a_gradient_the_bags_are_the_same() -> None:
    random = torch.Generator().manual_seed(0)
    network = MissingTokensNetwork(torch.randn(5, 2, generator=random, dtype=torch.float64), torch.zeros(5), 1, 1, 0)
    network.follow_order()
    lists = Lists.after_each_other(np.array([0, 1, 2, 4]), np.array([3, 0, 1]), ages=np.array([2, 1, 0, 0]))
    learning = network.bags(lists, network.table.weight)
    with torch.no_grad():
        assert torch.allclose(network.bags(lists, network.table.weight), learning)
    first = network.table.weight[0] / 7 + network.table.weight[1] * 2 / 7 + network.table.weight[2] * 4 / 7
    assert torch.allclose(learning, torch.stack([first, torch.zeros_like(first), network.table.weight[4]]))


def test_each_sample_has_what_came_before_and_predicts_what_came_next() -> None:
    # a, then b and c at once, then d; and a list of one time, from which nothing can be learned
    lists = Lists.after_each_other(np.array([0, 1, 2, 3, 4]), np.array([4, 1]), ages=np.array([2, 1, 1, 0, 0]))
    inputs, labels = what_came_next(lists, np.inf)

    def rows(some: Lists, values: torch.Tensor) -> list[list[int]]:
        ends = [*some.offsets.tolist(), len(some.tokens)]
        return [values[low:high].tolist() for low, high in pairwise(ends)]

    assert inputs.ages is not None
    assert rows(inputs, inputs.tokens) == [[0, 1, 2], [0]]
    assert rows(inputs, inputs.ages) == [[1, 0, 0], [0]]
    assert rows(labels, labels.tokens) == [[3], [1, 2]]
    many = Lists.after_each_other(np.arange(1000), np.array([1000]), ages=np.arange(1000)[::-1].copy())
    some, _ = what_came_next(many, 10)
    assert 2 < len(some.offsets) < 25
    assert some.ages is not None
    assert some.ages.max() < 200
    nothing, _ = what_came_next(Lists.after_each_other(np.array([4]), np.array([1]), ages=np.array([0])), np.inf)
    assert len(nothing.offsets) == 0
