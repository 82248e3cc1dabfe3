"""Finished fits: what they are, where their runs are, and their metrics."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.estimators import run_name

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
