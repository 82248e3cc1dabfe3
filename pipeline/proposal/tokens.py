"""Which columns of a table hold tokens, where every row is an example."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from pipeline.config.records import MISSING
from pipeline.config.section import as_tuple
from pipeline.proposal.followers import items_of, without_followers
from pipeline.proposal.hints import NO_CATEGORIES, OF_CLASSES, OF_NUMBERS, OF_POST
from pipeline.proposal.look import Guess
from pipeline.proposal.numbered_columns import stem
from pipeline.proposal.profile import Profile
from pipeline.records.tokens.indicators import IndicatorTokens
from pipeline.records.tokens.list_texts import lists

MOST_FEATURES = 40
FEWEST_INDICATORS, MOST_INDICATORS = 8, 5_000
_MOST_CODES = 20
"""Whole numbers of at most so many different values may be codes, such as 1 to 5 for how one agrees."""
_ROWS_OF_A_VALUE = 10
"""Mean number of rows that a value of a column has, at least, if the column is to predict something."""
_FEWEST_ROWS, _REPEATED = 100, 0.05
"""In a source of at least so many rows, a column teaches nothing if its values that occur three times or more make up a
smaller share than this."""
_SPELLED = "few short pieces with blanks between them"
_NO_WORDS = "texts with nothing between their words"
_ROWS = 20_000
"""The most rows whose tokens are counted."""
_IN_TRAINING = 0.6
"""The share of a token's records that are training records, at least."""


def tokens(frame: pl.DataFrame, usable: Sequence[Profile], target: str | None, token: str | None = None) -> list[Guess]:
    """The sections `tokens`, each with its reason; none if nothing looks like tokens.

    Args:
        frame: the first rows.
        usable: the columns.
        target: the column to predict.
        token: a column whose values are known to be tokens, however many there are.
    """
    texts = sorted((one for one in usable if one.holds == "texts"), key=lambda one: -one.words)
    of_lists = [one for one in usable if one.holds == "lists"]
    # whole numbers beside names are rather amounts
    of_lists = [one for one in of_lists if not one.is_whole] or of_lists
    categories = [
        one.name
        for one in usable
        if one.name == token or (_is_a_category(one, target) and not one.named(*NO_CATEGORIES))
    ]
    found = []
    spelled = [one.name for one in texts if one.is_spelled]
    found += [Guess({"kind": "items", "columns": name, "delimiter": " "}, _SPELLED) for name in spelled]
    unspaced = [one.name for one in texts if one.is_unspaced][:3]
    found += [Guess({"kind": "characters", "columns": name, "ngrams": [2, 3]}, _NO_WORDS) for name in unspaced]
    texts = [one for one in texts if not one.is_spelled and not one.is_unspaced]
    if texts:
        names = [one.name for one in texts if one.words >= 3][:3] or [texts[0].name]
        words = {"kind": "words", "columns": names if len(names) > 1 else names[0]}
        found.append(Guess(words, f"texts of {texts[0].words:.0f} words on average"))
    finest = without_followers(frame, of_lists, target is not None)
    for name in list(finest)[:3]:
        same = f", and {', '.join(finest[name])} would give them away" if finest[name] else ""
        found.append(Guess(items_of(next(one for one in of_lists if one.name == name)), f"its values are lists{same}"))
    if categories and (target is not None or not found):
        found.append(Guess({"kind": "value", "columns": _most(categories)}, "columns with few values"))
    if found:
        return found
    names = [one.name for one in usable if one.holds in ("ids", "categories") and not one.is_whole][:3]
    if names:
        return [Guess({"kind": "value", "columns": names}, "values that repeat")]
    codes = [one for one in usable if one.is_whole and one.holds != "row ids" and one.n_different <= _MOST_CODES]
    reason = "whole numbers of few values, which may be codes"
    return [Guess({"kind": "value", "columns": [one.name for one in codes][:MOST_FEATURES]}, reason)] if codes else []


def _most(names: Sequence[str]) -> list[str]:
    """The first columns, and those whose names differ from another one's in a number only: they belong together."""
    times = Counter(stem(name) for name in names)
    alone = [name for name in names if times[stem(name)] == 1]
    too_many = {*alone[MOST_FEATURES:]}
    return [name for name in names if name not in too_many]


