"""Tells how the lines of a text are divided: into values of columns, or into items of a list."""

import csv
import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Any

_SEPARATORS = (",", ";", "\t", "|", "::")
_DELIMITERS = (" ", ",", ";", "\t", "|")
_MOST_NUMBERS = 6
_TIME = re.compile(r"\b\d{1,2}:\d{2}:\d{2}\b")
YEAR = re.compile(r"1\d{3}|2[01]\d{2}")


def separator_and_quote(lines: Sequence[str], ending: str) -> tuple[str | None, str | None]:
    """What stands between values, and the quote; None if no character divides most lines into as many values."""
    usual = "\t" if ending in (".tsv", ".tab") else ","
    found: list[tuple[float, int, bool, str, str | None]] = []
    for separator in _SEPARATORS:
        for quote in ('"', None):
            records = _split(lines, separator, quote)
            counts = Counter(len(values) for values in records)
            count, times = counts.most_common(1)[0]
            header = len(records[0])  # its names may have line breaks in them
            share = times / counts.total()
            if count > 1 and share >= 0.8 and header == count:
                found.append((share, count, separator == usual, separator, quote))
    if not found and _is_table_of_numbers(lines):
        return " ", '"'
    if not found:
        one_column = ending in (".csv", ".tsv") and not any(d in line for line in lines for d in (*_SEPARATORS, " "))
        return (usual, '"') if one_column else (None, None)
    best = max(found, key=lambda one: (round(one[0], 1), one[1], one[2], one[4] is not None))
    quoted = [one for one in found if one[3] == best[3] and one[4] is not None]
    return best[3], '"' if quoted and quoted[0][0] >= best[0] - 0.02 else best[4]


def _is_table_of_numbers(lines: Sequence[str]) -> bool:
    """Whether each line has as many numbers as the others, with one blank between them, as lists of edges have."""
    rows = [line.split(" ") for line in lines]
    of_numbers = all(is_number(value) for row in rows[1:] for value in row)
    return len({len(row) for row in rows}) == 1 and 2 <= len(rows[0]) <= _MOST_NUMBERS and len(rows) > 2 and of_numbers


def _split(lines: Sequence[str], separator: str, quote: str | None) -> list[list[str]]:
    """The values of each record of some lines; a record may be several lines."""
    one = separator if len(separator) == 1 else "\x1f"
    text = [line.replace(separator, one) + "\n" for line in lines]
    try:
        quoting: Any = csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE
        return [values for values in csv.reader(text, delimiter=one, quotechar=quote, quoting=quoting) if values]
    except csv.Error:
        return [line.split(separator) for line in lines]


def values(line: str, separator: str, quote: str | None) -> list[str]:
    """The values in a line; [] if it is blank."""
    return next(iter(_split([line], separator, quote)), [])


def names_missing(lines: Sequence[str], separator: str, quote: str | None) -> list[str] | None:
    """Names for the columns of a file whose first line holds values like those below it."""
    rows = _split(lines, separator, quote)
    first = [value.strip() for value in rows[0]]
    below = [row for row in rows[1:] if len(row) == len(first)]
    if len({*first}) == len(first) and not any(_is_a_value(value) for value in first) and all(first):
        return None
    if _are_years(first, below):
        return None
    if any(_TIME.search(value) for value in first):
        return [f"column_{i + 1}" for i in range(len(first))]
    numbers = [bool(below) and all(is_number(row[i]) for row in islice(below, 50)) for i in range(len(first))]
    if not any(is_number and _is_a_value(value) for is_number, value in zip(numbers, first, strict=True)):
        return None  # a name may be missing or stand there twice, and still be a name
    usual = ("user", "item", "rating", "time")
    are_ratings = len(first) in (2, 3, 4) and all(numbers[:2])
    return [usual[i] if are_ratings else f"column_{i + 1}" for i in range(len(first))]


def _is_a_value(text: str) -> bool:
    """Whether a text is a number or a time of day, which no column is named after; one of inflation may be `inf`."""
    return (is_number(text) and math.isfinite(_number(text))) or _TIME.search(text) is not None


def _are_years(first: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether the numbers of a first line are years in their order, and so names: those below are others."""
    places = [i for i, value in enumerate(first) if is_number(value)]
    years = [first[i] for i in places if YEAR.fullmatch(first[i])]
    in_order = len({*years}) == len(years) and sorted(years) in (years, years[::-1])
    others = any(not YEAR.fullmatch(row[i].strip()) for row in below for i in places)
    return len(places) == len(years) > 1 and in_order and others


def is_number(text: str) -> bool:
    """Whether a text is a number, with a point or a comma before its decimals."""
    try:
        _number(text)
    except ValueError:
        return False
    return "_" not in text  # such as 2019_20, which Python takes for a number


def _number(text: str) -> float:
    return float(text.strip().replace(",", "."))


def delimiter(lines: Sequence[str]) -> tuple[str, float]:
    """What separates the items of lines that are lists, and into how many items it divides a line on average."""
    items = {one: sum(len([item for item in line.split(one) if item.strip()]) for line in lines) for one in _DELIMITERS}
    with_space = max(items, key=lambda one: items[one])
    best = max((one for one in _DELIMITERS if one != " "), key=lambda one: items[one])
    # items may be of several words, but then something else stands between them on most lines
    chosen = best if items[best] > 1.5 * len(lines) else with_space
    return chosen, items[chosen] / len(lines)
