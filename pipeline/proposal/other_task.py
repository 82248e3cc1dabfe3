"""What the rows of a source could be for instead, where each is a pair of an example and a token."""

from typing import NamedTuple

import polars as pl

from pipeline.proposal.hints import OF_EXAMPLES, OF_TOKENS
from pipeline.proposal.profile import Profile
from pipeline.proposal.target import gives_away, has_a_logarithm, is_a_class, quoted, target_by_name

_FEWEST_FEATURES = 2
"""Columns beside the pair and the target, at least, if rows without ids are rather about themselves."""
_OF_A_TOKEN = 1.05
"""Mean number of different values for a token, at most, of a column that describes the token."""


class OtherTask(NamedTuple):
    """A column with a name of something to predict, in rows that are pairs."""

    task: str
    """The task that predicts it, as a conf file has it."""
    wins: bool
    """Whether the rows are rather about it than about what belongs together."""


def other_task_of(frame: pl.DataFrame, profiles: dict[str, Profile], example: str, token: str) -> OtherTask | None:
    """What could be predicted of rows that are pairs; None if no column has a name of that.

    A price that goes with an article, or its category, is no such column.

    Args:
        frame: the first rows.
        profiles: of its columns.
        example: the column of the examples.
        token: the column of the tokens.
    """
    others = {name: one for name, one in profiles.items() if name not in (example, token)}
    named = target_by_name(others)
    if named is None or _each(frame, token, named.value) <= _OF_A_TOKEN:
        return None
    target = others.pop(named.value)
    kind = "classification" if is_a_class(target) else "regression"
    log = ", log: false" if kind == "regression" and not has_a_logarithm(target) else ""
    task = f"{{kind: {kind}, target: {quoted(target.name)}{log}}}"
    if _each(frame, example, target.name) == 1:
        return OtherTask(task, False)  # an example has one value: it is a question about the whole list
    able = [one for one in others.values() if not gives_away(one, target.name)]
    features = [one for one in able if one.holds in ("categories", "numbers", "texts", "lists")]
    has_ids = any(one.holds == "row ids" and not one.missing for one in able)
    is_surely_a_pair = profiles[example].named(*OF_EXAMPLES) and profiles[token].named(*OF_TOKENS)
    wins = not is_surely_a_pair and (has_ids or len(features) >= _FEWEST_FEATURES)
    return OtherTask(task if wins else f"{task}, without `example`: of each row", wins)


def _each(frame: pl.DataFrame, column: str, other: str) -> float:
    """How many different values of another column go with a value of a column, on average."""
    rows = frame.lazy().select(column, other).drop_nulls()
    return float(rows.select(pl.struct(pl.all()).n_unique() / pl.col(column).n_unique()).collect().item())
