"""What a token counts in its example by the weight that the records give it: relative to what is learned from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from pipeline.arrays import Array
from pipeline.out_of_core.memory_mapped import blocks

_LEAST = float(np.finfo(np.float32).tiny)
"""No weight counts nothing, however small it is."""
_MOST = 1e12
"""No weight counts more, however large it is: its square, which a length needs, is still a number of 32 bits. What is
learned from never comes so far, since a weight is at most as many times the mean as there are weights."""


@dataclass(frozen=True)
class WeightScale:
    """The way from weights to counts that are 1 in the mean of what is learned from: no result depends on a unit."""

    mean: float = 1.0
    """What is divided by: the mean of the weights that are learned from, or of their logarithms."""
    typical: float | None = None
    """The geometric mean of the weights that are learned from, if they count by their logarithm."""

    def counts(self, weights: Array) -> Array:
        """(P,) what weights (P,) count: w / mean, or log(1 + w / typical) / mean.

        What is played a hundred times as often is not liked a hundred times as much: Hu, Koren and Volinsky take the
        logarithm (2008, "Collaborative filtering for implicit feedback datasets", equation 6).
        """
        values = weights if self.typical is None else np.log1p(weights / self.typical)
        return np.clip(values / self.mean, _LEAST, _MOST)

    def weights(self, counts: Array) -> Array:
        """(P,) the weights that count so much: `counts` turned round."""
        values = counts * self.mean
        return values if self.typical is None else np.expm1(values) * self.typical

    @property
    def average(self) -> float:
        """The weight that counts 1, as tokens do in the mean of what is learned from."""
        return float(self.weights(np.ones(1))[0])

    @property
    def unit(self) -> list[str]:
        """The scale in 6 digits: of the same examples another one tells that their weights have another unit."""
        return [f"{value:.6g}" for value in self.facts().values() if value]

    def facts(self) -> dict[str, float | None]:
        """What `of` reads, for a file."""
        return {"mean_weight": self.mean, "typical_weight": self.typical}

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Self:
        """The scale that is told among the facts of examples or of a model; `UNWEIGHTED` if none is."""
        return cls(facts.get("mean_weight", 1.0), facts.get("typical_weight"))

    @classmethod
    def measured(cls, weights: Array, learned: Array, by_logarithm: bool) -> Self:
        """The scale of the weights that are learned from.

        Args:
            weights: (P,) all of them, on disk.
            learned: (P,) whether each is learned from; if none is, the weights stay as they are.
            by_logarithm: whether tokens count by the logarithm of their weight.
        """
        n = int(learned.sum())
        if not n:
            return cls()

        def chosen() -> Iterator[Array]:
            at = 0
            for some in blocks(weights):
                yield some[learned[at : at + len(some)]]
                at += len(some)

        if not by_logarithm:
            return cls(sum(float(some.sum()) for some in chosen()) / n)
        typical = float(np.exp(sum(float(np.log(some).sum()) for some in chosen()) / n))
        return cls(sum(float(np.log1p(some / typical).sum()) for some in chosen()) / n, typical)


UNWEIGHTED = WeightScale()
"""The scale of tokens that all count the same."""
