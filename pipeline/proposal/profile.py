"""What a column holds, by its first values: ids, categories, numbers, texts, lists, dates or addresses."""

import math
import re
from dataclasses import dataclass, replace
from typing import Literal

import polars as pl

from pipeline.config.records import MISSING
from pipeline.proposal.hints import IDS, OF_EXAMPLES, OF_PLACE_AND_TIME, OF_POST, OF_ROWS, WITH_AN_ID, stands_in
from pipeline.proposal.list_delimiter import WORD, delimiter_of
from pipeline.proposal.moments import OF_TIMES, are_moments, are_times
from pipeline.records.tokens.indicators import NO
from pipeline.records.tokens.list_texts import lists
from pipeline.records.values.numbers import Decimal, Marks, numbers_of
from pipeline.records.values.times import SINCE_1970

Holds = Literal["ids", "categories", "numbers", "texts", "lists", "dates", "addresses", "row ids", "nothing"]

_ADDRESS = r"^(https?://|www\.)|^\d{1,3}(\.\d{1,3}){3}$"  # also of a machine, such as 10.0.0.7
_ID = r"^(\p{L}|\p{L}+-)\d+$"  # such as `R12` or `R-12`, which could also be 12 rand, or minus 12
_UUID = r"^\{?[[:xdigit:]]{8}(-[[:xdigit:]]{4}){3}-[[:xdigit:]]{12}\}?$"
_NUMBERED = r"^[\p{L}\d]+([-_./][\p{L}\d]+)*[-_./]\d+$"  # such as `INV-2024-0017`
_UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
_LETTERS_OF_A_WORD = 2
"""About so many letters make a word where nothing stands between words."""
_MOST_CATEGORIES = 60
_WORDS_OF_A_TEXT = 4
_ROWS_OF_LISTS = 2_000
_ROWS_OF_PIECES, _MOST_PIECES, _OF_ONE_LETTER = 20_000, 500, 0.2
_MOST_MARKS = 20
"""Ratings and counts of which most are missing have at most so many different values."""
_ROWS_UNLIKE = 10
"""Where fewer rows, or less than a tenth of few, have another value than most have, a part may have none of them."""


@dataclass(frozen=True)
class Profile:
    """A column, by its first values."""

    name: str
    holds: Holds
    n: int
    """Number of values that are not missing."""
    n_different: int
    missing: float
    """Share of the rows without a value."""
    decimal: Decimal = "."
    delimiter: str | None = None
    """What separates the items of a list; None for lists that JSON, Python or PostgreSQL writes, and list columns."""
    is_whole: bool = False
    """Whether all numbers are whole, or all items of the lists whole numbers."""
    is_positive: bool = False
    """Whether all numbers are above 0."""
    words: float = 0.0
    """Mean number of words of a text."""
    is_indicator: bool = False
    """Whether it may say which rows have what its name says: numbers, most of them 0 or missing; or a mark."""
    may_indicate: bool = False
    """Whether it could say so among columns that do, though most rows have it."""
    is_spelled: bool = False
    """Whether a text is a list of few short pieces with blanks between them, such as phonemes, and no sentence."""
    is_unspaced: bool = False
    """Whether a text is in a script that has nothing between words, such as Chinese."""
    low: float = math.nan
    high: float = math.nan
    """The lowest and the highest number."""
    leans: bool = False
    """Whether numbers above 0 lie farther above their middle than below it, as prices do, and no percentages."""
    hardly_varies: bool = False
    """Whether nearly all rows have the same value, so that nothing can be learned about the others."""

    @property
    def is_one_of_two_texts(self) -> bool:
        """Whether it has two values that are texts, such as yes and no."""
        return self.holds == "categories" and self.n_different == 2 and not self.is_whole

    @property
    def is_an_id(self) -> bool:
        """Whether its name says that its numbers tell things apart, and measure nothing; `paid` does not."""
        *_, last = ["", *self._parts]
        if last in {*IDS, *OF_POST, *OF_EXAMPLES, "subject"} or last.endswith(("number", "nummer", "code")):
            return True
        word = next((part for part in reversed(self._parts) if not part.isdigit()), "")  # of `schoolid3` too
        return (word.endswith("id") and word[:-2] in WITH_AN_ID) or self.named(*OF_POST)

    @property
    def is_place_or_time(self) -> bool:
        """Whether its name says that its numbers are parts of a place or time; `minutes` may be a duration.

        A sentence, such as `Will you stay next year?`, does not.
        """
        return len(self._parts) <= _WORDS_OF_A_TEXT and not {*self._parts}.isdisjoint(OF_PLACE_AND_TIME)

    @property
    def _parts(self) -> list[str]:
        """The words of its name, in lower case."""
        return [part.lower() for part in re.findall(r"[A-Z]?[a-zäöüß]+|[A-Z]+(?![a-z])|\d+", self.name)]

    def named(self, *hints: str) -> bool:
        """Whether the column's name has one of these words in it, or is one of a single letter: `pos_y` is not `y`."""
        joined = re.sub(r"[^a-zäöüß]", "", self.name.lower())
        words = {part for part in self._parts if len(part) > 1 or part == self.name.lower()}
        return not words.isdisjoint(hints) or any(len(hint) > 4 and stands_in(hint, joined) for hint in hints)


