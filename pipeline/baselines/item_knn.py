"""Item neighbours (Sarwar et al., 2001), of `implicit`: tokens with examples like those of what went in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from pipeline.config.dataset import Dataset
from pipeline.embedding import Embedding, nowhere
from pipeline.evaluation.selection import candidates, tuned
from pipeline.examples.example_set import ExampleSet
from pipeline.vocabulary.vocabulary import Vocabulary


@dataclass(frozen=True)
class ItemKnn:
    """The similarities of each token to its nearest ones."""

    embedding: Embedding  # none: similarities are no latent space
    weights: Mapping[str, npt.NDArray[Any]]  # indptr, indices and data of the similarities (V, V)
    chosen: Mapping[str, Any] = field(default_factory=dict)

    def score(self, inputs: sparse.csr_matrix, dense: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """(N, V) the sums of the similarities to what went in."""
        v = len(self.embedding.vocabulary)
        similar = sparse.csr_matrix(tuple(self.weights[name] for name in ("data", "indices", "indptr")), shape=(v, v))
        return np.asarray((inputs @ similar).toarray(), np.float32)


def fit(
    training: ExampleSet,
    vocabulary: Vocabulary,
    conf: Dataset,
    dimension: int | None = None,
    validation: ExampleSet | None = None,
    chosen: Mapping[str, Any] | None = None,
) -> ItemKnn:
    """Find each token's neighbours; how many and by which weighting is chosen on validation."""
    among = candidates(conf.rival("item_knn"), ("neighbours", "weighting"))
    return tuned(partial(_fit, training.inputs.csr(), vocabulary), among, conf, validation, chosen)


def _fit(inputs: sparse.csr_matrix, vocabulary: Vocabulary, *, neighbours: int, weighting: str) -> ItemKnn:
    from implicit.nearest_neighbours import all_pairs_knn, bm25_weight, normalize, tfidf_weight

    of_tokens = inputs.T  # (V, N)
    if weighting == "bm25":
        of_tokens = bm25_weight(of_tokens)
    else:
        of_tokens = normalize(tfidf_weight(of_tokens) if weighting == "tfidf" else of_tokens)
    found = all_pairs_knn(sparse.csr_matrix(of_tokens.T), min(neighbours, inputs.shape[1]), show_progress=False)
    similar = sparse.csr_matrix(found)
    weights = {"indptr": similar.indptr, "indices": similar.indices, "data": similar.data}
    return ItemKnn(nowhere(vocabulary), weights, {"neighbours": neighbours, "weighting": weighting})
