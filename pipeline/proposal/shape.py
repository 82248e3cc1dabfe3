"""What the columns of a source are for: what an example is, what a token, and what is to be learned."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from pipeline.proposal.footers import leave_out_footer, without_footer
from pipeline.proposal.hints import IDS, OF_TOKENS
from pipeline.proposal.leaks import tells_the_target
from pipeline.proposal.lists import of_lines, of_pairs
from pipeline.proposal.look import Guess, Look
from pipeline.proposal.numbered_columns import numbered, sections_of
from pipeline.proposal.other_task import other_task_of
from pipeline.proposal.pair import pair_of
from pipeline.proposal.profile import Profile, profile
from pipeline.proposal.repeated_texts import repeated
from pipeline.proposal.sections import Shape, where, where_any, with_any
from pipeline.proposal.split_columns import groups, parts, times
from pipeline.proposal.sums import summands
from pipeline.proposal.target import (
    MOST_CODES_OF_CLASSES,
    gives_away,
    has_a_logarithm,
    is_a_class,
    is_rather_a_class,
    otherwise_of,
    quoted,
    target_of,
    unlike,
)
from pipeline.proposal.tokens import MOST_FEATURES, hardly_repeats, indicators, tokens

_SAYS_SO = "a row has what a column's name says where it is above 0"
_FLAT = ("categories", "numbers", "ids")
_NAMELESS = 4
"""Columns of ratings that have no names, as they are published: user, item, rating and time."""


def shape(look: Look) -> Shape:
    """What the source seems to be for."""
    n_rows = look.frame.height
    look, lacking = without_footer(look)
    found = of_lines(look, look.delimiter) if look.delimiter is not None else _of_columns(look)
    if found.example is None:
        found.duplicates = repeated(look.frame, found.tokens, found.task.value.get("target"))
    if lacking:
        leave_out_footer(found, lacking, n_rows - look.frame.height)
    return found


def _of_columns(look: Look) -> Shape:
    """What a source with columns seems to be for."""
    profiles = {name: profile(look.frame[name]) for name in look.frame.columns}
    said = parts(look.frame, profiles)
    if said is not None:
        profiles.pop(said.value or said.otherwise)
    places = numbered(look.frame, profiles.values())
    alone = {name: one for name, one in profiles.items() if not any(name in names for names in places)}
    may_be_amounts = look.frame.width > (_NAMELESS if "columns" in look.source else 2)
    pair = pair_of(look.frame, alone, may_be_amounts)
    found = _rows(look, profiles, places) if pair is None else _pairs_or_rows(look, profiles, places, pair)
    if found.has_single_tokens and (pair := pair_of(look.frame, alone, may_be_amounts, needs_hints=False)) is not None:
        found = of_pairs(look, profiles, *pair)
    if found.has_single_tokens and (by_codes := _by_codes(look, profiles, places, found)) is not None:
        found = by_codes
    if "format" in look.source and look.source["format"].value == "documents":
        found.example = Guess("file", "each is a text of its own")
    found.time = times(look.frame, profiles.values())
    found.parts = said
    found.group = _group(look.frame, profiles, found)
    _take_out_group(found)
    return found


def _by_codes(look: Look, profiles: dict[str, Profile], places: Sequence[list[str]], found: Shape) -> Shape | None:
    """The only column of categories is predicted from codes, such as the answers of a survey; None without them."""
    one = profiles[found.columns[0]]
    if not is_rather_a_class(one):
        return None
    instead = _rows(look, profiles, places, predicted=one.name)
    are_codes = all(profiles[name].is_whole for name in instead.columns)
    return instead if instead.n_tokens > 1 and are_codes else None


def _pairs_or_rows(
    look: Look, profiles: dict[str, Profile], places: Sequence[list[str]], pair: tuple[str, str, str]
) -> Shape:
    """Rows are pairs of an example and a token, unless they are rather about what one of their columns says."""
    example, token, _ = pair
    other = other_task_of(look.frame, profiles, example, token)
    if other is None or not other.wins:
        found = of_pairs(look, profiles, *pair)
        found.task = found.task._replace(otherwise=other.task if other is not None else "")
        return found
    if profiles[token].is_whole and not profiles[token].named(*OF_TOKENS, *IDS):
        return _rows(look, profiles, places)  # an age, or another amount, is no token
    found = _rows(look, profiles, places, token)
    belongs = f"{{kind: missing_tokens}}, with {token} as the tokens of `example: {quoted(example)}`"
    found.task = found.task._replace(otherwise=belongs)
    return found


def _group(frame: pl.DataFrame, profiles: dict[str, Profile], found: Shape) -> Guess | None:
    """The column whose examples belong together in the split."""
    example = found.example.value if found.example is not None else None
    able = [one for one in profiles.values() if one.name not in (example, found.task.value.get("target"))]
    able = groups(able, found.n_examples)
    if able and example in frame.columns:  # a column that varies within an example cannot divide the examples
        n_values = (
            frame.drop_nulls(example).group_by(example).agg(pl.col(one.name for one in able).n_unique()).drop(example)
        )
        able = [one for one in able if n_values[one.name].max() == 1]
    if not able:
        return None
    name = min(able, key=lambda one: one.n_different).name
    each = found.n_examples / profiles[name].n_different
    of = "rows" if example is None else "examples"
    if name in found.columns:
        return Guess(None, f"to test on another {name} than those that are known", name)
    return Guess(name, f"the {of} of each {name}, {each:.1f} on average, resemble each other: all stay on one side")


def _take_out_group(found: Shape) -> None:
    """Leave the ids of groups out of the numbers to learn from: they measure nothing."""
    task = found.task.value
    if found.group is None or found.group.value not in task.get("dense", ()):
        return
    dense = [name for name in task["dense"] if name != found.group.value]
    kept = {key: value for key, value in task.items() if key != "dense"}
    found.task = found.task._replace(value=kept | ({"dense": dense} if dense else {}))


def _rows(
    look: Look,
    profiles: dict[str, Profile],
    places: Sequence[list[str]],
    token: str | None = None,
    predicted: str | None = None,
) -> Shape:
    """Every row is an example; one column may be known to hold tokens, or to be predicted by nothing but numbers."""
    wide = indicators(profiles.values(), "columns" not in look.source)
    in_lists = {*wide, *(name for names in places for name in names)}
    profiles = {name: one for name, one in profiles.items() if name not in in_lists}
    alone = Guess(predicted, f"{predicted} has few values, and all else are numbers")
    guess = alone if predicted else target_of(profiles, bool(in_lists))
    if guess.value is None and wide:
        guess = unlike(look.frame.columns, profiles)
    target, why, otherwise = guess
    left = look if target is None else replace(look, frame=with_any(look.frame, [target]))
    usable, same = _usable(look, left, profiles, target)
    why += f"; {', '.join(same)} would give it away" if same else ""
    in_columns = [Guess({"kind": "indicators", "columns": wide}, _SAYS_SO)] if wide else []
    in_columns += sections_of(places)
    of_cells = [one for one in usable if not in_columns or one.holds in ("texts", "lists", "categories")]
    cells = tokens(look.frame, of_cells, target, token)
    made = [*in_columns, *cells] if target is not None else in_columns or cells
    found = Shape(Guess({"kind": "missing_tokens"}, "no column looks like something to predict"), made)
    is_of_lists = in_columns or any(one.holds == "lists" for one in usable)
    own = [one.name for one in profiles.values() if one.holds == "row ids" and not one.missing] if is_of_lists else []
    found.example = Guess(own[0], "each row has its own") if own else None
    found.count(left.frame.height, left)
    needed = [profiles[target]] if target is not None else []
    if len(found.columns) == 1 and not wide:
        needed.append(profiles[found.columns[0]])
    found.where = where(needed)
    if target is None and len(found.columns) > 1 and all(guess.value["kind"] == "value" for guess in found.tokens):
        found.where = where_any(look.frame, found.columns)
    beside = [one for one in usable if one.name not in found.columns]
    if target is None:
        found.task = found.task._replace(otherwise=otherwise_of(beside))
        return found
    task, left_out = _prediction(look.frame, profiles[target], beside, bool(wide))
    found.task = Guess(task, why + left_out, otherwise)
    found.n_classes = profiles[target].n_different if task["kind"] == "classification" else 0
    return found


def _usable(
    look: Look, left: Look, profiles: Mapping[str, Profile], target: str | None
) -> tuple[list[Profile], list[str]]:
    """The columns that may be tokens or numbers beside them, and those that are not because they tell the target.

    Args:
        look: the first rows.
        left: those that have a target.
        profiles: what the columns hold.
        target: the column to predict, if there is one.
    """
    usable = [one for one in profiles.values() if one.name != target and one.missing < 0.7]
    if left.frame.height < look.frame.height:
        usable = [one for one in usable if one.holds not in _FLAT or profile(left.frame[one.name]).n_different > 1]
    usable = [one for one in usable if target is None or not gives_away(one, target)]
    usable = [one for one in usable if not (look.is_whole and hardly_repeats(one, look.frame))]
    if target is None:
        return usable, []
    answers = look.frame[target]
    same = [one.name for one in usable if tells_the_target(look.frame[one.name], answers, one, profiles[target])]
    return [one for one in usable if one.name not in same], same


def _prediction(
    frame: pl.DataFrame, target: Profile, beside: Sequence[Profile], is_wide: bool
) -> tuple[dict[str, Any], str]:
    """The section `task` that predicts a column, and the end of its reason: which numbers are left out.

    Args:
        frame: the first rows.
        target: the column to predict.
        beside: the columns that are no tokens, of which those of numbers become dense features.
        is_wide: whether other columns are indicators; then few numbers are codes of classes.
    """
    numbers = [one for one in beside if one.holds == "numbers" or (one.holds == "ids" and one.is_whole)]
    numbers = [one for one in numbers if not one.is_an_id][:MOST_FEATURES]
    parts_of_it = summands(frame, target, [one for one in numbers if not one.is_place_or_time])
    left_out = f"; without {', '.join(parts_of_it)}, which add up to it" if parts_of_it else ""
    task: dict[str, Any] = {"kind": "regression", "target": target.name}
    if is_a_class(target) or (is_wide and target.n_different <= MOST_CODES_OF_CLASSES):
        task["kind"] = "classification"
    elif not has_a_logarithm(target):
        task["log"] = False
    dense = [one.name for one in numbers if one.name not in parts_of_it]
    return task | ({"dense": dense} if dense else {}), left_out
