"""Numbers beside the tokens: dense features made comparable, and the target on the scale that is learned.

Everything here is fitted on training examples only and is nothing but small arrays.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class TargetScale:
    """The target as it is learned: logged where conf says so, then with mean 0 and standard deviation 1."""

    log: bool
    mean: float
    std: float

    @classmethod
    def fit(cls, target: Array, log: bool) -> Self:
        """Measure the training targets (N,)."""
        values = np.log(target) if log else target
        return cls(log, float(values.mean()), float(values.std()) or 1.0)

    def forward(self, target: Array) -> Array:
        """(N,) in the target's unit -> (N,) as learned."""
        return ((np.log(target) if self.log else target) - self.mean) / self.std

    def inverse(self, learned: Array) -> Array:
        """(N,) as learned -> (N,) in the target's unit; of a logged target this is the median, not the mean."""
        values = learned * self.std + self.mean
        return np.exp(values) if self.log else values

    @property
    def weights(self) -> dict[str, Array]:
        """As arrays, by name."""
        return {"target_log": np.array(self.log), "target_mean": np.array(self.mean), "target_std": np.array(self.std)}

    @classmethod
    def of(cls, weights: Mapping[str, Array]) -> Self:
        """From what `weights` gave."""
        return cls(bool(weights["target_log"]), float(weights["target_mean"]), float(weights["target_std"]))


@dataclass(frozen=True)
class DenseScale:
    """Dense features as they are learned: missing ones at the median, then with mean 0 and standard deviation 1."""

    median: Array  # (F,)
    mean: Array  # (F,)
    std: Array  # (F,)

    @classmethod
    def fit(cls, dense: Array) -> Self:
        """Measure the training features (N, F)."""
        known = np.where(np.isfinite(dense).any(axis=0), dense, 0.0)  # a feature without any value is 0
        median = np.nanmedian(known, axis=0)
        filled = np.where(np.isfinite(known), known, median)
        std = filled.std(axis=0)
        return cls(median, filled.mean(axis=0), np.where(std > 0, std, 1.0))

    def forward(self, dense: Array) -> Array:
        """(N, F) in the records' units -> (N, F) as learned."""
        return (np.where(np.isfinite(dense), dense, self.median) - self.mean) / self.std

    @property
    def weights(self) -> dict[str, Array]:
        """As arrays, by name."""
        return {"dense_median": self.median, "dense_mean": self.mean, "dense_std": self.std}

    @classmethod
    def of(cls, weights: Mapping[str, Array]) -> Self:
        """From what `weights` gave."""
        return cls(weights["dense_median"], weights["dense_mean"], weights["dense_std"])
