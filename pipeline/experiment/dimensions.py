"""Which D to take: the best on validation, and how many dimensions of PCA a learned D is worth."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from pipeline.config.task import Task
from pipeline.estimators import EMBEDDING, PCA
from pipeline.evaluation.bootstrap import ROUNDING, most_frequent_answer, n_independent, resampled
from pipeline.evaluation.metrics import measure, primary_score
from pipeline.evaluation.selection import first_of_the_best
from pipeline.experiment.fits import Fit


def chosen_dimensions(fits: Sequence[Fit], validation: Sequence[pl.DataFrame], task: Task) -> dict[str, int | None]:
    """The learned D that is best on validation, and the smallest that is not worse by more than one standard error.

    Beside them stands by how many validation examples these were chosen, and how many of these have the same answer.
    The standard error is that of the paired difference to the best one (the rule: Breiman et al., 1984, section 3.4.3).
    """
    learned = [i for i, fit in enumerate(fits) if fit.method == EMBEDDING]  # by D
    dimensions = [fits[i].dimension for i in learned]
    if not learned or not validation:
        return {"best": max(dimensions, default=None), "smallest": None, "chosen_by": 0}
    values = [primary_score(task, measure(task, validation[i])) for i in learned]
    drawn = [primary_score(task, of_fit) for of_fit in resampled(task, [validation[i] for i in learned])]
    best = first_of_the_best(values, np.std(drawn, axis=1))
    near = (
        d
        for d, value, of_fit in zip(dimensions, values, drawn, strict=True)
        if values[best] - value <= np.std(drawn[best] - of_fit)
    )
    alike = most_frequent_answer(validation[0])
    return {
        "best": dimensions[best],
        "smallest": min(near),
        "chosen_by": n_independent(validation[0]),
        "n_validation": validation[0].height,
        "n_validation_alike": None if alike is None else alike[1],
    }


def worth_in_pca(fits: Sequence[Fit], values: Sequence[Mapping[str, float]], task: Task) -> dict[int, int | None]:
    """For each learned D the smallest D of PCA that is no worse in the primary metric, up to rounding, or None."""
    of = {(fit.method, fit.dimension): primary_score(task, found) for fit, found in zip(fits, values, strict=False)}
    learned, pca = ([d for method, d in sorted(of) if method == name] for name in (EMBEDDING, PCA))

    def reaches(other: int, d: int) -> bool:
        return of[PCA, other] >= of[EMBEDDING, d] - ROUNDING * abs(of[EMBEDDING, d])

    return {d: next((other for other in pca if reaches(other, d)), None) for d in learned if pca}
