"""What the linear baselines share: the matrix that they learn from, and how their coefficients give outputs.

Letters: N examples, V vocabulary, F dense features with their pieces, C outputs.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple, Self

import numpy as np
from pydantic import Field
from scipy import sparse

from pipeline.arrays import Array
from pipeline.config.section import OneOrMore
from pipeline.examples.example_set import ExampleSet
from pipeline.examples.features import DenseScale
from pipeline.examples.weighted import inverse_document_frequency, weighted

Weighting = Annotated[tuple[Literal["binary", "tfidf"], ...], Field(min_length=1), OneOrMore()]
"""Weights of the tokens: 1 each, or tf-idf with rows scaled to length 1."""


class Features(NamedTuple):
    """The training examples as a linear model learns from them."""

    weight: Array  # (V,) of each token
    is_tfidf: bool
    dense: DenseScale
    matrix: sparse.csr_matrix  # (N, V + F) the weights of the tokens, and beside them the scaled dense features

    @classmethod
    def of(cls, training: ExampleSet, weighting: str) -> Self:
        """The features of the training examples with one of the weightings."""
        is_tfidf = weighting == "tfidf"
        weight = inverse_document_frequency(training.inputs) if is_tfidf else np.ones(training.inputs.size)
        tokens = weighted(training.inputs.csr(), weight, is_tfidf)
        dense = DenseScale.fit(training.dense)
        beside = sparse.csr_matrix(dense.forward(training.dense))
        return cls(weight, is_tfidf, dense, sparse.hstack([tokens, beside], format="csr"))

    def fitted(self, coefficients: Array, intercept: Array) -> dict[str, Array]:
        """The arrays that `outputs` needs.

        Args:
            coefficients: (V + F,) or (V + F, C), in the order of the columns of the matrix.
            intercept: () or (C,).
        """
        v = len(self.weight)
        return {
            "token_weight": self.weight,
            "token_coefficient": coefficients[:v],
            "rows_of_length_1": np.array(self.is_tfidf),
            "head_weight": coefficients[v:],
            "head_bias": np.array(intercept),
            **self.dense.weights,
        }


def outputs(weights: Mapping[str, Array], inputs: sparse.csr_matrix, dense: Array) -> Array:
    """(N,) or (N, C) the outputs of a linear model for examples.

    Args:
        weights: what `Features.fitted` gave.
        inputs: (N, V).
        dense: (N, F) the dense features as the records have them.
    """
    tokens = weighted(inputs, weights["token_weight"], bool(weights["rows_of_length_1"]))
    of_tokens = tokens @ weights["token_coefficient"] + weights["head_bias"]
    return np.asarray(of_tokens + DenseScale.of(weights).forward(dense) @ weights["head_weight"])
