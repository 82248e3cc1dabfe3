from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from pipeline.embedding import Embedding, Factors, nowhere
from pipeline.inference import best_tokens
from pipeline.inference.best_tokens import BestTokens, ProductIndex, recall
from pipeline.vocabulary.vocabulary import Vocabulary


@dataclass(frozen=True)
class Products:
    """A fit whose scores are products: those of a list are the sums of its tokens' vectors."""

    items: npt.NDArray[np.float32]
    embedding: Embedding
    weights: dict[str, Any] = field(default_factory=dict)
    chosen: dict[str, Any] = field(default_factory=dict)

    @property
    def factors(self) -> Factors:
        return Factors(self.items, lambda inputs: np.asarray(inputs @ self.items, np.float32))

    def score(self, inputs: sparse.csr_matrix, dense: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        return np.asarray(inputs @ self.items @ self.items.T, np.float32)


def planted(v: int, seed: int = 0) -> Products:
    items = np.random.default_rng(seed).normal(size=(v, 6)).astype(np.float32)
    return Products(items, nowhere(Vocabulary.of({f"t{i:04d}": v - i for i in range(v)})))


def lists(v: int, lengths: list[int], seed: int = 0) -> sparse.csr_matrix:
    random = np.random.default_rng(seed)
    rows = [np.sort(random.choice(v, min(n, v), replace=False)) for n in lengths]
    indptr = np.append(0, np.cumsum([len(row) for row in rows]))
    indices = np.concatenate([np.empty(0, np.int64), *rows])
    return sparse.csr_matrix((np.ones(len(indices)), indices, indptr), shape=(len(rows), v))


def brute(fit: Products, inputs: sparse.csr_matrix, k: int, left_out: set[int]) -> list[list[int]]:
    """The best tokens by sorting all."""
    found = []
    for scores, row in zip(fit.score(inputs, np.empty((0, 0))), inputs, strict=True):
        out = left_out | set(row.indices.tolist())
        order = sorted((i for i in range(len(scores)) if i not in out), key=lambda i: (-scores[i], i))
        found.append((order + [-1] * k)[:k])
    return found


@given(st.integers(2, 30), st.lists(st.integers(0, 8), max_size=4), st.integers(1, 12), st.integers(0, 5))
def test_the_best_are_those_that_sorting_all_finds_without_what_goes_in(
    v: int, lengths: list[int], k: int, n_out: int
) -> None:
    fit, inputs = planted(v), lists(v, lengths)
    out = set(range(min(n_out, v)))
    left_out = np.isin(np.arange(v), list(out)) if out else None
    found = BestTokens(fit, exact_up_to=100).of(inputs, k, left_out)
    assert found.tokens.tolist() == [row[: min(k, v)] for row in brute(fit, inputs, k, out)]
    assert np.isfinite(found.scores).tolist() == (found.tokens >= 0).tolist()


@pytest.fixture
def searched(tmp_path: Path) -> BestTokens:
    """A fit of 3,000 tokens that are found with an index."""
    fit = planted(3000)
    ProductIndex.of(fit.items).save(tmp_path / "index")
    return BestTokens(fit, exact_up_to=100, index=tmp_path / "index")


def test_of_equal_scores_those_of_the_most_frequent_tokens_come_first() -> None:
    fit = planted(1_000)
    found = BestTokens(fit, exact_up_to=1_000).of(lists(1_000, [0, 0]), 10)  # of which nothing is known
    assert found.tokens.tolist() == [list(range(10))] * 2


def test_an_index_finds_nearly_all_of_the_best_and_scores_them_exactly(searched: BestTokens) -> None:
    inputs = lists(3000, [3, 1, 700, 10, 40])
    found, exact = searched.of(inputs, 20), searched.of(inputs, 20, exact=True)
    assert not searched.is_exact
    assert np.mean([len(set(a) & set(b)) for a, b in zip(found.tokens, exact.tokens, strict=True)]) > 19
    scores = searched.fitted.score(inputs, np.empty((5, 0)))
    assert found.scores == pytest.approx(np.take_along_axis(scores, found.tokens, axis=1), rel=1e-4)
    for tokens, row in zip(found.tokens, inputs, strict=True):
        assert not set(tokens) & set(row.indices)
    assert recall(searched, n=50) > 0.98


def test_with_an_index_what_is_left_out_is_never_found(searched: BestTokens) -> None:
    inputs = lists(3000, [5])
    best = searched.of(inputs, 10).tokens[0]
    few, many = np.isin(np.arange(3000), best[:3]), np.arange(3000) < 2900
    assert searched.of(inputs, 7, few).tokens[0].tolist() == best[3:].tolist()
    assert (searched.of(inputs, 10, many).tokens[0] >= 2900).all()


def test_lists_are_scored_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    fit, inputs = planted(50), lists(50, [3, 4, 5, 6, 7])
    whole = BestTokens(fit, 100).of(inputs, 5)
    monkeypatch.setattr(best_tokens, "ANSWERING_BLOCK_BYTES", 4 * 50 * 2)
    assert BestTokens(fit, 100).of(inputs, 5).tokens.tolist() == whole.tokens.tolist()
