"""Tells texts that are lists: short items that repeat, with a mark between them."""

import polars as pl

WORD = r"[\p{L}\p{N}]+"
_MARKS = ("|", ";", ",", " / ")
_REPEATED = 3
"""Each item is there more often than this, on average."""
_WORDS_OF_AN_ITEM, _LONGER = 4, 0.05
"""Items have at most so many words on average. Commas may divide sentences too: then at most this share has more."""
_WORDS_OF_A_TEXT = 40
_IN_BOTH_PLACES = 0.3
"""A larger share of the items of short lists stands both first and later; of `Albany, New York` a smaller one."""


def delimiter_of(column: pl.Series, words: float) -> str | None:
    """The mark between the items of lists; None if the texts are none.

    Args:
        column: the texts.
        words: mean number of words of a text.
    """
    return next((mark for mark in _MARKS if _divides(column, mark, words)), None)


def _divides(column: pl.Series, mark: str, words: float) -> bool:
    if column.str.contains(mark, literal=True).sum() < 0.3 * len(column):
        return False
    items = column.str.split(mark).explode().str.strip_chars()
    per_item = items.str.count_matches(WORD)
    if len(items) <= _REPEATED * items.n_unique() or per_item.sum() > _WORDS_OF_AN_ITEM * len(items):
        return False
    if mark == " / ":
        return _change_places(column.str.split(mark))  # the parts of a path, such as `Audio / Radios`, do not
    if mark != ",":
        return True
    may_be_prose = words >= _WORDS_OF_A_TEXT or (per_item > _WORDS_OF_AN_ITEM).sum() > _LONGER * len(items)
    return not may_be_prose and (len(items) >= 3 * len(column) or _change_places(column.str.split(mark)))


def _change_places(lists: pl.Series) -> bool:
    """Whether many items that stand first in some lists stand later in others; parts of a place keep theirs."""
    several = lists.filter(lists.list.len() > 1)
    first, later = several.list.first().str.strip_chars(), several.list.slice(1).explode().str.strip_chars()
    both, all_of_them = {*first} & {*later}, {*first} | {*later}
    return len(both) > _IN_BOTH_PLACES * len(all_of_them)
