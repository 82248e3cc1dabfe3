"""The names of columns as the files have them enter; names by which a column can be asked for leave."""

import re
from collections import Counter
from collections.abc import Sequence


def is_pattern(name: str) -> bool:
    """Whether Polars takes a name for a pattern, which stands for many columns."""
    return name == "*" or (name.startswith("^") and name.endswith("$"))


def without_name(place: int) -> str:
    """What a column without a name is called, by its place among the columns, counted from 1."""
    return f"column_{place}"


def plain_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names, with another one for each that Polars takes for a pattern.

    >>> plain_names(["^price$", "*", "year", "^year$"])
    ('price', 'column_2', 'year', 'year_')
    """
    taken, found = {*names}, list(names)
    for place, name in enumerate(names):
        if is_pattern(name):
            plain = name.strip("^$")
            plain = without_name(place + 1) if plain in ("", "*") else plain
            while plain in taken:
                plain += "_"
            taken.add(plain)
            found[place] = plain
    return tuple(found)


def names_in_line(values: Sequence[str]) -> tuple[str, ...]:
    r"""The names in the first line of a file: each in one line, without blanks around it, and none twice.

    >>> names_in_line([" user", "item\nnumber", "", "user"])
    ('user', 'item number', 'column_3', 'user_2')
    """
    times: Counter[str] = Counter()
    names: dict[str, None] = {}
    for place, value in enumerate(values, 1):
        plain = re.sub(r"\s*[\r\n]\s*", " ", value.replace("\0", "").strip()) or without_name(place)
        name = plain
        while name in names:
            times[plain] += 1
            name = f"{plain}_{times[plain] + 1}"
        names[name] = None
    return plain_names(tuple(names))
