import numpy as np
from scipy import sparse
from scipy.sparse import random_array

from pipeline.baselines.item_knn import similar_tokens


def test_the_nearest_neighbours_are_those_with_the_largest_cosines() -> None:
    lists = sparse.csr_matrix(random_array((40, 25), density=0.3, rng=np.random.default_rng(0)))
    x = lists.toarray()
    norms = np.linalg.norm(x, axis=0)
    cosines = x.T @ x / np.where(norms > 0, np.outer(norms, norms), 1)
    found = similar_tokens(lists, 8, "cosine")
    for k in (1, 3, 8, 100):
        few = found.csr(k).toarray()
        for token, near in enumerate(few):
            nearest = np.sort(cosines[token])[::-1][: min(k, 8)]
            np.testing.assert_allclose(np.sort(near[near > 0])[::-1], nearest[nearest > 0])
            np.testing.assert_allclose(near[near > 0], cosines[token][near > 0])


def test_a_token_without_examples_has_no_neighbours() -> None:
    lists = sparse.csr_matrix(np.array([[1.0, 1, 0], [1, 0, 0]]))
    found = similar_tokens(lists, 3, "cosine").csr(3)
    assert np.diff(found.indptr).tolist() == [2, 2, 0]
