"""Settings of which there are several values: validation chooses."""

from collections.abc import Callable, Iterable, Mapping
from itertools import product
from typing import Any, TypeVar

from pipeline.config import Dataset, Section
from pipeline.embedding import Fitted
from pipeline.evaluation import goodness, judge, measure
from pipeline.rows import Rows

Made = TypeVar("Made", bound=Fitted)


def candidates(settings: Section, names: Iterable[str]) -> list[dict[str, Any]]:
    """Every combination of the values that the settings of these names hold."""
    names = list(names)
    return [dict(zip(names, values, strict=True)) for values in product(*(getattr(settings, name) for name in names))]


def tuned(
    fit: Callable[..., Made],
    among: list[dict[str, Any]],
    conf: Dataset,
    validation: Rows | None,
    chosen: Mapping[str, Any] | None,
) -> Made:
    """Fit with what was chosen before, or else with each candidate, and keep the one that validation finds best.

    Args:
        fit: takes a candidate's settings as keywords.
        among: the candidates; without validation the one in the middle is taken.
        conf: the dataset.
        validation: the examples that choose, by the most telling metric of the task.
        chosen: settings that are given.
    """
    if chosen is not None:
        return fit(**chosen)
    if validation is None or not len(validation) or len(among) == 1:
        return fit(**among[len(among) // 2])
    fits = (fit(**candidate) for candidate in among)
    return max(fits, key=lambda fitted: goodness(measure(judge(fitted, validation), conf.logs)))
