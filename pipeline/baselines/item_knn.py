"""Item neighbours (Sarwar et al., 2001), with `implicit`: tokens whose examples are like those of the input tokens."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import sparse

from pipeline.arrays import Array
from pipeline.config.baseline import Baseline
from pipeline.config.dataset import Dataset
from pipeline.config.section import Integers, OneOrMore
from pipeline.config.size import Size
from pipeline.config.task import Task
from pipeline.embedding import Embedding, Problem, nowhere
from pipeline.evaluation.selection import candidates, tuned
from pipeline.tasks.missing_tokens import MissingTokens
from pipeline.vocabulary.vocabulary import Vocabulary


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
        """The matrix, three times, and the neighbours of each token."""
        return 3 * size.csr + 2 * size.v * min(max(self.neighbours), size.v) * (4 + 8)

    def fit(self, problem: Problem) -> "FittedItemKnn":
        """Find the neighbours of each token; their number and the weighting are chosen on validation."""
        make = partial(_fit, problem.training.inputs.csr(), problem.vocabulary)
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


def _fit(inputs: sparse.csr_matrix, vocabulary: Vocabulary, *, neighbours: int, weighting: str) -> FittedItemKnn:
    from implicit.nearest_neighbours import all_pairs_knn, bm25_weight, tfidf_weight
    from sklearn.preprocessing import normalize

    of_tokens = inputs.T  # (V, N)
    if weighting == "bm25":
        of_tokens = bm25_weight(of_tokens)
    else:
        of_tokens = normalize(tfidf_weight(of_tokens) if weighting == "tfidf" else of_tokens)
    found = all_pairs_knn(sparse.csr_matrix(of_tokens.T), min(neighbours, inputs.shape[1]), show_progress=False)
    similar = sparse.csr_matrix(found)
    weights = {"indptr": similar.indptr, "indices": similar.indices, "data": similar.data}
    return FittedItemKnn(nowhere(vocabulary), weights, {"neighbours": neighbours, "weighting": weighting})
