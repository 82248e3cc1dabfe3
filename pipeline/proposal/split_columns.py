"""Which columns could divide the examples into those that train and those that are held out."""

from collections.abc import Iterable, Mapping

import polars as pl

from pipeline.proposal.hints import OF_GROUPS
from pipeline.proposal.look import Guess
from pipeline.proposal.profile import Profile
from pipeline.records.values.dates import Days
from pipeline.records.values.times import are_numbers, as_time
from pipeline.schemas import PARTS, SAYS_PART

_FEWEST_GROUPS, _REPEATED = 30, 0.8


def parts(frame: pl.DataFrame, profiles: Mapping[str, Profile]) -> Guess | None:
    """The first column that says of each row whether it trains, validates or is tested; None if there is none.

    One by which no row validates is only named: what is learned is chosen by validation.
    """
    for name, one in profiles.items():
        if one.holds == "categories" and not one.missing and frame[name].dtype == pl.String:
            said = {SAYS_PART.get(value) for value in frame[name].str.to_lowercase().unique()}
            if said == {*PARTS}:
                return Guess(name, "it says which rows train, which validate, and which are tested")
            if said == {"train", "test"}:
                return Guess(None, "it says which rows train and which are tested, but none validates", name)
    return None


def times(frame: pl.DataFrame, profiles: Iterable[Profile]) -> str | None:
    """The first column that has a time in every row, in a way that `split.time` reads; None if there is none."""
    for one in profiles:
        if one.holds == "dates" and not one.missing:
            column = frame[one.name]
            if column.dtype == pl.String:
                days = Days.of(column)
                if days.day_first is None and days.unclear is not None:
                    continue
                column = frame.select(as_time(pl.col(one.name), are_numbers(column), days.day_first)).to_series()
            if not column.null_count():
                return one.name
    return None


def groups(profiles: Iterable[Profile], n_examples: int) -> list[Profile]:
    """The columns that may say which examples resemble each other, such as those of a customer."""
    able = [one for one in profiles if one.named(*OF_GROUPS) and not one.missing and one.n_different >= _FEWEST_GROUPS]
    able = [one for one in able if one.holds in ("ids", "categories") or (one.holds == "numbers" and one.is_an_id)]
    return [one for one in able if one.n_different < _REPEATED * n_examples]
