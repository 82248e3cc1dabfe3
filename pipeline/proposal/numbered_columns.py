"""Columns that are places of one list: a team of players, or what is in a basket."""

import re
from collections.abc import Iterable, Sequence

import polars as pl

from pipeline.config.records import MISSING
from pipeline.proposal.hints import OF_TOKENS
from pipeline.proposal.look import Guess
from pipeline.proposal.profile import Profile

_ALIKE = 0.7
"""A larger share of values in common makes columns places of one list."""
_TWICE = 0.05
"""In columns of one list, a smaller share of the values repeats an earlier value of its row; survey answers repeat."""
_VALUES_OF_A_PLACE = 2
"""Columns of one list have more different values than so many for each column; answers of a survey have few."""
_ROWS, _CELLS = 20_000, 2_000_000
"""The most rows and the most values that are looked at."""
_ONE_LIST = "these columns are places of one list: their values are tokens alike"


def stem(name: str) -> str:
    """The name of a column without its numbers, which columns of one kind have in common.

    >>> stem("snp12_a")
    'snp#_a'
    """
    return re.sub(r"\d+", "#", name)


def numbered(frame: pl.DataFrame, profiles: Iterable[Profile]) -> list[list[str]]:
    """Columns that are places of one list, such as `item 1`, `item 2`: their names differ in a number only.

    Args:
        frame: the first rows.
        profiles: of its columns.
    """
    groups: dict[str, list[Profile]] = {}
    for one in profiles:
        if frame[one.name].dtype == pl.String and re.search(r"\d", one.name):
            groups.setdefault(stem(one.name), []).append(one)
    return [[one.name for one in group] for group in groups.values() if _is_one_list(frame, group)]


def _is_one_list(frame: pl.DataFrame, group: Sequence[Profile]) -> bool:
    """Whether columns hold the same things, many of them, and hardly a row has one of them twice."""
    full = [one for one in group if one.holds in ("ids", "categories", "row ids", "texts")]
    full = [one for one in full if not one.is_whole or one.named(*OF_TOKENS)]
    if len(full) < 2 or len(full) < sum(one.holds != "nothing" for one in group):
        return False
    fullest, *_ = sorted(full, key=lambda one: one.missing)
    cells = (
        frame.lazy()
        .head(min(_ROWS, _CELLS // len(full)))
        .select(one.name for one in full)
        .with_row_index("row")
        .collect()
    )
    cells = cells.unpivot(index="row", variable_name="column", value_name="value")
    cells = cells.filter(~pl.col("value").is_in(MISSING)).drop_nulls()
    known = cells.filter(column=fullest.name)["value"].unique()
    others = cells.filter(pl.col("column") != fullest.name)["value"]
    if others.is_empty() or cells["value"].n_unique() <= _VALUES_OF_A_PLACE * len(full):
        return False
    is_twice = 1 - cells.select(pl.struct("row", "value").n_unique()).item() / cells.height
    return is_twice < _TWICE and float(others.is_in(known.implode()).mean()) > _ALIKE  # type: ignore[arg-type]


def sections_of(places: Sequence[list[str]]) -> list[Guess]:
    """A section `tokens` for each group of places: a team of several is told apart from the others by its name.

    >>> [one.value["qualified"] for one in sections_of([["red 1", "red 2"], ["blue 1", "blue 2"]])]
    ['red', 'blue']
    """
    names = [re.sub(r"\d+", "", columns[0]).strip(" _.-") for columns in places]
    if len(set(names)) < len(places) or not all(names):
        names = [columns[0] for columns in places]
    found = []
    for columns, name in zip(places, names, strict=True):
        qualified, reason = (False, _ONE_LIST) if len(places) == 1 else (name, f"{_ONE_LIST}, written as `{name}=`")
        found.append(Guess({"kind": "value", "columns": columns, "qualified": qualified}, reason))
    return found
