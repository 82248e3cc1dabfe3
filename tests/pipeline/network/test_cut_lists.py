"""Short lists are cut in two, and each part predicts the other, where validation prefers that."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.files import load
from pipeline.embedding import Problem
from pipeline.estimators import PCA, estimator
from pipeline.evaluation.metrics import measure
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.network.batches import Batches
from pipeline.network.learned import LearnedEmbedding
from pipeline.network.lists import Lists
from pipeline.network.missing_tokens_module import SHORT, MissingTokensModule
from pipeline.network.parts_of_lists import parts_of_each_other
from pipeline.tasks.missing_tokens import MissingTokensTraining
from tests.conftest import MOVIES, encoded_from

D = 6
Made = tuple[Problem, SparseExamples]


def answers(people: int, questions: int = 6, choices: int = 3, kinds: int = 4) -> pl.DataFrame:
    """One answer of each person to each question: what kind of person it is decides how likely each answer is."""
    random = np.random.default_rng(0)
    likely = random.dirichlet(np.full(choices, 0.3), (kinds, questions)).cumsum(axis=2)
    drawn = likely[random.integers(0, kinds, people)] < random.random((people, questions, 1))  # (N, questions, choices)
    chosen = np.minimum(drawn.sum(axis=2), choices - 1)
    rows = [(f"u{i}", f"q{j}={answer}") for i, one in enumerate(chosen) for j, answer in enumerate(one)]
    return pl.DataFrame(rows, schema=["user", "movie"], orient="row")


@pytest.fixture
def problem(write_conf: Callable[..., Path]) -> Callable[..., Made]:
    def make(frame: pl.DataFrame, more: Any = None, **training: Any) -> Made:
        tokens = [{"kind": "value", "columns": "movie"}]
        split = {"validation": 0.2, "test": 0.4}
        settings = {"temperature": [0.15, 0.3], "weight_decay": 0, **training}
        conf = load(
            write_conf(
                "answers", MOVIES | {"tokens": tokens, "split": split, "training": settings} | (more or {}), frame
            )
        )
        vocabulary, examples = encoded_from(frame, conf)
        conf = conf.resolved(examples.n_training, len(vocabulary))
        return Problem(examples.training(), vocabulary, conf, D, examples.held_out("validation")), examples

    return make


def gain(method: str, problem: Problem, examples: SparseExamples) -> tuple[float, dict[str, Any]]:
    fitted, task = estimator(method, problem.conf).fit(problem), problem.conf.task
    return measure(task, task.evaluate(fitted, examples.held_out("test")))["ndcg_at_20"], dict(fitted.chosen)


def cuts(problem: Problem) -> list[int]:
    """Whether lists are cut, of each candidate."""
    settings = problem.conf.training
    among = MissingTokensModule.promising(problem, settings, settings.choices())
    return [one["cut"] for one in [*among, *MissingTokensModule.in_parts(problem, settings, among)]]


def test_answers_that_exclude_each_other_are_told_from_what_the_others_say(problem: Callable[..., Made]) -> None:
    """As a whole, a list says of each answer first of all that it belongs to itself, which nobody asks."""
    told, examples = problem(answers(700))
    ours, chosen = gain("embedding", told, examples)
    assert chosen["cut"] == 1
    whole, of_whole = gain("embedding", *problem(answers(700), cut=False))
    assert of_whole["cut"] == 0
    assert ours > whole + 0.005
    assert ours > gain(PCA, told, examples)[0]


def test_it_is_fitted_again_as_it_was_chosen(problem: Callable[..., Made]) -> None:
    told, _ = problem(answers(300), max_epochs=20)
    first = LearnedEmbedding(told.conf).fit(told)
    again = LearnedEmbedding(told.conf).fit(replace(told, chosen=first.chosen, validation=None))
    assert again.chosen == first.chosen
    assert (again.embedding.matrix == first.embedding.matrix).all()


def test_conf_may_say_whether_lists_are_cut(problem: Callable[..., Made]) -> None:
    frame = answers(60)
    assert cuts(problem(frame)[0]) == [0, 0, 1, 1]
    assert cuts(problem(frame, cut=True)[0]) == [1, 1]
    assert cuts(problem(frame, cut=False)[0]) == [0, 0]


def test_long_lists_and_weighted_ones_are_not_cut(problem: Callable[..., Made]) -> None:
    assert cuts(problem(answers(60, questions=SHORT + 1))[0]) == [0, 0]
    weighted = answers(60).with_columns(stars=pl.int_range(pl.len()) % 5 + 1.0)
    assert cuts(problem(weighted, {"weight": "stars"})[0]) == [0, 0]


@pytest.mark.parametrize(
    ("settings", "n", "cut"),
    [
        ({}, 100, None),
        ({}, 1_000_000, None),
        ({"max_epochs": 50}, 1_000_000, False),
        ({"negatives": 10}, 100, False),
        ({"input_share": [0.5, 1.0]}, 100, False),
        ({"cut": True, "negatives": 10}, 100, True),
    ],
)
def test_validation_chooses_where_that_costs_little(settings: dict[str, Any], n: int, cut: bool | None) -> None:
    assert MissingTokensTraining.model_validate(settings).resolved(n, 50).cut is cut


@given(st.lists(st.lists(st.integers(0, 9), unique=True, max_size=6), min_size=1, max_size=8), st.integers(0, 99))
def test_each_token_goes_in_once_and_is_predicted_once(lists: list[list[int]], seed: int) -> None:
    torch.manual_seed(seed)
    lengths = np.array([len(one) for one in lists])
    whole = Lists.after_each_other(np.array([token for one in lists for token in one], np.int64), lengths)
    inputs, labels = (of_each(one) for one in parts_of_each_other(whole))
    n = len(lists)
    assert labels == inputs[n:] + inputs[:n]
    for one, first, second in zip(lists, inputs[:n], inputs[n:], strict=True):
        assert sorted(first + second) == sorted(one)
        assert first or not one


def of_each(lists: Lists) -> list[list[int]]:
    ends = [*lists.offsets.tolist()[1:], len(lists.tokens)]
    return [lists.tokens[start:end].tolist() for start, end in zip(lists.offsets.tolist(), ends, strict=True)]


@pytest.mark.parametrize("decoupled", [True, False])
def test_what_is_predicted_competes_with_all_but_what_went_in(problem: Callable[..., Made], decoupled: bool) -> None:
    told, _ = problem(answers(60), cut=True, decoupled=decoupled)
    settings = told.conf.training
    module = MissingTokensModule.prepared(told, settings, 1, settings.choices()[0], {}).module
    assert isinstance(module, MissingTokensModule)
    batch = next(iter(Batches(told.training, told.training.dense, told.training.target).loader(8)))
    plan = module.train().plan(batch)
    assert of_each(plan["excluded"]) == of_each(plan["inputs"])
    assert len(plan["labels"].offsets) == 16
    held_out = module.eval().plan(batch | {"labels": batch["inputs"]})
    assert len(held_out["inputs"].offsets) == 8


def test_with_weights_it_counts_what_each_token_weighs() -> None:
    weights: Sequence[float] = [1.0, 2.0, 3.0]
    whole = Lists.after_each_other(np.array([4, 5, 6]), np.array([1, 2]), np.array(weights))
    inputs, labels = parts_of_each_other(whole)
    weight = dict(zip((4, 5, 6), weights, strict=True))
    for part in (inputs, labels):
        assert part.weights is not None
        assert part.weights.tolist() == [weight[token] for token in part.tokens.tolist()]
