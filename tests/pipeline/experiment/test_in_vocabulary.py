"""An earlier fit on lists over a later vocabulary."""

import numpy as np
import polars as pl
from scipy import sparse

from pipeline.config.dataset import Dataset
from pipeline.embedding import Problem
from pipeline.estimators import PCA, estimator
from pipeline.examples.encoding import encode
from pipeline.experiment.in_vocabulary import InVocabulary
from pipeline.records.pairs.builder import pair_table
from pipeline.vocabulary.vocabulary import UNKNOWN, Vocabulary, build_vocabulary


def test_new_tokens_go_in_as_unknown_once_and_are_not_predicted(movies: Dataset, two_genres: pl.DataFrame) -> None:
    share = movies.vocabulary.model_copy(update={"unknown": "share"})
    movies = movies.model_copy(update={"vocabulary": share})
    own = build_vocabulary(pair_table(two_genres.lazy(), movies), movies)
    rows = encode(two_genres.lazy(), own, movies).training()
    fitted = estimator(PCA, movies.resolved(len(rows), len(own))).fit(
        Problem(rows, own, movies.resolved(len(rows), len(own)), 2)
    )
    new = pl.DataFrame({"token": ["new-1", "new-2"], "label": ["new-1", "new-2"], "count": [1, 1]}, own.tokens.schema)
    today = Vocabulary.of_frame(pl.concat([own.tokens, new]))
    known, v = own.index(own.tokens["token"][0]), len(own)

    def lists(tokens: list[int], size: int) -> sparse.csr_matrix:
        return sparse.csr_matrix((np.ones(len(tokens)), (np.zeros(len(tokens), int), tokens)), shape=(1, size))

    (found,) = InVocabulary(fitted, today, predicts_tokens=True).score(
        lists([known, v, v + 1], v + 2), np.empty((1, 0))
    )
    (expected,) = fitted.score(lists([known, own.index(UNKNOWN)], v), np.empty((1, 0)))
    assert np.allclose(found[:v], expected)
    assert np.isneginf(found[v:]).all()
