"""Finished fits: what they are, where their runs are, and their metrics."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.estimators import run_name
from pipeline.evaluation.metrics import decimals

STABILITY, REPLICA_SECONDS = OF_REPLICAS = ("stability", "replica_seconds")
"""Metrics of a fit of which replicas were fitted: the median stability of its tokens, and what the replicas took."""


@dataclass(frozen=True)
class Fit:
    """A finished fit: what it is, where its run is, and its metrics."""

    dataset: str
    method: str
    dimension: int
    run_id: str
    experiment_id: str
    reused: bool
    metrics: Mapping[str, float]

    @property
    def name(self) -> str:
        """`embedding D=8`; a baseline that is not fitted at each D has no number in its name."""
        return run_name(self.method, self.dimension)


@dataclass(frozen=True)
class Fits:
    """The fits of one asset, in the order of conf."""

    fits: tuple[Fit, ...]

    def save(self, folder: Path) -> None:
        """Write `fits.json`."""
        (folder / "fits.json").write_text(json.dumps([asdict(fit) for fit in self.fits], indent=2))

    @classmethod
    def load(cls, folder: Path) -> "Fits":
        """Read what `save` wrote."""
        return cls(tuple(Fit(**fit) for fit in json.loads((folder / "fits.json").read_text())))


def summary(name: str, metrics: Mapping[str, float], primary: str) -> str:
    """A line about a finished fit, with the metric that decides where one was measured.

    >>> summary("pca D=2", {"fit_seconds": 1.25, "test_recall_at_20": 0.10304}, "recall_at_20")
    'pca D=2 fitted in 1.2 s, recall_at_20 0.1030'
    """
    value = metrics.get(f"test_{primary}")
    decisive = "" if value is None else f", {primary} {value:,.{decimals(abs(value))}f}"
    return f"{name} fitted in {metrics['fit_seconds']:.1f} s{decisive}"
