"""Tells columns that would give the target away: they say the same, or were written when the class was known."""

import polars as pl

from pipeline.proposal.profile import Profile, is_there
from pipeline.proposal.target import as_numbers, is_a_class, says_the_same

_CHANCE = 1e-6
"""That all values of a column are beside one class is no chance if it is less probable than this."""
_FEWEST = 10
"""So many rows of each class, and so many different numbers at least, tell where one class ends and the next begins."""


def tells_the_target(values: pl.Series, answers: pl.Series, one: Profile, target: Profile) -> bool:
    """Whether a column says the same as the target, or follows its classes.

    A column follows the classes if it has values beside one of them only, as the reason why a customer left, or numbers
    that lie in another range for each, as the weight of a child beside whether it is low.

    Args:
        values: of the column.
        answers: those of the target.
        one: the profile of the column.
        target: that of the target.
    """
    if says_the_same(values, answers, one, target):
        return True
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
