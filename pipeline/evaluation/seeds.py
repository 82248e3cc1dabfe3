"""How far the chance of a training moves a metric: the same fit with other seeds, judged on the same examples."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pipeline.arrays import Array

_DEVIATION, _FITS, _FREEDOM = "seed_sd_", "seeds", "seed_freedom"


@dataclass(frozen=True)
class SeedChance:
    """How far the metrics of a fit vary between seeds; nothing varies in a fit that has no chance in it."""

    deviations: Mapping[str, float] = field(default_factory=dict)
    """The standard deviation of each metric, over all folds."""
    seeds: int = 1
    """Fits in each fold."""
    freedom: int = 0
    """Degrees of freedom of the deviations: in each fold one less than seeds."""

    @classmethod
    def of(cls, folds: Sequence[Sequence[Mapping[str, float]]]) -> "SeedChance":
        """The variance between seeds is that within folds, and a metric is the mean over folds: sqrt(mean var / K).

        Args:
            folds: for each of K folds the metrics of each seed.
        """
        seeds = min((len(fold) for fold in folds), default=1)
        if seeds < 2:
            return cls()
        found = {name: np.array([[seed[name] for seed in fold[:seeds]] for fold in folds]) for name in folds[0][0]}
        deviations = {name: float(np.sqrt(of.var(axis=1, ddof=1).mean() / len(of))) for name, of in found.items()}
        return cls(deviations, seeds, len(folds) * (seeds - 1))

    def as_metrics(self) -> dict[str, float]:
        """What a run keeps of it: `seed_sd_` with the name of each metric, `seeds`, `seed_freedom`."""
        if self.seeds < 2:
            return {}
        deviations = {f"{_DEVIATION}{name}": value for name, value in self.deviations.items() if np.isfinite(value)}
        return deviations | {_FITS: float(self.seeds), _FREEDOM: float(self.freedom)}

    @classmethod
    def from_metrics(cls, metrics: Mapping[str, float]) -> "SeedChance":
        """What `as_metrics` gave, among other metrics of a run."""
        deviations = {
            name.removeprefix(_DEVIATION): value for name, value in metrics.items() if name.startswith(_DEVIATION)
        }
        return cls(deviations, int(metrics.get(_FITS, 1)), int(metrics.get(_FREEDOM, 0)))

    def widened(self, drawn: Mapping[str, Array], name: str) -> dict[str, Array]:
        """Resampled metrics of a fit (R,) with the chance of its seed added to each resample.

        The deviation is known from few fits, so what is added follows Student's distribution, and not the normal one.
        Two fits vary independently: their difference has the chance of both.

        Args:
            drawn: by metric, as `bootstrap.resampled` gives it.
            name: of the fit; the same name gives the same numbers.
        """
        random = np.random.default_rng(zlib.crc32(name.encode()))
        found = dict(drawn)
        for metric, values in drawn.items():
            if deviation := self.deviations.get(metric, 0.0):
                found[metric] = values + deviation * random.standard_t(self.freedom, len(values))
        return found
