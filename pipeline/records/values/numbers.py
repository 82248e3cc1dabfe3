"""Reads numbers as people write them: with currencies, percent signs, units, and either mark for decimals.

`1,145` is a thousand in one country and a little more than one in another. One value cannot tell, but a column can.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Self

import polars as pl

from pipeline.records.values.units import CURRENCIES, without, without_unit

Decimal = Literal[".", ","]

_NO_PART_OF_A_NUMBER = rf"^{CURRENCIES}\.?\s*|\s*{CURRENCIES}\.?$|[.,]\p{{Pd}}+$|[\p{{Sc}}\s%'\x{{2019}}]"
_IN_BRACKETS = r"^\(([\d.,]+)\)$"
_AMBIGUOUS = r"^[-+]?[1-9]\d{0,2}%s\d{3}$"
TRUTHS = {"true": 1.0, "false": 0.0}
_DECIMAL = r"^[-+]?\d*%s\d+$|^[-+]?\d{1,3}(%s\d{3})+%s\d*$|^[-+]?\d{1,3}(%s\d{3}){2,}$"


@dataclass(frozen=True)
class Marks:
    """How many texts of a column tell which mark stands before the decimals."""

    point: int = 0
    """Texts in which it can only be a point, such as 0.5 or 1,145.00."""
    comma: int = 0
    """Texts in which it can only be a comma, such as 0,5 or 1.145,00."""

    @classmethod
    def of(cls, texts: pl.Series) -> Self:
        """Count the texts of a column."""
        counts = _bare(without_unit(texts)).to_frame("bare").select(_tells(".", ","), _tells(",", "."))
        return cls(*(int(count or 0) for count in counts.row(0)))

    def __add__(self, other: "Marks") -> "Marks":
        return Marks(self.point + other.point, self.comma + other.comma)

    def decimal(self, usual: Decimal) -> Decimal:
        """The mark before the decimals of this column, `usual` if its texts do not tell."""
        return usual if self.point == self.comma else "." if self.point > self.comma else ","


class ColumnMarks(dict[str, Marks]):
    """The marks of several columns."""

    def add(self, frame: pl.DataFrame, columns: Iterable[str]) -> Self:
        """Count the texts of columns of a frame; itself."""
        for column in columns:
            self[column] = self.get(column, Marks()) + Marks.of(frame[column].drop_nulls())
        return self

    def decimals(self, usual: Decimal, said: Decimal | None = None) -> dict[str, Decimal]:
        """The mark before the decimals of each column: `said`, if conf says it.

        A column whose texts do not tell, such as 1,145, is read as the columns that do; if none does, as `usual`.
        """
        if said is not None:
            return dict.fromkeys(self, said)
        together = sum(self.values(), Marks())
        return {column: marks.decimal(together.decimal(usual)) for column, marks in self.items()}


def numbers_of(texts: pl.Series, decimal: Decimal, unit: str | None = None) -> pl.Series:
    """Texts as float64: null where there is no text, NaN for a text that is no number.

    Currencies, percent signs, blanks and the marks between thousands are passed over: `$1,145.00` is 1145, and so is
    `1.145,00 €` if a comma stands before the decimals. Brackets are the minus of accounts: `(383.03)` is -383.03. True
    and false are 1 and 0.

    >>> numbers_of(pl.Series(["1.145,00 €", "(3)", "true", "cheap", None]), ",").to_list()
    [1145.0, -3.0, 1.0, nan, None]

    Args:
        texts: of a column.
        decimal: the mark before its decimals.
        unit: its unit, such as m². A number may have it or not; one with another unit is none, currencies too.
    """
    # nearly all texts of most columns are plain numbers, which are read several times faster
    numbers = texts.cast(pl.Float64, strict=False)
    is_odd = texts.is_not_null() & numbers.is_null()
    if decimal == ",":
        is_odd |= texts.str.contains(".", literal=True)
    others = is_odd.arg_true()
    if not len(others):
        return numbers
    odd = texts.gather(others)
    different = odd.unique()  # many rows have the same text
    read = _as_written(different if unit is None else without(different, unit), decimal)
    return numbers.scatter(others, odd.replace_strict(different, read))


def _as_written(texts: pl.Series, decimal: Decimal) -> pl.Series:
    """Texts with signs that are no part of a number as float64, NaN for those that are no number."""
    bare = pl.col("bare")
    between = "," if decimal == "." else "."
    grouped = rf"^[-+]?\d{{1,3}}(?:{_escaped(between)}\d{{2,3}})*{_escaped(between)}\d{{3}}(?:{_escaped(decimal)}\d*)?$"
    whole = pl.when(bare.str.contains(grouped)).then(bare.str.replace_all(between, "", literal=True)).otherwise(bare)
    if decimal == ",":
        whole = pl.when(~whole.str.contains(".", literal=True)).then(whole.str.replace(",", ".", literal=True))
    truth = bare.str.to_lowercase().replace_strict(TRUTHS, default=None, return_dtype=pl.Float64)
    read = pl.coalesce(whole.cast(pl.Float64, strict=False), truth, float("nan"))
    return _bare(texts).to_frame("bare").select(read).to_series()


def _bare(texts: pl.Series) -> pl.Series:
    """Texts without what is no part of a number."""
    bare = texts.str.strip_chars().str.replace_all(_NO_PART_OF_A_NUMBER, "").str.replace("\u2212", "-", literal=True)
    has_brackets = bare.str.contains("(", literal=True).any()  # to look takes a tenth of the time of the replacement
    return bare.str.replace(_IN_BRACKETS, "-${1}") if has_brackets else bare


def _tells(decimal: str, between: str) -> pl.Expr:
    """The number of texts that only make sense with this mark before the decimals."""
    bare, mark, other = pl.col("bare"), _escaped(decimal), _escaped(between)
    is_sure = bare.str.contains(_DECIMAL % (mark, other, mark, other)) & ~bare.str.contains(_AMBIGUOUS % mark)
    return is_sure.sum().alias(decimal)


def _escaped(mark: str) -> str:
    return r"\." if mark == "." else mark
