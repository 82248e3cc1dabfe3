"""How many tokens training leaves out follows from the noise in the target, and validation tells the noise."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.embedding import Problem
from pipeline.estimators import EMBEDDING, estimator
from pipeline.evaluation.metrics import measure
from pipeline.network.task_module import module_of
from tests.conftest import encoded_from

CARS: dict[str, Any] = {
    "description": "Planted cars.",
    "tokens": [{"kind": "value", "columns": "make"}, {"kind": "items", "columns": "extras", "delimiter": "|"}],
    "split": {"validation": 0.2, "test": 0.2},
    "vocabulary": {"min_count": 1},
    "dimensions": [2],
    "baselines": ["pca"],
    "training": {"max_epochs": 20},
}
AS_NUMBER = {"kind": "regression", "target": "price", "log": False}
AS_CLASS = {"kind": "classification", "target": "class"}


def cars(noise: float) -> pl.DataFrame:
    """1,500 cars of 40 makes and 10 extras: each token adds to the price, and so does noise; makes have a class."""
    random = np.random.default_rng(0)
    of_make, of_extra = random.normal(0, 1, 40), random.normal(0, 0.3, 10)
    rows = []
    for _ in range(1500):
        make, extras = random.integers(40), random.choice(10, random.integers(1, 5), replace=False)
        price = of_make[make] + of_extra[extras].sum() + random.normal(0, noise)
        rows.append(
            (f"make{make}", "|".join(f"extra{one}" for one in extras), price, "large" if make < 20 else "small")
        )
    return pl.DataFrame(rows, schema=["make", "extras", "price", "class"], orient="row")


@pytest.fixture
def problem(write_conf: Callable[..., Path]) -> Callable[..., Problem]:
    def make(noise: float, task: dict[str, Any], **training: Any) -> Problem:
        frame = cars(noise)
        settings = {**CARS, "task": task, "training": {**CARS["training"], **training}}
        conf: Dataset = load(write_conf("cars", settings, frame))
        vocabulary, examples = encoded_from(frame, conf)
        conf = conf.resolved(examples.n_training, len(vocabulary))
        return Problem(examples.training(), vocabulary, conf, 2, examples.held_out("validation"))

    return make


def left_out(problem: Problem) -> float:
    settings = problem.conf.training
    *_, found = module_of(problem.conf.task.learner).promising(problem, settings, settings.choices())
    return float(found["token_dropout"])


def test_where_the_tokens_tell_all_none_is_left_out_and_that_is_no_worse(problem: Callable[..., Problem]) -> None:
    clear = problem(0.1, AS_NUMBER)
    assert left_out(clear) < 0.02
    errors = []
    for one in (clear, problem(0.1, AS_NUMBER, token_dropout=0.2)):
        fitted = estimator(EMBEDDING, one.conf).fit(one)
        assert fitted.chosen["token_dropout"] == left_out(one)
        assert one.validation is not None
        errors.append(measure(one.conf.task, one.conf.task.evaluate(fitted, one.validation))["rmse"])
    assert errors[0] < 1.01 * errors[1]  # both may keep the start, which is solved for


def test_it_grows_with_the_noise_by_the_ratio_of_noise_to_signal(problem: Callable[..., Problem]) -> None:
    """By hand: the tokens' variance is 1 to 1.5, so noise of variance 4 is about three times the signal."""
    noisy = problem(2.0, AS_NUMBER)
    odds = left_out(noisy) / (1 - left_out(noisy))
    expected = 6 * len(noisy.vocabulary) / len(noisy.training) * 3
    assert expected / 2 < odds < expected * 2
    assert left_out(problem(100.0, AS_NUMBER)) == 0.6


def test_a_class_is_never_so_certain_that_none_is_left_out(problem: Callable[..., Problem]) -> None:
    clear = problem(0.0, AS_CLASS)
    odds = 2 * len(clear.vocabulary) / len(clear.training)
    assert left_out(clear) == pytest.approx(odds / (1 + odds))


def test_the_one_in_conf_is_taken_and_without_validation_the_sizes_decide(
    problem: Callable[..., Problem],
) -> None:
    asked = problem(0.1, AS_NUMBER, token_dropout=0.0)
    assert left_out(asked) == 0.0
    clear = problem(0.1, AS_NUMBER)
    blind = Problem(clear.training, clear.vocabulary, clear.conf, 2)
    odds = 2 * len(clear.vocabulary) / len(clear.training)
    assert left_out(blind) == pytest.approx(odds / (1 + odds))
