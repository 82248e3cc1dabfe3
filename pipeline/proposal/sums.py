"""Tells numbers of which the one to predict is made: it is their sum or difference, so they would give it away."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.proposal.profile import Profile
from pipeline.proposal.target import as_numbers

_MOST_ROWS = 5_000
_ROWS_OF_A_COLUMN = 10
"""With fewer rows for each column, a sum of columns may come close to anything by chance."""
_ROUNDED = 1e-6
"""The share of the variance that rounding may leave unexplained, at most."""


def summands(frame: pl.DataFrame, target: Profile, others: Sequence[Profile]) -> list[str]:
    """The columns of which the one to predict is a sum or difference, weighted or not; often none.

    So is the cost of a repair beside the total cost and the other costs. Rows with a value in each column tell.

    Args:
        frame: the first rows.
        target: the profile of the column to predict.
        others: those of the other columns of numbers.
    """
    columns = [as_numbers(frame[one.name], one.decimal).alias(one.name) for one in (target, *others)]
    rows = pl.DataFrame(columns).drop_nulls().head(_MOST_ROWS)
    if not others or rows.height < _ROWS_OF_A_COLUMN * len(columns):
        return []
    numbers = rows.select(pl.all() - pl.all().mean())
    wanted = numbers[target.name].to_numpy()
    if not wanted.any():
        return []  # it is the same in all of them
    found = [one.name for one in others]
    if not _is_sum(wanted, numbers.select(found).to_numpy()):
        return []
    for name in list(found):
        fewer = [other for other in found if other != name]
        found = fewer if _is_sum(wanted, numbers.select(fewer).to_numpy()) else found
    return [*found, *summands(frame, target, [one for one in others if one.name not in found])]


def _is_sum(wanted: npt.NDArray[np.float64], columns: npt.NDArray[np.float64]) -> bool:
    """Whether centred numbers are a linear combination of centred columns."""
    if not columns.size:
        return False
    scaled = columns / np.maximum(np.abs(columns).max(axis=0), 1e-300)
    weights = np.linalg.lstsq(scaled, wanted, rcond=None)[0]
    return float(np.square(wanted - scaled @ weights).sum()) <= _ROUNDED * float(np.square(wanted).sum())
