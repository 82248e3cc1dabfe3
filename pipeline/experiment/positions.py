"""The position of a fit among those of its dataset, and when the last of them will be done."""

import time

from pipeline.config.dataset import Dataset
from pipeline.embedding import Position
from pipeline.estimators import EMBEDDING, PCA, estimator, run_name
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.experiment.cache_key import fit_key
from pipeline.experiment.refresh import OF
from pipeline.experiment.run import FinishedRun
from pipeline.experiment.tracking import Tracker

ELAPSED = "elapsed_seconds"
"""The metric of the seconds from the beginning of a fit to its end, with all folds and seeds. Where these are fitted
side by side it is less than `fit_seconds` and `seed_seconds`, in which each counts for itself."""


class Positions:
    """The fits of a dataset in their order, with the seconds that each will take by what MLflow knows."""

    def __init__(self, conf: Dataset, examples: SparseExamples, tracker: Tracker, force: bool) -> None:
        """Collect all fits of a dataset, in the order of the assets.

        Args:
            conf: the dataset, resolved.
            examples: those that the fits learn from.
            tracker: the dataset's MLflow experiment.
            force: whether a fit is repeated even if it is unchanged.
        """
        kinds = sorted((baseline.kind for baseline in conf.baselines), key=lambda kind: kind == PCA)
        methods = [*kinds, EMBEDDING]  # the order of the assets
        self._fits = [(one, dimension) for one in methods for dimension in estimator(one, conf).fitted_at()]
        self._conf, self._examples, self._tracker, self._force = conf, examples, tracker, force

    def position(self, method: str, dimension: int | None) -> Position:
        """The position of a fit that begins now."""
        i = self._fits.index((method, dimension))
        seconds = self._seconds(i)
        return Position(i + 1, len(self._fits), None if seconds is None else time.monotonic() + seconds)

    def _seconds(self, first: int) -> float | None:
        """Seconds of this fit and those after it: those of the last run of the same name, or of its method.

        None where one of them has never been done. A fit that is unchanged takes no time.
        """
        done = self._tracker.current()
        of_method: dict[str, list[float]] = {}
        for run in done.values():
            of_method.setdefault(run.tags["method"], []).append(_taken_by(run))
        total = 0.0
        for i, (method, dimension) in enumerate(self._fits[first:]):
            known = done.get(run_name(method, dimension))
            if known is None and method not in of_method:
                return None
            if known is None:
                total += max(of_method[method])
            elif (
                i == 0 or self._force or self._key(method, dimension) not in (known.tags["fit_key"], known.tags.get(OF))
            ):
                total += _taken_by(known)
        return total

    def _key(self, method: str, dimension: int | None) -> str:
        return fit_key(estimator(method, self._conf), self._conf, self._examples, dimension)


def _taken_by(run: FinishedRun) -> float:
    """Seconds of a fit and its further seeds, by the clock."""
    return run.metrics.get(ELAPSED, run.metrics["fit_seconds"])
