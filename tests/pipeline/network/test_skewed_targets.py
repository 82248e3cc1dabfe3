"""A number whose errors are skewed is learned by squared errors, because clipped ones would leave answers too low."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from pipeline.config.files import load
from pipeline.embedding import Problem
from pipeline.estimators import estimator
from pipeline.evaluation.metrics import measure
from pipeline.examples.features import DenseScale
from pipeline.network.regression_module import HUBER, SQUARED
from pipeline.network.target_start import moved_by_clipping
from tests.conftest import encoded_from

VISITS: dict[str, Any] = {
    "description": "Planted visits.",
    "tokens": [{"kind": "words", "columns": "text"}],
    "split": {"validation": 0.1, "test": 0.5},
    "task": {"kind": "regression", "target": "y", "log": False},
    "dimensions": [1],
    "baselines": ["ridge"],
    "training": {"max_epochs": 1, "batch_size": 512},
}
Draw = Callable[[np.random.Generator, npt.NDArray[Any]], npt.NDArray[Any]]


def counts(random: np.random.Generator, says: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Half of them 0, and a few large: the mean is exp(says), and a person's own part in it varies much."""
    return random.poisson(np.exp(says) * random.gamma(0.7, 1 / 0.7, len(says))).astype(np.float64)


def outliers(random: np.random.Generator, says: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """One of fifty is far off, as often too high as too low."""
    return says + random.normal(size=len(says)) * np.where(random.random(len(says)) < 0.02, 20, 0.7)


@pytest.fixture
def visits(write_conf: Callable[..., Path]) -> Callable[..., tuple[Problem, Any]]:
    def make(draw: Draw, n: int = 4000, log: bool = False, **training: Any) -> tuple[Problem, Any]:
        random = np.random.default_rng(0)
        has = random.random((n, 20)) < 0.25
        y = draw(random, has @ random.normal(scale=0.4, size=20)) + log
        texts = [" ".join(f"w{i}" for i in np.flatnonzero(row)) or "none" for row in has]
        task = VISITS["task"] | {"log": log}
        frame = pl.DataFrame({"text": texts, "y": y})
        settings = VISITS | {"task": task, "training": VISITS["training"] | training}
        conf = load(write_conf("visits", settings, frame))
        vocabulary, examples = encoded_from(frame, conf)
        conf = conf.resolved(examples.n_training, len(vocabulary))
        made = Problem(examples.training(), vocabulary, conf, 1, examples.held_out("validation"))
        return made, examples.held_out("test")

    return make


def error(learned: Problem, test: Any) -> tuple[float, Any]:
    """The root mean squared error, and what was chosen."""
    fitted, task = estimator("embedding", learned.conf).fit(learned), learned.conf.task
    return measure(task, task.evaluate(fitted, test))["rmse"], fitted.chosen


def test_of_many_zeros_and_few_large_numbers_the_mean_is_learned(visits: Callable[..., Any]) -> None:
    learned, test = visits(counts)
    found, chosen = error(learned, test)
    assert chosen["huber"] == SQUARED
    clipped, told = error(*visits(counts, huber=HUBER))
    assert "huber" not in told
    ridge, task = estimator("ridge", learned.conf).fit(learned), learned.conf.task
    assert found < 0.99 * clipped
    assert found < 1.005 * measure(task, task.evaluate(ridge, test))["rmse"]
    again = estimator("embedding", learned.conf).fit(replace(learned, validation=None, chosen=chosen))
    assert measure(task, task.evaluate(again, test))["rmse"] == pytest.approx(found, rel=1e-9)
    assert error(replace(learned, validation=None), test)[1]["huber"] == SQUARED


def test_numbers_that_are_far_off_on_both_sides_stay_clipped(visits: Callable[..., Any]) -> None:
    learned, test = visits(outliers)
    found, chosen = error(learned, test)
    assert chosen["huber"] == HUBER
    assert found < error(*visits(outliers, huber=SQUARED))[0]


def test_the_answer_to_a_logged_target_is_the_median_and_few_examples_show_no_skew(
    visits: Callable[..., Any],
) -> None:
    assert "huber" not in error(*visits(counts, log=True))[1]
    assert error(*visits(counts, n=300))[1]["huber"] == HUBER


def test_how_far_the_mean_moves_is_told_in_its_standard_errors(visits: Callable[..., Any]) -> None:
    """By hand: of one error of 9 and nine of -1, clipped at 2, it moves by -0.7 / 0.9; its error is 3 / sqrt(N)."""
    learned, _ = visits(counts)
    rows = learned.training
    dense = DenseScale.fit(rows.dense).forward(rows.dense)
    target = np.where(np.random.default_rng(1).permutation(len(rows)) % 10 == 0, 9.0, -1.0)
    expected = -0.7 / 0.9 / (3 / np.sqrt(len(rows)))
    assert moved_by_clipping(rows, dense, target, 2.0) == pytest.approx(expected, rel=0.05)
    assert moved_by_clipping(rows, dense, -target, 2.0) == pytest.approx(-expected, rel=0.05)