def is_there(name: str, dtype: pl.DataType) -> pl.Expr:
    """Whether the value of a column is there, and is no text that stands for a missing one."""
    is_full = pl.col(name).is_not_null()
    return is_full & ~pl.col(name).is_in(MISSING) if dtype == pl.String else is_full


def profile(column: pl.Series) -> Profile:
    """What a column holds."""
    n_rows = max(len(column), 1)
    column = column.to_frame().filter(is_there(column.name, column.dtype)).to_series()
    found = _profile(column, n_rows)
    if not 2 <= found.n_different <= _ROWS_UNLIKE:
        return found
    n_unlike = found.n - int(_number(column.unique_counts().max()))
    return replace(found, hardly_varies=n_unlike < min(_ROWS_UNLIKE, found.n / 10))


def _profile(column: pl.Series, n_rows: int) -> Profile:
    """What a column without its missing values holds, of so many rows with them."""
    name, n, missing = column.name, len(column), 1 - len(column) / n_rows
    if not n:
        return Profile(name, "nothing", 0, 0, 1.0)
    if isinstance(column.dtype, pl.List | pl.Array):
        inner = column.dtype.inner
        holds: Holds = "nothing" if inner.is_float() or inner.is_nested() else "lists"  # amounts are no tokens
        return Profile(name, holds, n, n, missing, is_whole=inner.is_numeric())
    if column.dtype.is_nested() or column.dtype == pl.Binary:
        return Profile(name, "nothing", n, 0, missing)
    n_different = column.n_unique()
    if n_different == 1:
        return Profile(name, "nothing", n, 1, missing, is_indicator=missing > 0.5)
    if column.dtype.is_temporal():
        return Profile(name, "dates", n, n_different, missing)
    if column.dtype == pl.Boolean:
        is_indicator = _share(column) < 0.5
        return Profile(name, "categories", n, n_different, missing, is_indicator=is_indicator, may_indicate=True)
    if column.dtype.is_numeric():
        return _of_numbers(name, column.cast(pl.Float64).fill_nan(None), ".", n_different, missing)
    if _share(column.str.contains(_ID)) > 0.99 or column.str.to_lowercase().is_in(("true", "false")).all():
        return _of_texts(name, column, n_different, missing)
    decimal = Marks.of(column).decimal(".")
    numbers = numbers_of(column, decimal)
    if _share(numbers.is_nan()) <= 0.01 and _share(column.str.contains(r"^0\d")) <= 0.01:
        return _of_numbers(name, numbers.fill_nan(None), decimal, n_different, missing)
    return _of_texts(name, column, n_different, missing)


def _of_numbers(name: str, numbers: pl.Series, decimal: Decimal, n_different: int, missing: float) -> Profile:
    values = numbers.drop_nulls()
    n = len(values)
    is_whole = bool((values % 1 == 0).all())
    low, high = _number(values.min()), _number(values.max())
    are_seconds = SINCE_1970[0] <= low and high <= SINCE_1970[1] and n_different > 0.05 * n
    dates = Profile(name, "dates", n, n_different, missing)
    if is_whole and (are_seconds or (dates.named(*OF_TIMES) and are_times(values))):
        return dates
    holds: Holds = "numbers"
    if is_whole and low >= 0:
        rises = n > 20 and _share(values.diff().drop_nulls() > 0) > 0.9
        counts_rows = n > 20 and high - low < 2 * n  # in any order: drawn by chance, some would be the same
        if n_different == n and (rises or counts_rows or name.lower() in OF_ROWS):
            holds = "row ids"
        elif n_different > _MOST_CATEGORIES:
            holds = "ids"
    is_rare = _share(values == 0) > 0.5 if low == 0 else low > 0 and missing > 0.5 and n_different <= _MOST_MARKS
    return Profile(
        name, holds, n, n_different, missing, decimal, None, is_whole, low > 0,
        is_indicator=is_rare, may_indicate=low == 0 or (low > 0 and missing > 0), low=low, high=high,
        leans=low > 0 and _lean(values) + _lean(values.log()) > 0,
    )  # fmt: skip


