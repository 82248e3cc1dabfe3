from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from pipeline.embedding import Factors
from pipeline.evaluation.product_ranking import First, ProductRanking
from pipeline.evaluation.ranking import first, hits_of
from pipeline.evaluation.ranking_on_gpu import first_on_gpu
from pipeline.examples.example_set import ExampleSet, SparseRows


@dataclass
class Products:
    """A stand-in for a fit whose scores are products of whole numbers: exact, in whatever order they are added up."""

    coming_in: np.ndarray  # (V, E)
    items: np.ndarray  # (V, E)

    def score(self, inputs: sparse.csr_matrix, dense: np.ndarray) -> np.ndarray:
        return np.asarray(self.factors.queries(inputs) @ self.items.T)

    @cached_property
    def factors(self) -> Factors:
        return Factors(self.items, lambda inputs: np.asarray(inputs @ self.coming_in, np.float32))


def some_products(random: np.random.Generator, v: int, high: int) -> Products:
    """Few different scores if `high` is low; frequent tokens, which come first, have high scores in half of all."""
    e = int(random.integers(1, 5))
    coming_in, items = (random.integers(-high, high + 1, (v, e)).astype(np.float32) for _ in range(2))
    items[:, -1] += np.sort(random.integers(0, 9 * high, v))[::-1] * random.integers(0, 2)
    coming_in[:, -1] = np.abs(coming_in[:, -1])
    return Products(coming_in, items)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"GROUP": 4, "BLOCK": 16, "LISTS": 5, "_SCORED_AGAIN": 2}.items():
        monkeypatch.setattr(f"pipeline.evaluation.product_ranking.{name}", value)
    monkeypatch.setattr("pipeline.evaluation.ranking_on_gpu.RANKING_BLOCK_BYTES_ON_GPU", 2_000)


@pytest.mark.parametrize("ranked", [lambda factors, *what: ProductRanking(factors).first(*what), first_on_gpu])
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32), st.integers(1, 300), st.integers(0, 12), st.integers(1, 30), st.sampled_from([1, 5, 30]))
def test_the_first_tokens_are_those_of_all_scores(
    small_blocks: None, ranked: Callable[..., First], seed: int, v: int, n: int, k: int, high: int
) -> None:
    random = np.random.default_rng(seed)
    fitted = some_products(random, v, high)
    share = random.choice([0.02, 0.1, 0.9])
    inputs = sparse.csr_matrix(random.random((n, v)) < share, dtype=np.float32)
    threads = torch.get_num_threads()
    found = ranked(fitted.factors, inputs, k)
    assert torch.get_num_threads() == threads
    scores = np.where(inputs.toarray() > 0, -np.inf, fitted.score(inputs, np.empty((n, 0))))
    assert found.tokens.shape == (n, min(k, v))
    assert np.array_equal(found.scores, -np.sort(-scores, axis=1)[:, :k])
    for row, tokens, of_them in zip(scores, found.tokens, found.scores, strict=True):
        left = np.isfinite(of_them)
        assert np.array_equal(row[tokens[left]], of_them[left])
        assert (tokens[~left] == -1).all()
        assert np.array_equal(tokens[left], np.argsort(-row, kind="stable")[: left.sum()])  # ties in token order


def test_most_blocks_are_passed_over_if_frequent_tokens_have_high_scores(
    small_blocks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    v = 16_000
    popularity = Products(np.ones((v, 1), np.float32), np.arange(v, 0, -1, np.float32)[:, None])
    inputs = sparse.csr_matrix(np.eye(3, v, dtype=np.float32))
    made, product = [], torch.mm
    monkeypatch.setattr("torch.mm", lambda *a, **more: made.append(a) or product(*a, **more))
    found = ProductRanking(popularity.factors).first(inputs, 3)
    assert found.tokens.tolist() == [[1, 2, 3], [0, 2, 3], [0, 1, 3]]
    assert len(made) < 5  # of a thousand blocks


@pytest.mark.parametrize("weighted", [False, True])
def test_fits_are_evaluated_alike_by_products_and_by_all_scores(
    weighted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(1)
    n, v = 40, 20_003
    fitted = Products(*(random.normal(size=(v, 5)).astype(np.float32) for _ in range(2)))  # no ties
    inputs = sparse.random_array((n, v), density=0.001, format="csr", random_state=random, dtype=np.float32)
    inputs.data = np.floor(3 * inputs.data + 1) if weighted else np.ones(inputs.nnz, np.float32)
    scores = fitted.score(inputs, np.empty((n, 0)))
    scores[inputs.nonzero()] = -np.inf
    labels = np.zeros((n, v), np.float32)
    np.put_along_axis(labels, first(scores, 100)[:, ::3], 1, axis=1)
    rows = ExampleSet(
        ids=pl.Series([f"e{i}" for i in range(n)]),
        inputs=SparseRows.of(sparse.csr_matrix(inputs)),
        labels=SparseRows.of(sparse.csr_matrix(labels)),
        dense=np.empty((n, 0)),
        target=np.full(n, np.nan),
    )
    hits, held_out = hits_of(fitted, rows)  # type: ignore[arg-type]
    assert hits[:, ::3].all()
    assert not hits[:, 1::3].any()
    monkeypatch.setattr("pipeline.evaluation.ranking.MANY_TOKENS", v)
    plainly = hits_of(fitted, rows)  # type: ignore[arg-type]
    assert np.array_equal(hits, plainly[0])
    assert np.array_equal(held_out, plainly[1])
