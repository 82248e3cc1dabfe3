"""What people write for a token -> its integer; what is not known gets suggestions."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import polars as pl

from pipeline.arrays import Array
from pipeline.errors import PipelineError
from pipeline.inference.requests import texts
from pipeline.vocabulary.vocabulary import Vocabulary

Places = Callable[[Sequence[str]], Array]
"""Gives the place of each text; -1 if it has none."""

SUGGESTED_FROM = 50_000
"""Suggestions are labels of this many tokens, the most frequent ones: comparing with all of a million takes seconds."""
MOST_IN_A_DICTIONARY = 100_000
"""Texts whose places are in a dictionary."""
MOST_SUGGESTIONS = 5
"""So many unknown texts of one request get suggestions."""
_SUGGESTED = 3  # labels at most
_ALIKE = 75  # the least score that rapidfuzz, of at most 100, gives a suggestion
_LOOKED_AT = 200
"""So many of the most similar labels are compared word by word: as a whole, a long one has the letters of any word."""


class Unknown(NamedTuple):
    """A text that is no token, and labels that may have been meant."""

    given: str
    suggestions: list[str]


class KnownTokens:
    """Finds tokens by what people write: the token itself, or its label, or either in other letters of upper case."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        """Prepare for a vocabulary."""
        self._integers = vocabulary.by_count
        self._frame = vocabulary.tokens[self._integers]  # among equal labels the most frequent token comes first
        self._names = ["token", "label"] if (self._frame["label"] != self._frame["token"]).any() else ["token"]

    @cached_property
    def _as_written(self) -> list["Places"]:
        """The rows of tokens and labels as they are written."""
        return [places_of(self._frame[name]) for name in self._names]

    @cached_property
    def _in_lower_case(self) -> list["Places"]:
        """The rows of tokens and labels in lower case, made when something is not found as it is written."""
        return [places_of(self._frame[name].str.to_lowercase()) for name in self._names]

    def find(self, given: Sequence[str]) -> Array:
        """(n,) the integer of each text; -1 if it is none. A label that several tokens share is the most frequent."""
        rows = np.full(len(given), -1)
        for lower in (False, True):
            left = np.flatnonzero(rows < 0)
            if not len(left):
                break
            asked = [given[i].lower() if lower else given[i] for i in left.tolist()]
            for places in self._in_lower_case if lower else self._as_written:
                rows[left] = np.where(rows[left] < 0, places(asked), rows[left])
        return np.where(rows < 0, rows, self._integers[rows])

    def one(self, given: str) -> int:
        """The integer of one text; a whole number is taken as a text.

        Raises:
            PipelineError: it is no token; the message has suggestions.
        """
        (given,) = texts([given], "token")
        (integer,) = self.find([given])
        if integer < 0:
            meant = self.suggestions(given)
            raise PipelineError(
                f"{given!r} is not in the vocabulary"
                + (f": did you mean {' or '.join(map(repr, meant))}?" if meant else ", and nothing in it is like it.")
            )
        return int(integer)

    def unknown(self, given: Sequence[str], integers: Array) -> list[Unknown]:
        """The texts that are no token, each once; the first of them with suggestions."""
        texts = dict.fromkeys(text for text, place in zip(given, integers, strict=True) if place < 0)
        return [Unknown(text, self.suggestions(text) if i < MOST_SUGGESTIONS else []) for i, text in enumerate(texts)]

    def suggestions(self, text: str) -> list[str]:
        """Labels that are like a text, the most similar first, of the most frequent tokens."""
        from rapidfuzz import fuzz, process, utils

        asked = utils.default_process(text[:200])
        alike = process.extract(
            asked, self._frequent, scorer=fuzz.WRatio, processor=utils.default_process, limit=_LOOKED_AT
        )
        likeness = {label: (_as_words(asked, utils.default_process(label)), score) for label, score, _ in alike}
        nearest = sorted(likeness, key=lambda label: likeness[label], reverse=True)
        return [label for label in nearest if max(likeness[label]) >= _ALIKE][:_SUGGESTED]

    def beginning(self, text: str, most: int = 10) -> list[int]:
        """Integers of the tokens whose labels have a text in them, at the start of the label or of a word first."""
        label = pl.col("label").str.to_lowercase()
        sought = text.lower().strip()
        if not sought:
            return [int(i) for i in self._integers[:most]]
        rank = pl.when(label.str.starts_with(sought)).then(0).when(label.str.contains(f" {sought}", literal=True))
        rows = (
            self._frame.lazy()
            .with_row_index("place")
            .filter(label.str.contains(sought, literal=True))
            .with_columns(rank=rank.then(1).otherwise(2))
            .sort("rank", "place")
            .head(most)
            .collect()
        )
        return [int(i) for i in self._integers[rows["place"].to_numpy()]]

    @cached_property
    def _frequent(self) -> list[str]:
        return self._frame["label"].head(SUGGESTED_FROM).to_list()


def _as_words(asked: str, label: str) -> float:
    """How like a text is to as many words of a label as it has, 0 to 100; of equal ones those at the start count more.

    >>> _as_words("alen", "alien 1979") > _as_words("alen", "talented mr ripley the 1999")
    True
    """
    from rapidfuzz import fuzz

    n, words = len(asked.split()), label.split()
    starts = range(max(len(words) - n, 0) + 1)
    return max(fuzz.token_sort_ratio(asked, " ".join(words[i : i + n])) - (i > 0) for i in starts)


def places_of(texts: pl.Series) -> Places:
    """A function that gives the place of each of some texts, -1 if it has none; of equal texts the first.

    Many texts are found by their hashes, in 16 bytes each; a dictionary, which is faster, takes ten times as much.
    """
    if len(texts) <= MOST_IN_A_DICTIONARY:
        places: dict[str, int] = {}
        for place, text in enumerate(texts.to_list()):
            places.setdefault(text, place)
        return lambda asked: np.array([places.get(text, -1) for text in asked], np.int64)
    hashes = texts.hash().to_numpy()
    order = np.argsort(hashes, kind="stable")
    ascending = hashes[order]

    def find(asked: Sequence[str]) -> Array:
        sought = pl.Series(asked, dtype=pl.String)
        asked_hashes = sought.hash().to_numpy()
        at = np.minimum(np.searchsorted(ascending, asked_hashes), len(ascending) - 1)
        place = order[at]
        return np.where((ascending[at] == asked_hashes) & (texts.gather(place) == sought).to_numpy(), place, -1)

    return find
