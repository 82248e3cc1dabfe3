"""Tells how many lines stand above the names of a table's columns, such as a title in a spreadsheet."""

from collections.abc import Sequence
from statistics import mode

from pipeline.proposal.dialect import YEAR, is_number

LOOKED_AT = 40
"""Rows of a sheet that are looked at."""
_MOST = 20
"""Lines above the names, at most."""
_FEWEST = 2
"""Rows below the names, at least."""
_ALIKE = 0.9
"""Share of the rows below the names that have as many values, at least."""


def n_above_names(rows: Sequence[Sequence[str]]) -> int:
    """How many of the first rows stand above the row with the names; 0 if none does, or if that cannot be told.

    >>> n_above_names([["Sales of 2024"], [], ["item", "kind", "price"], *[["pen", "red", "2"]] * 9])
    2
    >>> n_above_names([["", "kind", "price"], *[["0", "red", "2"]] * 9])
    0

    Args:
        rows: the values in each line, blank lines among them.
    """
    if not rows:
        return 0
    filled = [sum(bool(value.strip()) for value in row) for row in rows]
    width = mode(len(row) for row in rows[len(rows) // 2 :])
    above = next((i for i, n in enumerate(filled) if n > width / 2), 0)
    if width < 2 or not 0 < above <= _MOST or not any(filled[:above]):
        return 0
    titles, names = rows[:above], [value.strip() for value in rows[above]]
    below = [row for row in rows[above + 1 :] if len(row) == width]
    is_table = len(below) >= max(_ALIKE * (len(rows) - above - 1), _FEWEST)
    if not is_table or len(names) != width or not _are_names(names, below):
        return 0
    # a first line of names may lack some, or be that of a column of lists
    begin = all(row[0].strip() for row in titles if any(row))
    are_apart = width > 2 or any(len(row) < width or not n for row, n in zip(titles, filled, strict=False))
    are_words = all(n <= 1 for n in filled[:above]) and any(not any(row) or " " in row[0].strip() for row in titles)
    return above if begin and are_apart and (are_words or _tell_numbers(names, below)) else 0


def _are_names(names: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether the values of a row differ from those below it, and are no numbers above numbers, but for years."""
    known = [name for name in names if name]
    values = [name for name, column in zip(names, zip(*below, strict=True), strict=False) if _are_numbers(column)]
    if any(is_number(name) and not YEAR.fullmatch(name) for name in values):
        return False
    return len({*known}) == len(known) and {*known}.isdisjoint(value.strip() for row in below for value in row)


def _tell_numbers(names: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether some column of numbers has a name that is none, or that is a year where the numbers are not."""
    columns = [(name, column) for name, column in zip(names, zip(*below, strict=True), strict=False) if name]
    return any(
        _are_numbers(column) and (not is_number(name) or not all(YEAR.fullmatch(value) for value in column if value))
        for name, column in columns
    )


def _are_numbers(column: Sequence[str]) -> bool:
    known = [value for value in column if value.strip()]
    return bool(known) and all(is_number(value) for value in known)
