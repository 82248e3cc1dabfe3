"""What the columns of a source are for: what an example is, what a token, and what is to be learned."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from pipeline.config.section import as_tuple
from pipeline.proposal.hints import OF_LABELS, OF_WEIGHTS
from pipeline.proposal.look import Guess, Look
from pipeline.proposal.pair import pair_of
from pipeline.proposal.profile import Profile, groups, profile, times
from pipeline.proposal.target import (
    MOST_CODES_OF_CLASSES,
    gives_away,
    has_a_logarithm,
    is_a_class,
    otherwise_of,
    quoted,
    target_of,
    unlike,
)
from pipeline.proposal.tokens import MOST_FEATURES, hardly_repeats, indicators, n_tokens, numbered, tokens

_MANY = 0.005
"""A larger share of records without a value that they need is left out at once: they could not be used."""
_SAYS_SO = "a row has what a column's name says where it is above 0"
_ONE_LIST = "these columns are places of one list: their values are tokens alike"
_NAMELESS = 4
"""Columns of ratings that have no names, as they are published: user, item, rating and time."""
_FEW = 3_000
"""With fewer examples than this, each of them is held out once, in folds."""


@dataclass
class Shape:
    """The sections of a conf file, each with its reason."""

    task: Guess
    tokens: list[Guess]
    example: Guess | None = None
    weight: Guess | None = None
    """How much a row counts: a guess with a value, or only with what it could be."""
    time: str | None = None
    """A column that says when, by which the examples could be split."""
    group: Guess | None = None
    """Which rows resemble each other: a guess with a value, or only with what it could be."""
    where: Guess | None = None
    """Which records can be used, if not all can."""
    notes: list[str] = field(default_factory=list)
    n_examples: int = 0
    n_tokens: int = 0
    n_classes: int = 0
    """How many classes are to be told apart, if the task is to."""

    @property
    def min_count(self) -> int:
        """The fewest training examples of a token: the more, the more examples there are."""
        return next(least for least, n in ((5, 2_000), (3, 500), (2, 100), (1, 0)) if self.n_examples >= n)

    @property
    def has_single_tokens(self) -> bool:
        """Whether each example has one token, so that there is nothing to predict it from."""
        columns = [column for one in self.tokens for column in as_tuple(one.value["columns"])]
        are_values = all(one.value["kind"] == "value" for one in self.tokens)
        return self.task.value["kind"] == "missing_tokens" and self.example is None and are_values and len(columns) == 1

    def count(self, n_examples: int, look: Look) -> None:
        """Note the number of examples, and of the tokens that are frequent enough."""
        self.n_examples = n_examples
        self.n_tokens = sum(n_tokens(one.value, look.frame, look.is_whole, self.min_count) for one in self.tokens)


def shape(look: Look) -> Shape:
    """What the source seems to be for."""
    if look.delimiter is not None:
        return _lists(look, look.delimiter)
    profiles = {name: profile(look.frame[name]) for name in look.frame.columns}
    places = numbered(look.frame, profiles.values())
    alone = {name: one for name, one in profiles.items() if not any(name in names for names in places)}
    may_be_amounts = look.frame.width > (_NAMELESS if "columns" in look.source else 2)
    pair = pair_of(look.frame, alone, may_be_amounts)
    found = _pairs(look, profiles, *pair) if pair is not None else _rows(look, profiles, places)
    if found.has_single_tokens and (pair := pair_of(look.frame, alone, may_be_amounts, needs_hints=False)) is not None:
        found = _pairs(look, profiles, *pair)
    if "format" in look.source and look.source["format"].value == "documents":
        found.example = Guess("file", "each is a text of its own")
    found.time = times(look.frame, profiles.values())
    if found.example is None:
        found.group = _group(profiles, found)
    return found


def _group(profiles: dict[str, Profile], found: Shape) -> Guess | None:
    """The column whose rows belong together in the split."""
    name = groups(one for one in profiles.values() if one.name != found.task.value.get("target"))
    if name is None:
        return None
    each = profiles[name].n / profiles[name].n_different
    if name in [column for one in found.tokens for column in as_tuple(one.value["columns"])]:
        return Guess(None, f"to test on another {name} than those that are known", name)
    return Guess(name, f"the rows of a {name}, {each:.1f} on average, resemble each other: all stay on one side")


def _lists(look: Look, delimiter: Guess) -> Shape:
    section = {"kind": "items", "columns": "line", "delimiter": delimiter.value}
    found = Shape(
        Guess({"kind": "missing_tokens"}, "items of a list predict the other items"),
        [Guess(section, f"each line is a list: {delimiter.reason}")],
    )
    found.count(look.frame.height, look)
    return found


def _where(missing: Sequence[Profile]) -> Guess | None:
    """Only the records that have a value in these columns, if many have none."""
    lacking = [one for one in missing if one.missing > _MANY]
    if not lacking:
        return None
    said = " and ".join(f"{one.missing:.0%} of the rows have no {one.name}" for one in lacking)
    return Guess(" and ".join(f"{quoted(one.name)} is not null" for one in lacking), said)


def _pairs(look: Look, profiles: dict[str, Profile], example: str, token: str, otherwise: str) -> Shape:
    frame = look.frame
    each = frame.height / profiles[example].n_different
    section: dict[str, Any] = {"kind": "value", "columns": token}
    label = _label(frame, profiles, token)
    if label is not None:
        section["label"] = label
    found = Shape(
        Guess({"kind": "missing_tokens"}, f"some {token} of a list predict the others"),
        [Guess(section, f"the {profiles[token].n_different:,} values of {token} repeat over the lists")],
        Guess(example, f"rows with the same {example} are one list, of {each:.1f} rows on average", otherwise),
    )
    found.count(profiles[example].n_different, look)
    for one in profiles.values():
        if one.holds in ("numbers", "categories") and one.named("rating", "stars", "score", "bewertung"):
            best = str(frame[one.name].cast(pl.String).drop_nulls().mode().sort().last())
            found.notes.append(f"where: {quoted(one.name)} >= {best}   # only what people like")
    found.where = _where([profiles[example], profiles[token]])
    found.weight = _weight([one for one in profiles.values() if one.name not in (example, token)])
    return found


def _weight(others: Sequence[Profile]) -> Guess | None:
    """The column that may say how much a row counts."""
    able = [one for one in others if one.holds in ("numbers", "ids", "categories") and one.is_positive]
    named = [one.name for hint in OF_WEIGHTS for one in able if one.named(hint) and not one.missing]
    if not named:
        return None
    is_sure = named[0].lower() in ("weight", "gewicht")
    reason = "how much a row counts; without it all count the same"
    return Guess(named[0], reason) if is_sure else Guess(None, reason, named[0])


def _label(frame: pl.DataFrame, profiles: dict[str, Profile], token: str) -> str | None:
    """A column of which each token has one value, and which reads better than the token."""
    for one in profiles.values():
        if one.name == token or not one.named(*OF_LABELS) or one.holds in ("numbers", "dates", "nothing", "lists"):
            continue
        each = frame.group_by(token).agg(pl.col(one.name).drop_nulls().n_unique().alias("n"))["n"]
        if (each <= 1).mean() > 0.95:  # type: ignore[operator]
            return one.name
    return None


def _rows(look: Look, profiles: dict[str, Profile], places: Sequence[list[str]]) -> Shape:
    """Every row is an example."""
    wide = indicators(profiles.values(), "columns" not in look.source)
    in_lists = {*wide, *(name for names in places for name in names)}
    profiles = {name: one for name, one in profiles.items() if name not in in_lists}
    target, why, otherwise = target_of(profiles, bool(in_lists))
    if target is None and wide:
        target, why = unlike(look.frame.columns, profiles)
    usable = [one for one in profiles.values() if one.name != target and one.missing < 0.7]
    usable = [one for one in usable if target is None or not gives_away(one, target)]
    usable = [one for one in usable if not (look.is_whole and hardly_repeats(one, look.frame))]
    in_columns = [Guess({"kind": "indicators", "columns": wide}, _SAYS_SO)] if wide else []
    in_columns += [Guess({"kind": "value", "columns": one, "qualified": False}, _ONE_LIST) for one in places]
    of_cells = tokens(
        [one for one in usable if not in_columns or one.holds in ("texts", "lists", "categories")], target
    )
    made = [*in_columns, *of_cells] if target is not None else in_columns[:1] or of_cells
    found = Shape(Guess({"kind": "missing_tokens"}, "no column looks like something to predict"), made)
    is_of_lists = in_columns or any(one.holds == "lists" for one in usable)
    own = [one.name for one in profiles.values() if one.holds == "row ids" and not one.missing] if is_of_lists else []
    found.example = Guess(own[0], "each row has its own") if own else None
    found.count(look.frame.height, look)
    needed = [profiles[target]] if target is not None else []
    of_tokens = [column for guess in found.tokens for column in as_tuple(guess.value["columns"])]
    if len(of_tokens) == 1 and not wide:
        needed.append(profiles[of_tokens[0]])
    found.where = _where(needed)
    if target is None:
        found.task = found.task._replace(otherwise=otherwise_of(one for one in usable if one.name not in of_tokens))
        return found
    dense = [one.name for one in usable if one.holds == "numbers" or (one.holds == "ids" and one.is_whole)]
    dense = [name for name in dense if name not in of_tokens and not profiles[name].is_an_id][:MOST_FEATURES]
    task: dict[str, Any] = {"kind": "regression", "target": target}
    if is_a_class(profiles[target]) or (wide and profiles[target].n_different <= MOST_CODES_OF_CLASSES):
        task["kind"], found.n_classes = "classification", profiles[target].n_different
    elif not has_a_logarithm(profiles[target]):
        task["log"] = False
    found.task = Guess(task | ({"dense": dense} if dense else {}), why, otherwise)
    return found


def few(found: Shape, is_whole: bool) -> bool:
    """Whether there are so few examples that each is to be held out once."""
    return is_whole and found.n_examples < _FEW
