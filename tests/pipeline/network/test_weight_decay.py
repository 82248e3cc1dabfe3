"""Of few lists a large table comes to believe what is chance; then validation chooses among weight decays."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import polars as pl
import pytest

from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.embedding import Problem
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.network import contest
from pipeline.network.learned import LearnedEmbedding
from pipeline.tasks.missing_tokens import DECAYS, FEW_EXAMPLES, MissingTokensTraining
from tests.conftest import MOVIES, encoded_from
from tests.pipeline.network.test_missing_tokens_promising import STRONG, lists_of

GROUPS = lists_of(n_tokens=80, length=8, ratio=10, groups=4)
"""Three dimensions tell the groups apart; all else is chance."""


@pytest.fixture
def problem(write_conf: Callable[..., Path]) -> Callable[..., tuple[Problem, SparseExamples]]:
    def make(frame: pl.DataFrame, **settings: object) -> tuple[Problem, SparseExamples]:
        tokens = [{"kind": "value", "columns": "movie"}]
        told = {**MOVIES, "tokens": tokens, "training": {"temperature": 0.15, "cut": False, **settings}}
        conf: Dataset = load(write_conf("lists", told, frame))
        vocabulary, examples = encoded_from(frame, conf)
        conf = conf.resolved(examples.n_training, len(vocabulary))
        return Problem(examples.training(), vocabulary, conf, 32, examples.held_out("validation")), examples

    return make


@pytest.mark.parametrize("temperature", [[0.15], [0.12, 0.3]])
def test_where_chance_is_believed_one_is_chosen_and_the_fit_is_better(problem: Callable, temperature: list) -> None:
    few, examples = problem(GROUPS, temperature=temperature)
    without, _ = problem(GROUPS, temperature=temperature, weight_decay=0)
    fitted, other = (LearnedEmbedding(one.conf).fit(one) for one in (few, without))
    assert other.chosen["temperature"] == temperature[-1]
    assert fitted.chosen["temperature"] == temperature[0]
    assert fitted.chosen["weight_decay"] > other.chosen["weight_decay"] == 0
    task, test = few.conf.task, examples.held_out("test")
    ours, theirs = (task.evaluate(one, test)["recall_at_20"].mean() for one in (fitted, other))
    assert ours > theirs + 0.02


@pytest.mark.parametrize(
    ("chosen", "forgot", "temperature"),
    [
        (0.1, {0.1: 0.6}, 0.1),
        (0.1, {0.1: 0.4}, None),
        (0.3, {0.1: 0.1, 0.3: 0.6}, 0.1),
        (0.3, {0.1: 0.0, 0.3: 0.6}, 0.3),
        (1.0, {0.1: 0.6, 0.3: 0.01, 1.0: 0.1}, None),
    ],
)
def test_others_are_tried_with_the_next_sharper_temperature_if_it_forgot_a_little_or_else_with_the_same(
    chosen: float, forgot: dict[float, float], temperature: float | None
) -> None:
    settings = MissingTokensTraining(temperature=(0.1, 0.3, 1.0), weight_decay=(0.0, 1.5, 5.0))
    shares = [({"temperature": one, "weight_decay": 0.0}, share) for one, share in forgot.items()]
    others = settings.others({"temperature": chosen, "weight_decay": 0.0}, shares)
    assert others == [{"temperature": temperature, "weight_decay": one} for one in (1.5, 5.0) if temperature]


def test_where_the_lists_tell_much_no_other_is_tried(problem: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    strong, _ = problem(lists_of(**STRONG))
    fits = Mock(wraps=contest.fit_candidate)
    monkeypatch.setattr(contest, "fit_candidate", fits)
    assert LearnedEmbedding(strong.conf).fit(strong).chosen["weight_decay"] == 0
    assert fits.call_count == 1


def test_what_was_chosen_comes_to_the_same_bits_again(problem: Callable) -> None:
    few, _ = problem(GROUPS)
    fitted = LearnedEmbedding(few.conf).fit(few)
    again = LearnedEmbedding(few.conf).fit(replace(few, validation=None, chosen=fitted.chosen))
    assert (again.embedding.matrix == fitted.embedding.matrix).all()


@pytest.mark.parametrize(
    ("settings", "n_examples", "decays"),
    [
        ({}, FEW_EXAMPLES, DECAYS),
        ({}, FEW_EXAMPLES + 1, (0.0,)),
        ({"negatives": 10}, FEW_EXAMPLES, (0.0,)),
        ({"max_epochs": 10_000}, FEW_EXAMPLES, (0.0,)),
        ({"weight_decay": 3}, FEW_EXAMPLES, (3.0,)),
    ],
)
def test_by_default_there_are_some_for_few_examples(
    settings: dict[str, int], n_examples: int, decays: tuple[float, ...]
) -> None:
    assert MissingTokensTraining.model_validate(settings).resolved(n_examples, 100).weight_decay == decays
