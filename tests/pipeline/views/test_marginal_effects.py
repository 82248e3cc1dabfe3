from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from pipeline.embedding import Embedding, nowhere
from pipeline.examples.example_set import ExampleSet, SparseRows
from pipeline.tasks.regression import Regression
from pipeline.views.marginal_effects import by_spread, telling_tokens, token_effects
from pipeline.vocabulary.vocabulary import Vocabulary


@dataclass(frozen=True)
class Planted:
    """Each token multiplies the price, or adds to it, by a known amount."""

    adds: np.ndarray
    logs: bool
    embedding: Embedding = field(default_factory=lambda: nowhere(Vocabulary.of({"a": 3, "b": 2, "c": 1})))
    weights: dict[str, Any] = field(default_factory=dict)
    chosen: dict[str, Any] = field(default_factory=dict)

    def score(self, inputs: sparse.csr_matrix, dense: np.ndarray) -> np.ndarray:
        number = np.asarray(inputs @ self.adds) + dense[:, 0]
        return np.exp(number) if self.logs else number


@pytest.mark.parametrize("logs", [True, False])
def test_the_planted_effect_is_found_whatever_else_an_example_has(logs: bool) -> None:
    random = np.random.default_rng(0)
    adds = np.array([0.1, -0.2, 0.0])
    inputs = sparse.csr_matrix((random.random((80, 3)) < 0.5).astype(np.float32))
    of = SparseRows.of
    rows = ExampleSet(
        pl.Series(map(str, range(80))), of(inputs), of(inputs[:0]), random.normal(size=(80, 1)), np.ones(80)
    )
    task = Regression(kind="regression", target="price", log=logs)
    name, found = task.effects_in_words(token_effects(Planted(adds, logs), rows, task, seed=1, n_tokens=3), ())
    assert name == "what it does to price"
    assert found == pytest.approx(np.expm1(adds) if logs else adds, abs=1e-6)


def test_the_token_that_says_most_is_neither_the_most_frequent_nor_the_largest() -> None:
    shares, effects = np.array([1.0, 0.5, 0.01]), np.array([0.3, 0.2, 0.9])
    assert by_spread(effects, shares, 3).tolist() == [1, 2, 0]
    of_classes = np.column_stack([effects, -effects])
    assert by_spread(of_classes, shares, 2).tolist() == [1, 2]


def test_a_token_tells_by_the_examples_that_have_it_however_often_it_occurs_in_them() -> None:
    inputs = sparse.csr_matrix(np.array([[1.0, 1, 0], [0, 0, 1]] * 40))
    of, n = SparseRows.of, 80
    rows = ExampleSet(pl.Series(map(str, range(n))), of(inputs), of(inputs[:0]), np.zeros((n, 1)), np.ones(n))
    often = nowhere(Vocabulary.of({"a": 3 * n, "b": 40, "c": 40}))
    fitted = Planted(np.array([0.3, 0.1, 0.2]), True, often)
    examples: Any = SimpleNamespace(everything=lambda: rows, n_training=n)
    found = telling_tokens(fitted, examples, Regression(kind="regression", target="price"), seed=1, n=3, k=3)
    assert found.tokens == (0, 2, 1)
