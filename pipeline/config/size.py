"""The size of a contest, from which each method tells how much memory it needs."""

from typing import NamedTuple

MANY_LOGITS = 2 * 10**9
"""Examples x tokens (N x V); above it training draws negatives, PCA is randomised, and a sample of at least 10,000
examples is evaluated."""
SMALL_LOGITS, SMALL_PAIRS = 10**7, 2 * 10**5
"""Up to so many, each step of a baseline is too short for more than one thread."""


class Size(NamedTuple):
    """How large the sparse examples are that a method is fitted on."""

    n: int
    """N, the number of training examples."""
    v: int
    """V, the size of the vocabulary."""
    pairs: int
    """P, the stored entries."""
    number: int
    """Bytes of a number: 8 or 4."""

    @property
    def is_small(self) -> bool:
        """Whether to fit several baselines side by side gains more than several threads for each."""
        return self.n * self.v <= SMALL_LOGITS and self.pairs <= SMALL_PAIRS

    @property
    def csr(self) -> int:
        """Bytes of the examples as a matrix in memory."""
        return self.pairs * (4 + self.number) + 8 * self.n

    def vectors(self, dimension: int | None) -> int:
        """Bytes of a vector of D numbers for each token."""
        return self.v * ((dimension or 0) + 1) * self.number

    def of_pca(self, dimension: int) -> int:
        """Bytes that PCA needs: the matrix, weighted and not, and the solver's basis of both kinds of vectors."""
        return 2 * self.csr + 16 * (self.n + self.v) * (2 * dimension + 10)
