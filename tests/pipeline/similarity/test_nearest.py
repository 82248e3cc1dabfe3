import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.similarity.nearest import nearest_tokens, similarities


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 60), d=st.integers(1, 6), k=st.integers(1, 12))
def test_all_tokens_at_once_find_what_each_finds_alone(seed: int, n: int, d: int, k: int) -> None:
    matrix = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    found = nearest_tokens(matrix, k)
    assert (found[:, : n - 1] >= 0).all()
    assert (found[:, n - 1 :] == -1).all()
    for token in range(n):
        close, _ = similarities(matrix, matrix[token])
        close[token] = -np.inf
        best = np.sort(close)[::-1][: min(k, n - 1)]
        assert close[found[token, : n - 1]] == pytest.approx(best, abs=1e-5)


def test_tokens_that_a_replica_has_not_seen_neither_find_nor_are_found() -> None:
    matrix = np.random.default_rng(0).normal(size=(30, 5))
    among = np.arange(30) % 3 > 0
    found = nearest_tokens(matrix, 4, among)
    assert (found[~among] == -1).all()
    assert among[found[among]].all()
    assert (nearest_tokens(matrix, 4, np.zeros(30, bool)) == -1).all()


def test_tokens_at_one_place_find_each_other_and_not_themselves() -> None:
    for d in (2, 5):
        found = nearest_tokens(np.ones((6, d)), 3)
        assert not (found == np.arange(6)[:, None]).any()
        assert all(len(set(row)) == 3 for row in found.tolist())


def test_many_tokens_are_found_through_a_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = np.random.default_rng(0).normal(size=(500, 8))
    exact = nearest_tokens(matrix, 10)
    monkeypatch.setattr("pipeline.similarity.nearest.MANY", 499)
    through = nearest_tokens(matrix, 10)
    assert np.mean([len(set(a) & set(b)) for a, b in zip(exact.tolist(), through.tolist(), strict=True)]) > 9.5
    assert not (through == np.arange(500)[:, None]).any()
