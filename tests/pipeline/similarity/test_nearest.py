import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.similarity.nearest import evidence, nearest_tokens, similarities


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 60), d=st.integers(1, 6), k=st.integers(1, 12))
def test_all_tokens_at_once_find_what_each_finds_alone(seed: int, n: int, d: int, k: int) -> None:
    random = np.random.default_rng(seed)
    matrix, counts = random.normal(size=(n, d)).astype(np.float32), random.integers(1, 50, n)
    found = nearest_tokens(matrix, counts, k)
    assert (found[:, : n - 1] >= 0).all()
    assert (found[:, n - 1 :] == -1).all()
    for token in range(n):
        close, _ = similarities(matrix, counts, matrix[token])
        close[token] = -np.inf
        best = np.sort(close)[::-1][: min(k, n - 1)]
        assert close[found[token, : n - 1]] == pytest.approx(best, abs=1e-5)


def test_tokens_that_no_example_has_neither_find_nor_are_found() -> None:
    matrix = np.random.default_rng(0).normal(size=(30, 5))
    counts = np.arange(30) % 3
    found = nearest_tokens(matrix, counts, 4)
    assert (found[counts == 0] == -1).all()
    assert (counts[found[counts > 0]] > 0).all()
    assert (nearest_tokens(matrix, np.zeros(30), 4) == -1).all()


def test_tokens_at_one_place_find_each_other_and_not_themselves() -> None:
    for d in (2, 5):
        found = nearest_tokens(np.ones((6, d)), np.full(6, 9), 3)
        assert not (found == np.arange(6)[:, None]).any()
        assert all(len(set(row)) == 3 for row in found.tolist())


def test_ten_examples_are_worth_the_root_of_a_half() -> None:
    assert evidence(np.array([0, 10, 1_000_000])) == pytest.approx([0, np.sqrt(0.5), 1], abs=1e-4)


def test_many_tokens_are_found_through_a_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    matrix, counts = random.normal(size=(500, 8)), random.integers(20, 200, 500)
    exact = nearest_tokens(matrix, counts)
    monkeypatch.setattr("pipeline.similarity.nearest.MANY", 499)
    through = nearest_tokens(matrix, counts)
    assert np.mean([len(set(a) & set(b)) for a, b in zip(exact.tolist(), through.tolist(), strict=True)]) > 9.5
    assert not (through == np.arange(500)[:, None]).any()
