"""The most popular tokens: does not look at the example."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from pipeline.config.dataset import Dataset
from pipeline.embedding import Embedding
from pipeline.examples.example_set import ExampleSet
from pipeline.vocabulary.vocabulary import Vocabulary


@dataclass(frozen=True)
class Popularity:
    """Every example gets the same ranking: by how many training examples have the token."""

    embedding: Embedding  # D = 1: the logarithm of the popularity, the same for every example
    weights: Mapping[str, npt.NDArray[Any]]  # logits (V,)
    chosen: Mapping[str, Any] = field(default_factory=dict)

    def score(self, inputs: sparse.csr_matrix, dense: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """(N, V) the same row N times."""
        return np.tile(self.weights["logits"], (inputs.shape[0], 1))


def fit(
    training: ExampleSet,
    vocabulary: Vocabulary,
    conf: Dataset,
    dimension: int | None = None,
    validation: ExampleSet | None = None,
    chosen: Mapping[str, Any] | None = None,
) -> Popularity:
    """Count in how many training examples each token is: log((examples with the token + 1) / (N + 1))."""
    n = training.inputs.counts
    logits = np.log((n + 1) / (len(training) + 1)).astype(np.float32)
    return Popularity(Embedding(vocabulary, logits[:, None]), {"logits": logits})
