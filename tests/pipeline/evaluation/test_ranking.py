from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from pipeline.evaluation.metrics import measure
from pipeline.evaluation.ranking import first, ndcg_at, recall_at
from pipeline.examples.example_set import ExampleSet, SparseRows
from pipeline.tasks.missing_tokens import MissingTokens

TASK = MissingTokens(kind="missing_tokens")

HITS = np.array(
    [
        [True, True, False, False],  # both held-out tokens first: as good as it gets
        [False, False, True, False],  # one of three, at rank 3
        [False, False, False, False],
    ]
)
HELD_OUT = np.array([2, 3, 1])


@dataclass
class Scores:
    """A stand-in for a fit, whose logits are written down."""

    logits: np.ndarray

    def score(self, inputs: sparse.csr_matrix, dense: np.ndarray) -> np.ndarray:
        return self.logits.copy()


def rows(inputs: list[list[int]], labels: list[list[int]], unknown: int = -1) -> ExampleSet:
    n = len(inputs)
    return ExampleSet(
        unknown=unknown,
        ids=pl.Series([f"e{i}" for i in range(n)]),
        inputs=SparseRows.of(sparse.csr_matrix(np.array(inputs, np.float32))),
        labels=SparseRows.of(sparse.csr_matrix(np.array(labels, np.float32))),
        dense=np.empty((n, 0)),
        target=np.full(n, np.nan),
    )


@given(
    scores=st.integers(1, 40).flatmap(
        lambda v: st.lists(st.lists(st.sampled_from([-np.inf, 0.0, 1.0, 2.0]), min_size=v, max_size=v), min_size=1)
    ),
    k=st.integers(1, 12),
    group=st.integers(1, 5),
)
def test_of_equal_scores_the_first_tokens_come_first(scores: list[list[float]], k: int, group: int) -> None:
    every = np.array(scores, np.float32)
    k = min(k, every.shape[1])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("pipeline.evaluation.ranking._GROUP", group)
        assert np.array_equal(first(every, k), np.argsort(-every, axis=1, kind="stable")[:, :k])


def test_recall_by_hand() -> None:
    assert recall_at(2, HITS, HELD_OUT).tolist() == [1, 0, 0]
    assert recall_at(4, HITS, HELD_OUT).tolist() == [1, 1 / 3, 0]


def test_ndcg_by_hand() -> None:
    """Ranks 1, 2, 3 gain 1, 1 / log2(3) = 0.63093 and 1 / log2(4) = 0.5."""
    best_of_3 = 1 + 0.63093 + 0.5
    assert ndcg_at(3, HITS, HELD_OUT) == pytest.approx([1, 0.5 / best_of_3, 0], abs=1e-5)
    assert ndcg_at(1, HITS, HELD_OUT).tolist() == [1, 0, 0]  # ideal over min(k, held-out) = 1 token


def test_unknown_tokens_are_neither_ranked_nor_held_out() -> None:
    """Token 0 is `<unknown>` and has the best logit; it is a label of both rows, and the only one of the second."""
    logits = np.array([[9.0, 5.0, 1.0], [9.0, 5.0, 1.0]])
    held_out = rows([[0, 0, 1], [0, 0, 1]], [[1, 1, 0], [1, 0, 0]], unknown=0)
    evaluated = TASK.evaluate(Scores(logits), held_out)  # type: ignore[arg-type]
    assert evaluated["example"].to_list() == ["e0"]
    assert evaluated["ndcg_at_20"].to_list() == [1.0]
    assert evaluated["held_out"].to_list() == [1]


def test_tokens_that_went_in_are_never_ranked() -> None:
    """Token 0 went in and has the best logit: the held-out token 1 still comes first in the ranking."""
    evaluated = TASK.evaluate(Scores(np.array([[9.0, 5.0, 1.0]])), rows([[1, 0, 0]], [[0, 1, 0]]))  # type: ignore[arg-type]
    assert measure(TASK, evaluated) == {"recall_at_20": 1, "recall_at_50": 1, "ndcg_at_20": 1, "ndcg_at_100": 1}


def test_an_example_without_held_out_tokens_is_not_counted() -> None:
    evaluated = TASK.evaluate(
        Scores(np.array([[1.0, 2.0], [1.0, 2.0]])),  # type: ignore[arg-type]
        rows([[1, 0], [1, 0]], [[0, 0], [0, 1]]),
    )
    assert evaluated["example"].to_list() == ["e1"]


@pytest.mark.parametrize("v", [100, 12_799, 12_929, 20_001])
@pytest.mark.parametrize("n_different", [5, 10**9])
def test_the_first_tokens_are_those_of_a_whole_sort_also_if_many_are_equal(v: int, n_different: int) -> None:
    scores = np.random.default_rng(v).integers(0, n_different, size=(3, v)).astype(np.float32)
    scores[0, : v // 2] = -np.inf
    top = first(scores, 100)
    found = np.take_along_axis(scores, top, axis=1)
    assert np.array_equal(found, -np.sort(-scores, axis=1)[:, :100])
    for row, of_row in zip(top, found, strict=True):
        assert len(set(row)) == 100
        assert all(row[i] < row[i + 1] for i in range(99) if of_row[i] == of_row[i + 1])


def test_a_vocabulary_of_any_size_is_ranked_in_blocks_like_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    n, v = 30, 150
    inputs = (random.random((n, v)) < 0.1).astype(np.float32)
    labels = ((random.random((n, v)) < 0.1) & (inputs == 0)).astype(np.float32)
    weight = random.normal(size=(v, v)).astype(np.float32)

    class Linear:
        def score(self, inputs: sparse.csr_matrix, dense: np.ndarray) -> np.ndarray:
            return np.asarray(inputs @ weight)

    at_once = TASK.evaluate(Linear(), rows(inputs.tolist(), labels.tolist()))  # type: ignore[arg-type]
    monkeypatch.setattr("pipeline.evaluation.blocks.SCORING_BLOCK_BYTES", 4 * v * 7)
    in_blocks = TASK.evaluate(Linear(), rows(inputs.tolist(), labels.tolist()))  # type: ignore[arg-type]
    assert in_blocks.equals(at_once)

    # and it agrees with the plainest formula
    logits = np.where(inputs > 0, -np.inf, inputs @ weight)
    order = np.argsort(-logits, axis=1)[:, :20]
    expected = np.take_along_axis(labels, order, axis=1).sum(axis=1) / labels.sum(axis=1)
    assert measure(TASK, at_once)["recall_at_20"] == pytest.approx(expected.mean())
