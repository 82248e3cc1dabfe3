import numpy as np
import polars as pl
import pytest
from scipy import sparse

from pipeline.config import Dataset
from pipeline.encoding import Rows
from pipeline.rivals import fit_mean, fit_popularity
from pipeline.vocabulary import Vocabulary

VOCABULARY = Vocabulary.of({"a": 3, "b": 2, "c": 1})


def rows_of(target: list[float]) -> Rows:
    matrix = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1]], np.float32)
    return Rows(
        pl.Series(["x", "y", "z"]),
        sparse.csr_matrix(matrix),
        sparse.csr_matrix((3, 3)),
        np.empty((3, 0)),
        np.array(target),
    )


def test_popularity_ranks_by_the_examples_that_have_a_token(movies: Dataset) -> None:
    fitted = fit_popularity(rows_of([np.nan] * 3), VOCABULARY, movies, 1)
    scores = fitted.score(sparse.csr_matrix((2, 3), dtype=np.float32), np.empty((2, 0)))
    assert np.exp(scores).tolist() == pytest.approx(np.array([[4 / 4, 3 / 4, 2 / 4]] * 2))
    assert fitted.embedding.matrix.shape == (3, 1)


def test_the_mean_of_a_logged_target_is_the_geometric_one(homes: Dataset) -> None:
    fitted = fit_mean(rows_of([1.0, 10.0, 100.0]), VOCABULARY, homes, 1)
    assert fitted.score(sparse.csr_matrix((2, 3)), np.empty((2, 0))).tolist() == pytest.approx([10, 10])
    assert (fitted.embedding.matrix == 0).all()
