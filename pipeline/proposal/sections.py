"""The sections of a conf file as they are found, each with its reason."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from pipeline.config.section import as_tuple
from pipeline.proposal.look import Guess, Look
from pipeline.proposal.profile import Profile, is_there
from pipeline.proposal.target import quoted
from pipeline.proposal.tokens import n_tokens

_MANY = 0.005
"""A larger share of records without a value that they need is left out at once: they could not be used."""
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
    parts: Guess | None = None
    """The column that says of each row whether it trains, validates or is tested: a guess with a value, or only with
    what it could be."""
    group: Guess | None = None
    """Which rows resemble each other: a guess with a value, or only with what it could be."""
    duplicates: Guess | None = None
    """The columns that make a record equal to an earlier one, if many are."""
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
        are_values = all(one.value["kind"] == "value" for one in self.tokens)
        is_one = are_values and len(self.columns) == 1
        return self.task.value["kind"] == "missing_tokens" and self.example is None and is_one

    @property
    def columns(self) -> list[str]:
        """The columns of the tokens."""
        return [column for one in self.tokens for column in as_tuple(one.value["columns"])]

    def count(self, n_examples: int, look: Look) -> None:
        """Note the number of examples, and of the tokens that are frequent enough."""
        self.n_examples = n_examples
        self.n_tokens = sum(n_tokens(one.value, look.frame, look.is_whole, self.min_count) for one in self.tokens)


def where(missing: Sequence[Profile]) -> Guess | None:
    """Only the records that have a value in these columns, if many have none."""
    lacking = [one for one in missing if one.missing > _MANY]
    if not lacking:
        return None
    said = " and ".join(f"{one.missing:.0%} of the rows have no {one.name}" for one in lacking)
    return Guess(" and ".join(f"{quoted(one.name)} is not null" for one in lacking), said)


def where_any(frame: pl.DataFrame, columns: Sequence[str]) -> Guess | None:
    """Only the records that have a value in one of these columns, if many have none."""
    share = (frame.height - with_any(frame, columns).height) / max(frame.height, 1)
    if share <= _MANY:
        return None
    known = " or ".join(f"{quoted(name)} is not null" for name in columns)
    return Guess(known, f"{share:.0%} of the rows have none of them")


def with_any(frame: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """The rows that have a value in one of these columns."""
    return frame.filter(pl.any_horizontal(is_there(name, frame.schema[name]) for name in columns))


def few(found: Shape, is_whole: bool) -> bool:
    """Whether there are so few examples that each is to be held out once."""
    return is_whole and found.n_examples < _FEW