def _is_a_category(one: Profile, target: str | None) -> bool:
    """Whether a column has few values, or, where something is to be predicted, values of which each tells enough.

    Among numbers only those that stand for places do, such as 2139: they measure nothing.
    """
    are_names = one.named(*OF_POST) if one.is_whole else one.holds == "ids"
    repeats = are_names and one.holds in ("ids", "numbers") and one.n_different * _ROWS_OF_A_VALUE <= one.n
    return one.holds == "categories" or (repeats and target is not None)


def indicators(profiles: Iterable[Profile], has_names: bool) -> list[str]:
    """The columns of a wide table that say which rows have what their names say; none if it is no such table.

    What is to be predicted stands first or last, and has a name that says so; between the others, `price` is a thing.
    Most of them are rare. Then the others are what most rows have, if their numbers are not larger.

    Args:
        profiles: of all columns.
        has_names: whether the columns have names; otherwise one at an end that most rows have is no such column.
    """
    able = [one for one in profiles if one.holds != "row ids"]
    at_the_ends = (*able[:1], *able[-1:])
    ends = {one.name for one in at_the_ends if one.named(*OF_CLASSES, *OF_NUMBERS)}
    ends |= {one.name for one in at_the_ends if not one.is_indicator and not has_names}
    if not any(one.is_one_of_two_texts for one in able if one not in at_the_ends):  # the others are numbers
        ends |= {one.name for one in at_the_ends if one.is_one_of_two_texts}
    able = [one for one in able if one.name not in ends]
    rare = [one for one in able if one.is_indicator]
    if len(rare) < max(FEWEST_INDICATORS, (len(able) + len(ends)) / 2):
        return []
    most = max((one.high for one in rare if not math.isnan(one.high)), default=1.0)
    found = [one.name for one in able if one.is_indicator or (one.may_indicate and not one.high > most)]
    return found[:MOST_INDICATORS]


def n_tokens(section: dict[str, Any], frame: pl.DataFrame, is_whole: bool, min_count: int) -> int:
    """How many different tokens a section makes, at least.

    Args:
        section: a section `tokens`.
        frame: the first rows.
        is_whole: whether these are all rows; then only tokens count that enough of the training records have.
        min_count: how many of them are enough.
    """
    least = min_count / _IN_TRAINING if is_whole and frame.height <= _ROWS else 1
    values = [_values(section, frame[column].head(_ROWS)).drop_nulls() for column in as_tuple(section["columns"])]
    if section.get("qualified") not in (None, True):  # then a value is the same token in each column
        values = [pl.concat([one.cast(pl.String).alias("value") for one in values])]
    return sum(int((_times(one) >= least).sum()) for one in values)


def hardly_repeats(one: Profile, frame: pl.DataFrame) -> bool:
    """Whether the values of a column, or the items of its lists, are nearly all found in a row or two.

    Args:
        one: the profile of the column.
        frame: all rows.
    """
    section: dict[str, Any] = {"kind": "value", "columns": one.name}
    if one.holds == "lists":
        section = items_of(one)
    elif one.holds != "ids" or one.is_whole:
        return False
    times = _times(_values(section, frame[one.name]).drop_nulls())
    return frame.height >= _FEWEST_ROWS and float(times.filter(times > 2).sum()) < _REPEATED * float(times.sum())


def _times(values: pl.Series) -> pl.Series:
    """How often each different value is there, whatever the name of their column: `n`, or `count`."""
    return values.alias("value").value_counts(name="n")["n"]


def _values(section: dict[str, Any], column: pl.Series) -> pl.Series:
    """The tokens of a column, about, one after the other."""
    if isinstance(column.dtype, pl.List | pl.Array):
        return column.explode()
    if section["kind"] == "indicators":
        one = {"kind": "indicators", "columns": column.name}
        has = IndicatorTokens.model_validate(one).texts(column.name, column.dtype)
        return column.to_frame().select(pl.lit(None, pl.String) if has is None else has.alias("has")).to_series()
    text = column.cast(pl.String, strict=False)
    text = text.filter(~text.is_in(MISSING))
    if section["kind"] == "value":
        return text
    if section["kind"] == "items":
        found = text.str.split(section["delimiter"]) if "delimiter" in section else lists(text)
        return found.explode().str.strip_chars()
    of_one = "" if section["kind"] == "characters" else "+"
    return text.str.to_lowercase().str.extract_all(rf"[\p{{L}}\p{{N}}]{of_one}").explode()
