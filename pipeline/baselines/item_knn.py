"""Item neighbours (Sarwar et al., 2001), with `implicit`: tokens whose examples are like those of the input tokens."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import sparse

from pipeline.config.baseline import Baseline
from pipeline.config.dataset import Dataset
from pipeline.config.section import Integers, OneOrMore
from pipeline.config.size import Size
from pipeline.config.task import Task
from pipeline.embedding import Embedding, Problem, nowhere
from pipeline.evaluation.selection import candidates, tuned
from pipeline.tasks.missing_tokens import MissingTokens
from pipeline.vocabulary.vocabulary import Vocabulary

Array = npt.NDArray[Any]


class ItemKnn(Baseline):
    """Item neighbours, with the package `implicit`: tokens that are similar to the tokens that went in."""

    of_task: ClassVar[type[Task]] = MissingTokens

    kind: Literal["item_knn"] = "item_knn"
    neighbours: Integers = (20, 100, 500)
    """Neighbours that are kept for each token. Validation chooses among several values, also of `weighting`."""
    weighting: Annotated[tuple[Literal["cosine", "tfidf", "bm25"], ...], Field(min_length=1), OneOrMore()] = (
        "cosine",
        "tfidf",
    )
    """How the examples of a token are weighted before tokens are compared."""

    def memory(self, size: Size, dimension: int | None) -> int:
        """The matrix, three times, and the neighbours of each token: found, in order, and of a fit."""
        return 3 * size.csr + 4 * size.v * min(max(self.neighbours), size.v) * (4 + 8)

    def fit(self, problem: Problem) -> "FittedItemKnn":
        """Find the neighbours of each token; their number and the weighting are chosen on validation."""
        # fewer neighbours are the first of many
        similar = cache(partial(similar_tokens, problem.training.inputs.csr(), max(self.neighbours)))
        make = partial(_fit, similar, problem.vocabulary)
        return tuned(make, candidates(self, ("neighbours", "weighting")), problem)

    @classmethod
    def restore(cls, embedding: Embedding, weights: Mapping[str, Array], conf: Dataset) -> "FittedItemKnn":
        """Restore a fit from its embedding and its saved weights."""
        return FittedItemKnn(embedding, weights)


@dataclass(frozen=True)
class FittedItemKnn:
    """The similarities of each token to its nearest neighbours."""

    embedding: Embedding  # a placeholder: similarities are no latent space
    weights: Mapping[str, Array]  # indptr, indices and data of the similarities (V, V)
    chosen: Mapping[str, Any] = field(default_factory=dict)

    def score(self, inputs: sparse.csr_matrix, dense: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """(N, V) the sums of the similarities to the tokens that went in."""
        v = len(self.embedding.vocabulary)
        similar = sparse.csr_matrix(tuple(self.weights[name] for name in ("data", "indices", "indptr")), shape=(v, v))
        return np.asarray((inputs @ similar).toarray(), np.float32)


class Neighbours(NamedTuple):
    """The K nearest neighbours of each token, the nearest first."""

    tokens: Array  # (V, K)
    similarities: Array  # (V, K), 0 where there are fewer

    def csr(self, k: int) -> sparse.csr_matrix:
        """(V, V) the similarities to the k nearest neighbours."""
        tokens, similarities = self.tokens[:, :k], self.similarities[:, :k]
        v, k = tokens.shape
        similar = sparse.csr_matrix((similarities.ravel(), tokens.ravel(), np.arange(v + 1) * k), shape=(v, v))
        similar.eliminate_zeros()
        return similar


def similar_tokens(inputs: sparse.csr_matrix, k: int, weighting: str) -> Neighbours:
    """The k nearest neighbours of each token, by the cosine of its weighted column.

    Args:
        inputs: (N, V) lists.
        k: neighbours, the token itself among them.
        weighting: how the columns are weighted before.
    """
    from implicit.nearest_neighbours import all_pairs_knn, bm25_weight, tfidf_weight
    from sklearn.preprocessing import normalize

    v = inputs.shape[1]
    of_tokens = inputs.T  # (V, N)
    if weighting == "bm25":
        of_tokens = bm25_weight(of_tokens)
    else:
        of_tokens = normalize(tfidf_weight(of_tokens) if weighting == "tfidf" else of_tokens)
    found = all_pairs_knn(sparse.csr_matrix(of_tokens.T), min(k, v), show_progress=False)  # each token has k places
    tokens, similarities = found.col.reshape(v, -1), found.data.reshape(v, -1)
    order = np.argsort(np.where(similarities == 0, np.inf, -similarities), axis=1, kind="stable")  # empty places last
    return Neighbours(*(np.take_along_axis(one, order, axis=1) for one in (tokens, similarities)))


def _fit(
    similar: Callable[[str], Neighbours], vocabulary: Vocabulary, *, neighbours: int, weighting: str
) -> FittedItemKnn:
    found = similar(weighting).csr(neighbours)
    weights = {"indptr": found.indptr, "indices": found.indices, "data": found.data}
    return FittedItemKnn(nowhere(vocabulary), weights, {"neighbours": neighbours, "weighting": weighting})
