"""A training is repeated with twice the epochs as long as the longer one is better on validation."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline.config.files import load
from pipeline.embedding import Fitted, Problem
from pipeline.estimators import EMBEDDING, estimator
from pipeline.tasks.regression import RegressionTraining
from pipeline.tasks.target_training import MANY
from tests.conftest import encoded_from

HILLS: dict[str, Any] = {
    "description": "Planted hills.",
    "tokens": [{"kind": "value", "columns": "land"}],
    "split": {"validation": 0.4, "test": 0.1},
    "task": {"kind": "regression", "target": "height", "log": False, "dense": ["x"]},
    "dimensions": [2],
    "baselines": ["ridge"],
    "training": {"max_epochs": 8, "doublings": 2, "batch_size": 128},
}
FEW = MANY - 1


@pytest.fixture
def hills(write_conf: Callable[..., Path]) -> Callable[..., Problem]:
    """1,500 places: their height, or whether they are high, follows a curve with many bends, or else is noise alone."""

    def make(is_curve: bool, task: Mapping[str, Any] = HILLS["task"], **training: Any) -> Problem:
        random = np.random.default_rng(0)
        land, x = random.integers(4, size=1500), random.uniform(0, 6, 1500)
        height = np.sin(4 * x + land) if is_curve else np.zeros(1500)
        height += random.normal(scale=0.1, size=1500)
        frame = pl.DataFrame({"land": [f"land{one}" for one in land], "x": x, "height": height})
        frame = frame.with_columns(is_high=pl.when(pl.col("height") > 0).then(pl.lit("high")).otherwise(pl.lit("low")))
        baseline = "ridge" if task["kind"] == "regression" else "logistic_regression"
        settings = HILLS | {"task": task, "baselines": [baseline], "training": HILLS["training"] | training}
        conf = load(write_conf("hills", settings, frame))
        vocabulary, examples = encoded_from(frame, conf)
        conf = conf.resolved(examples.n_training, len(vocabulary))
        return Problem(examples.training(), vocabulary, conf, 2, examples.held_out("validation"))

    return make


def fitted(problem: Problem) -> Fitted:
    return estimator(EMBEDDING, problem.conf).fit(problem)


def test_what_is_not_learned_yet_is_trained_for_longer_and_a_refit_as_long(
    hills: Callable[..., Problem], caplog: pytest.LogCaptureFixture
) -> None:
    problem = hills(True)
    with caplog.at_level("INFO"):
        found = fitted(problem)
    lines = [line for line in caplog.messages if "still learning" in line]
    assert lines == [f"training: it was still learning, so {n} epochs are tried" for n in (16, 32)]
    assert (found.chosen["max_epochs"], found.chosen["epochs"]) == (32, 32)
    again = fitted(replace(problem, validation=None, chosen=found.chosen))
    assert again.chosen == found.chosen
    np.testing.assert_array_equal(again.embedding.matrix, found.embedding.matrix)
    as_long = fitted(hills(True, max_epochs=32, doublings=0))
    np.testing.assert_array_equal(as_long.embedding.matrix, found.embedding.matrix)


def test_a_class_that_is_trained_for_longer_is_what_a_long_training_makes_of_it(hills: Callable[..., Problem]) -> None:
    task = {"kind": "classification", "target": "is_high", "dense": ["x"]}
    found = fitted(hills(True, task, doublings=1))
    assert found.chosen["max_epochs"] == 16
    as_long = fitted(hills(True, task, max_epochs=16, doublings=0))
    assert found.chosen == as_long.chosen
    np.testing.assert_array_equal(found.embedding.matrix, as_long.embedding.matrix)


def test_noise_is_not_trained_for_longer(hills: Callable[..., Problem]) -> None:
    assert fitted(hills(False)).chosen["max_epochs"] == 8


def test_without_validation_and_where_a_fit_goes_on_nothing_is_longer(hills: Callable[..., Problem]) -> None:
    problem = hills(True)
    found = fitted(replace(problem, validation=None))
    assert found.chosen["max_epochs"] == 8
    assert fitted(replace(problem, start=found.weights)).chosen["max_epochs"] == 8


@pytest.mark.parametrize(
    ("n", "training", "doublings"),
    [
        (MANY, {}, 2),
        (FEW, {}, 0),
        (MANY, {"max_epochs": 30}, 0),
        (MANY, {"patience": 3}, 0),
        (FEW, {"doublings": 1}, 1),
    ],
)
def test_by_default_a_number_of_many_examples_is(n: int, training: dict[str, Any], doublings: int) -> None:
    resolved = RegressionTraining(**training).resolved(n, 50)
    assert resolved.doublings == doublings
    assert resolved.resolved(n, 50) == resolved
