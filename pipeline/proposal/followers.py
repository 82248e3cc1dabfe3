"""Columns of lists of which one follows from another, such as the names of the articles in another."""

from collections.abc import Container, Sequence
from typing import Any

import polars as pl

from pipeline.proposal.hints import OF_LABELS
from pipeline.proposal.profile import Profile
from pipeline.records.tokens.items import ItemTokens

_MOST = 12
"""The most columns of lists that are looked at."""
_ROWS = 5_000
_AS_LONG = 0.99
"""A larger share of the rows must have as many items in both columns."""
_NEARLY = 1.02
"""A column follows from another if, on average, at most so many of its values go with a value of the other."""
_TIMES = 2
"""A value must occur at least so often, on average: from values that occur once, everything would follow."""


def items_of(one: Profile) -> dict[str, Any]:
    """The section `tokens` of a column of lists."""
    return {"kind": "items", "columns": one.name} | ({} if one.delimiter is None else {"delimiter": one.delimiter})


def without_followers(frame: pl.DataFrame, found: Sequence[Profile], both_ways: bool) -> dict[str, list[str]]:
    """The columns of lists that follow from no other, each with those that follow from it, item by item.

    Of ids and names that stand for each other, the names are kept: a list has no labels beside its items.

    Args:
        frame: the first rows.
        found: the columns of lists.
        both_ways: whether only a column is left out from which the other one follows too.
    """
    lists = {one.name: _lists(frame, one) for one in found[:_MOST]}
    kept: dict[str, list[str]] = {}
    for name in lists:
        first = next((other for other in kept if _follows(lists, name, other, both_ways)), None)
        if first is not None:
            kept[first].append(name)
            continue
        coarser = [other for other in kept if not both_ways and _follows(lists, other, name, both_ways)]
        kept[name] = [column for other in coarser for column in (other, *kept.pop(other))]
    labels = {one.name for one in found if one.named(*OF_LABELS)}
    return dict(_as_people_read(name, others, labels, lists) for name, others in kept.items())


def _as_people_read(
    name: str, others: list[str], labels: Container[str], lists: dict[str, pl.Series]
) -> tuple[str, list[str]]:
    """A column and those that follow from it: first one of names, if each stands for one value of the column."""
    same = (other for other in others if other in labels and _follows(lists, other, name, both_ways=True))
    best = name if name in labels else next(same, name)
    return best, [other for other in (name, *others) if other != best]


def _lists(frame: pl.DataFrame, one: Profile) -> pl.Series:
    section = ItemTokens.model_validate(items_of(one))
    texts = section.texts(one.name, frame.schema[one.name])
    assert texts is not None
    return frame.head(_ROWS).select(texts.alias("items")).to_series()


def _follows(lists: dict[str, pl.Series], name: str, other: str, both_ways: bool) -> bool:
    """Whether each value of a column goes with one value of another, item by item."""
    pairs = pl.DataFrame({"name": lists[name], "other": lists[other]}).drop_nulls()
    alike = pairs.filter(pl.col("name").list.len() == pl.col("other").list.len())
    if alike.height <= _AS_LONG * pairs.height:
        return False
    items = alike.explode("name", "other").drop_nulls()
    n, of_name, of_other = items.unique().height, items["name"].n_unique(), items["other"].n_unique()
    is_known = items.height >= _TIMES * of_other  # of what is there once, everything follows
    return is_known and n <= _NEARLY * of_other and (not both_ways or n <= _NEARLY * of_name)
