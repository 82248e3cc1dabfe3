import math
from pathlib import Path

import numpy as np
import pytest
from usearch.index import Index

from pipeline.embedding import Embedding
from pipeline.similarity.neighbour_index import NeighbourIndex
from pipeline.vocabulary.vocabulary import Vocabulary


def embedding(matrix: np.ndarray) -> Embedding:
    n = len(matrix)
    return Embedding(Vocabulary.of({f"t{i:05d}": n - i for i in range(n)}), matrix.astype(np.float32))


def test_the_graph_finds_what_an_exact_search_finds() -> None:
    """30 tight clusters of 40 tokens: the neighbours of a token are of its cluster, and most are the very nearest."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(30, 16))
    learned = embedding(np.repeat(centres, 40, axis=0) + 0.1 * random.normal(size=(1200, 16)))
    index = NeighbourIndex(learned.matrix)
    assert index.recall > 0.95
    found = index.nearest(learned.matrix, 11)
    assert (found // 40 == np.arange(1200)[:, None] // 40).mean() > 0.99
    token = learned.vocabulary.tokens["token"][7]
    exact = learned.vocabulary.encode(learned.neighbours(token, 10)["token"].to_list())
    assert len(set(exact) & set(found[7])) >= 9


def test_many_tokens_are_compared_with_fewer_and_still_find_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    learned = embedding(random.normal(size=(3000, 16)))
    monkeypatch.setattr("pipeline.similarity.neighbour_index.MANY", 2999)
    assert NeighbourIndex(learned.matrix).recall > 0.9


def test_recall_counts_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    learned = embedding(np.random.default_rng(0).normal(size=(300, 8)))
    index = NeighbourIndex(learned.matrix)
    whole = index.nearest
    monkeypatch.setattr(index, "nearest", lambda vectors, k: np.where(np.arange(k) > k // 2, -1, whole(vectors, k)))
    assert index.recall == pytest.approx(0.5, abs=0.02)


def test_tokens_without_a_direction_are_nobody_s_neighbours() -> None:
    matrix = np.random.default_rng(0).normal(size=(20, 2))
    matrix[3] = 0
    index = NeighbourIndex(matrix)
    assert 3 not in index.nearest(matrix, 19)
    assert (index.nearest(matrix, 25)[:, 19:] == -1).all()
    assert math.isnan(NeighbourIndex(np.zeros((5, 2))).recall)


def test_one_dimension_has_two_directions() -> None:
    """All tokens of a direction are equally near: whichever are found are right."""
    assert NeighbourIndex(np.array([[1.0]] * 30 + [[-2.0]] * 30)).recall == 1


def test_what_is_saved_is_usearch_s_own(tmp_path: Path) -> None:
    learned = embedding(np.random.default_rng(0).normal(size=(100, 4)))
    index = NeighbourIndex(learned.matrix)
    index.save(tmp_path / "index.usearch")
    opened = Index.restore(str(tmp_path / "index.usearch"))
    assert opened is not None
    assert opened.search(learned.matrix[5], 3).keys.tolist() == index.nearest(learned.matrix[5:6], 3)[0].tolist()
