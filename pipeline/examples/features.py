"""Scales for the numbers beside the tokens: dense features made comparable, and the target as it is learned.

Every scale is fitted on training examples only, and consists of small arrays.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np

from pipeline.arrays import Array
from pipeline.records.cleaning.cleaner import LARGEST


@dataclass(frozen=True)
class TargetScale:
    """The scale on which the target is learned: logged if conf says so, then mean 0 and standard deviation 1."""

    log: bool
    mean: float
    std: float

    @classmethod
    def fit(cls, target: Array, log: bool) -> Self:
        """Fit the scale to the training targets (N,)."""
        values = np.log(target) if log else target
        return cls(log, float(values.mean()), float(values.std()) or 1.0)

    def forward(self, target: Array) -> Array:
        """(N,) in the target's unit -> (N,) as learned."""
        return ((np.log(target) if self.log else target) - self.mean) / self.std

    def inverse(self, learned: Array) -> Array:
        """(N,) as learned -> (N,) in the target's unit; of a logged target this is the median, not the mean.

        Far from what was learned from, a logged target would be infinite, or 0, which has no logarithm: it stays within
        what a record can say, 1 / `LARGEST` to `LARGEST`.
        """
        values = learned * self.std + self.mean
        return np.exp(np.clip(values, -np.log(LARGEST), np.log(LARGEST))) if self.log else values

    @property
    def weights(self) -> dict[str, Array]:
        """The scale as arrays, by name."""
        return {"target_log": np.array(self.log), "target_mean": np.array(self.mean), "target_std": np.array(self.std)}

    @classmethod
    def of(cls, weights: Mapping[str, Array]) -> Self:
        """Restore a scale from its `weights`."""
        return cls(bool(weights["target_log"]), float(weights["target_mean"]), float(weights["target_std"]))


@dataclass(frozen=True)
class DenseScale:
    """The scale on which dense features are learned: standardised, clipped, and in pieces that allow for curves.

    A missing value becomes the median; a skewed feature that is never negative is logged, as log(1 + x); all features
    get mean 0 and standard deviation 1, and are clipped to -5..5. In addition, each feature gives a column for each
    piece between its quantiles, 0 below the piece, 1 above it and linear between: a linear function of these columns is
    a piecewise linear curve (Gorishniy et al., 2022, arXiv:2203.05556).
    """

    median: Array  # (F,)
    log: Array  # (F,) bool
    mean: Array  # (F,)
    std: Array  # (F,)
    edges: Array  # (F, Q + 1) quantiles of the scaled feature
    centre: Array  # (F * Q,) mean of the pieces

    @classmethod
    def fit(cls, dense: Array) -> Self:
        """Fit the scale to the training features (N, F).

        Each feature has Q <= 16 pieces, as many as N >= 16 * F * Q allows, or up to 48 where N >= 48 * F * Q and
        256 >= F * Q: few features of many examples may follow finer curves. Without room for two there are none.
        """
        n, f = dense.shape
        some = np.where(np.isfinite(dense).any(axis=0), dense, 0.0)  # a feature without any value is 0
        median = np.nanmedian(some, axis=0)
        filled = np.where(np.isfinite(some), some, median)
        log = (np.abs(_skewness(filled)) > 1) & (filled.min(axis=0) >= 0)
        logged = _logged(filled, log)
        std = logged.std(axis=0)
        scale = cls(median, log, logged.mean(axis=0), np.where(std > 0, std, 1.0), np.empty((f, 1)), np.empty(0))
        some_f = max(f, 1)
        pieces = max(min(16, n // (16 * some_f)), min(48, n // (48 * some_f), 256 // some_f))
        scaled = scale._scaled(dense)
        edges = np.quantile(scaled, np.linspace(0, 1, pieces + 1), axis=0).T if pieces >= 2 else np.empty((f, 1))
        scale = replace(scale, edges=edges)
        return replace(scale, centre=scale._pieces(scaled).mean(axis=0))

    def forward(self, dense: Array) -> Array:
        """(N, F) in the records' units -> (N, F + F * Q) as learned."""
        scaled = self._scaled(dense)
        return np.hstack([scaled, self._pieces(scaled) - self.centre])

    def _scaled(self, dense: Array) -> Array:
        filled = _logged(np.where(np.isfinite(dense), dense, self.median), self.log)
        return np.clip((filled - self.mean) / self.std, -5, 5)

    def _pieces(self, scaled: Array) -> Array:
        low, high = self.edges[:, :-1], self.edges[:, 1:]
        width = np.where(high > low, high - low, np.inf)  # an empty piece is 0 everywhere
        return np.clip((scaled[:, :, None] - low) / width, 0, 1).reshape(len(scaled), -1)

    @property
    def weights(self) -> dict[str, Array]:
        """The scale as arrays, by name."""
        return {f"dense_{field.name}": getattr(self, field.name) for field in fields(self)}

    @classmethod
    def of(cls, weights: Mapping[str, Array]) -> Self:
        """Restore a scale from its `weights`."""
        return cls(**{field.name: weights[f"dense_{field.name}"] for field in fields(cls)})


def _logged(dense: Array, log: Array) -> Array:
    return np.where(log, np.log1p(np.maximum(dense, 0)), dense)


def _skewness(dense: Array) -> Array:
    centred = dense - dense.mean(axis=0)
    return np.asarray((centred**3).mean(axis=0) / np.maximum(centred.std(axis=0), 1e-12) ** 3)