def _lean(values: pl.Series) -> float:
    """How much farther the upper tenth begins above the median than the lower tenth below it, from -1 to 1.

    Of 1, 2 and 7 it is (7 - 2) - (2 - 1), of 7 - 1: 0.67. (Kelley's skewness, which no outlier moves.)
    """
    lower, middle, upper = (_number(values.quantile(share, "linear")) for share in (0.1, 0.5, 0.9))
    return (lower + upper - 2 * middle) / (upper - lower) if upper > lower else 0.0


def _of_texts(name: str, column: pl.Series, n_different: int, missing: float) -> Profile:
    n = len(column)

    def share(pattern: str) -> float:
        return _share(column.str.contains(pattern))

    has_few = n_different <= max(_MOST_CATEGORIES, 0.02 * n) and n_different < 0.5 * n
    if are_moments(column, has_few):
        return Profile(name, "dates", n, n_different, missing)
    if share(_ADDRESS) > 0.9:
        return Profile(name, "addresses", n, n_different, missing)
    if share(_UUID) > 0.9 or (n_different == n and share(_NUMBERED) > 0.99):
        return Profile(name, "row ids" if n_different == n and n > 20 else "ids", n, n_different, missing)
    if share(r"^\s*[\[{]") > 0.9 and _are_lists(column.head(_ROWS_OF_LISTS)):
        return Profile(name, "lists", n, n_different, missing)
    words = _mean(column.str.count_matches(WORD))
    unspaced = _mean(column.str.count_matches(_UNSPACED))
    is_unspaced = unspaced > 0.5 * _mean(column.str.len_chars())
    words = max(words, unspaced / _LETTERS_OF_A_WORD) if is_unspaced else words
    delimiter = delimiter_of(column, words) if share(r"^\s*\[") < 0.5 else None
    if delimiter is not None:
        return Profile(name, "lists", n, n_different, missing, ".", delimiter)
    if words >= _WORDS_OF_A_TEXT and n_different > 0.3 * n:
        spelled = _is_spelled(column)
        return Profile(name, "texts", n, n_different, missing, words=words, is_spelled=spelled, is_unspaced=is_unspaced)
    if has_few:
        says_no = _share(column.str.to_lowercase().is_in(NO)) if n_different == 2 else 0.0
        is_rare, is_known = 0.5 < says_no < 1, 0 < says_no < 1
        return Profile(name, "categories", n, n_different, missing, is_indicator=is_rare, may_indicate=is_known)
    if n_different == n and n > 20:
        return Profile(name, "texts" if words > 1.5 else "row ids", n, n_different, missing, words=words)
    return Profile(name, "ids", n, n_different, missing, words=words)


def _are_lists(texts: pl.Series) -> bool:
    """Whether texts in brackets are lists; an id in braces is none."""
    in_braces = texts.str.contains(r"^\s*\{")
    several = texts.filter(in_braces).str.contains(",", literal=True)
    return _share(lists(texts).is_not_null()) > 0.9 and (_share(in_braces) < 0.1 or _share(several) > 0.3)


def _is_spelled(column: pl.Series) -> bool:
    """Whether texts are few short pieces with blanks between, many of a single letter: words would lose those."""
    pieces = column.head(_ROWS_OF_PIECES).str.split(" ").explode().drop_nulls()
    return pieces.n_unique() <= _MOST_PIECES and _share(pieces.str.len_chars() == 1) > _OF_ONE_LETTER


def _share(holds: pl.Series) -> float:
    """The share of the rows for which something holds."""
    return float(holds.sum()) / max(len(holds), 1)


def _mean(numbers: pl.Series) -> float:
    return float(numbers.sum()) / max(len(numbers), 1)


def _number(value: object) -> float:
    assert isinstance(value, int | float)
    return float(value)
