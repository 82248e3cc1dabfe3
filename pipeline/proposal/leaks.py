"""Tells columns that were written when the class to predict was known: they would give it away."""

import polars as pl

from pipeline.proposal.profile import Profile, is_there
from pipeline.proposal.target import as_numbers, is_a_class

_CHANCE = 1e-6
"""That all values of a column are beside one class is no chance if it is less probable than this."""
_FEWEST = 10
"""So many rows of each class, and so many different numbers at least, tell where one class ends and the next begins."""


def follows_the_class(values: pl.Series, answers: pl.Series, one: Profile, target: Profile) -> bool:
    """Whether a column has values beside one class only, or numbers that lie in another range for each class.

    So are the reason why a customer left, and the weight of a child beside whether it is low.

    Args:
        values: of the column.
        answers: the classes.
        one: the profile of the column.
        target: that of the classes.
    """
    if not is_a_class(target):
        return False
    rows = pl.DataFrame({"one": values, "class": answers})
    rows = rows.filter(is_there("class", answers.dtype)).with_columns(has=is_there("one", values.dtype))
    return _is_beside_one_class(rows) or (one.holds in ("numbers", "ids") and _has_ranges(rows, one))


def _is_beside_one_class(rows: pl.DataFrame) -> bool:
    """Whether all rows that have a value are of one class, which is not by chance."""
    with_value = rows.filter("has")
    if with_value["class"].n_unique() != 1:
        return False
    share = float((rows["class"] == with_value["class"][0]).sum()) / rows.height
    return share < 1 and share**with_value.height < _CHANCE


def _has_ranges(rows: pl.DataFrame, one: Profile) -> bool:
    """Whether the numbers of a class all lie below, or above, those of each other class."""
    numbers = rows.select("class", number=as_numbers(rows["one"], one.decimal)).drop_nulls()
    number = pl.col("number")
    ranges = numbers.group_by("class").agg(n=pl.len(), low=number.min(), high=number.max()).sort("low")
    if ranges.height < 2 or (ranges["n"] < _FEWEST).any() or numbers["number"].n_unique() < _FEWEST:
        return False
    return bool((ranges["low"].slice(1) > ranges["high"].slice(0, ranges.height - 1)).all())
