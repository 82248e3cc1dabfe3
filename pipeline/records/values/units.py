"""Takes numbers and their units apart, such as `109 m²`, `12kg` and `EUR 12,50 / month`; a column tells its unit.

`12 kg` and `12 g` are no amounts that can be compared, so a column has one unit. Reading the numbers does not belong
here.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Self
from unicodedata import category

import polars as pl

_SAME = {
    "€": "eur", "euro": "eur", "$": "usd", "us$": "usd", "£": "gbp", "¥": "jpy", "₹": "inr", "rs": "inr", "zł": "pln",
    "kč": "czk", "ft": "huf", "fr": "chf", "₽": "rub", "₺": "try", "₩": "krw", "₴": "uah", "r": "zar",
    "руб": "rub", "грн": "uah", "лв": "bgn", "rp": "idr", "円": "jpy", "元": "cny", "rmb": "cny", "원": "krw",
    "кв.м": "m²", "м²": "m²", "м2": "m²", "㎡": "m²", "кг": "kg", "км": "km", "см": "cm", "мм": "mm", "шт": "stück",
    "m2": "m²", "m^2": "m²", "qm": "m²", "sqm": "m²", "sq.m": "m²", "m3": "m³", "m^3": "m³", "cbm": "m³",
    "km2": "km²", "km^2": "km²", "ft2": "sqft", "ft²": "sqft", "sq.ft": "sqft", "prozent": "%", "percent": "%",
    "pct": "%", "µm": "μm", "mikrometer": "μm", "°c": "c", "°f": "f", "std": "stunde", "st": "stück", "stk": "stück",
}  # fmt: skip
"""Units in small letters and without blanks, and what else means the same."""
_OF_PARTS = {name: same for name, same in _SAME.items() if not name.isalpha()} | {"euro": "eur", "qm": "m²"}
_CODES = (
    "EUR|USD|GBP|CHF|SEK|NOK|DKK|ISK|JPY|CNY|INR|KRW|AUD|CAD|NZD|SGD|HKD|BRL|MXN|ZAR|PLN|CZK|HUF|RON|TRY|RUB|UAH|BGN|"
    "AED|SAR|ILS|PKR|THB|IDR|MYR|VND|TWD"
)
CURRENCIES = rf"(?:(?i:{_CODES}|RMB|kr|kn|zł|Kč|Ft|Fr|Rs|руб|грн|лв|円|元|원)|Rp|R)"
_PASSED_OVER = {*_CODES.lower().split("|"), "kr", "kn", "%"}
_ENDINGS = ("s", "es", "e", "n", "en")
"""What more than one of something has behind its name, as rooms, inches, Tage and Wochen do."""
_SHORTEST_NAME = 3
_TWICE = {"w", "wh", "pa", "hz", "j", "v", "a", "s", "m", "g", "l", "ω"}
"""Units of which a million and a thousandth are told apart by the M alone."""
_MOST, _LONGEST = 20, 24
"""So many units of a column are counted, and so many letters may one have."""

_LETTER = r"\p{L}\p{Sc}°%‰"
_WORD = rf"(?:/|/?[{_LETTER}][{_LETTER}/²³.·^]*[23]?)"  # not the `/2` of `1/2`
_UNIT = rf"{_WORD}(?:\s?{_WORD}){{0,2}}"
_SIGN = r"[-+\x{2212}(]?"
_NUMBER = r"[.,]?\d(?:[\d.,'\x{2019}\s]*\d)?(?:[.,]\p{Pd}+)?"
_PARTS = rf"^({_SIGN})\s*({CURRENCIES}\.?|\p{{Lu}}{{0,2}}\p{{Sc}})?\s*({_SIGN}\s*{_NUMBER}\)?)\s*({_UNIT})?$"
_POWER = r"^[-+]?[\d.,]+[eE]\d$"
_BEHIND = rf"(\d|[.,]\p{{Pd}}+)\s*{_UNIT}$"


def same(one: str, other: str) -> bool:
    """Whether two units are the same, written in two ways.

    >>> same("m2", "m²"), same("€", "EUR"), same("day", "Days"), same("MW", "mW"), same("kg", "g"), same("m", "ms")
    (True, True, True, False, False, False)
    """
    return _key(other, [_plain(one)]) is not None


def is_passed_over(unit: str) -> bool:
    """Whether a unit is a currency or percent, which numbers may have or not."""
    return _plain(unit) in _PASSED_OVER


def _is_read_anyway(unit: str) -> bool:
    """Whether numbers with a unit are read without knowing it."""
    return (
        unit == "%"
        or (category(unit[0]) == "Sc" and len(unit) == 1)
        or re.fullmatch(rf"{CURRENCIES}\.?", unit) is not None
    )


def without_unit(texts: pl.Series) -> pl.Series:
    """Texts without what may be a unit behind a number."""
    return texts.str.replace(_BEHIND, "${1}") if texts.str.contains(r"\d\s*[\p{L}\p{Sc}°/]").any() else texts


def taken_apart(texts: pl.Series) -> pl.DataFrame:
    """A column `number` of texts, and a column `unit`, null for a text without one, or that is no number with one.

    >>> taken_apart(pl.Series(["109 m²", "EUR 12,50 / month", "-5", "cheap"])).rows()
    [('109', 'm²'), ('12,50', 'EUR / month'), ('-5', None), ('cheap', None)]
    """
    bare = texts.str.strip_chars().alias("bare").to_frame()
    parts = bare.select("bare", part=pl.col("bare").str.extract_groups(_PARTS)).unnest("part")
    before, behind = pl.col("2").fill_null(""), pl.col("4").fill_null("")
    unit = (before + pl.when((before != "") & (behind != "")).then(pl.lit(" ")).otherwise(pl.lit("")) + behind).str
    is_one = pl.col("3").is_not_null() & unit.len_chars().is_between(1, _LONGEST) & ~pl.col("bare").str.contains(_POWER)
    return parts.select(
        number=pl.when(is_one).then(pl.col("1").fill_null("") + pl.col("3")).otherwise(pl.col("bare")),
        unit=pl.when(is_one).then(unit.replace_all(r"\s+", " ")),
    )


def is_in(texts: pl.Series, unit: str) -> pl.Series:
    """Whether each text is a number with this unit; null for one without any."""
    return _is(taken_apart(texts)["unit"], unit)


def without(texts: pl.Series, unit: str) -> pl.Series:
    """Texts without this unit; nothing is left of a text with another one."""
    parts = taken_apart(texts)
    return parts["number"].set(~_is(parts["unit"], unit).fill_null(True), "")


def _is(units: pl.Series, unit: str) -> pl.Series:
    are_same = {one: same(unit, one) for one in units.drop_nulls().unique()}
    if not are_same:
        return pl.repeat(None, len(units), dtype=pl.Boolean, eager=True)
    return units.replace_strict(are_same, return_dtype=pl.Boolean)


class Units:
    """How often the numbers of a column have which unit; memory does not grow with the rows."""

    def __init__(self) -> None:
        """Start without texts."""
        self.n = 0
        """Texts that are there."""
        self.counts: dict[str, int] = {}
        """By unit, as it is written first."""
        self._written: dict[str, str] = {}
        self._needed = False
        """Whether a currency, or percent, is written in a way that is not read without knowing it."""

    @classmethod
    def of(cls, texts: pl.Series) -> Self:
        """Those of a column."""
        units = cls()
        units.add(texts)
        return units

    def add(self, texts: pl.Series) -> None:
        """Count the units of some texts."""
        texts = texts.drop_nulls()
        self.n += len(texts)
        odd = texts.filter(texts.cast(pl.Float64, strict=False).is_null())
        odd = odd.filter(odd.str.contains(f"[{_LETTER}]"))  # to look takes a tenth of the time of taking apart
        if not len(odd):
            return
        different = odd.to_frame("text").group_by("text", maintain_order=True).len("n")  # many rows have the same text
        units = taken_apart(different["text"]).with_columns(different["n"]).drop_nulls("unit")
        for unit, n in units.group_by("unit", maintain_order=True).agg(pl.col("n").sum()).iter_rows():
            key = _key(unit, self._written)
            if key is None and len(self.counts) < _MOST:
                key = _plain(unit)
                self._written[key], self.counts[unit] = unit, 0
            if key is not None:
                self.counts[self._written[key]] += n
                self._needed |= is_passed_over(unit) and not _is_read_anyway(unit)

    @property
    def most(self) -> str | None:
        """The most frequent unit."""
        return max(self.counts, key=lambda unit: self.counts[unit]) if self.counts else None

    @property
    def unit(self) -> str | None:
        """The unit of the column; None where none has to be known to read it.

        That is so without units, and where all units are one currency, or percent, with which numbers are read anyway.
        What less than half of the texts have is no unit of the column.
        """
        unit = self.most
        if unit is None or not is_passed_over(unit):
            return unit if unit is not None and 2 * self.counts[unit] > self.n else None
        return unit if self._needed or sum(map(is_passed_over, self.counts)) > 1 else None

    def others(self, unit: str) -> list[str]:
        """The units that are another one than this."""
        return [other for other in self.counts if not same(unit, other)]


class ColumnUnits(dict[str, Units]):
    """The units of several columns."""

    def add(self, frame: pl.DataFrame, columns: Iterable[str]) -> Self:
        """Count the units of columns of a frame; itself."""
        for column in columns:
            self.setdefault(column, Units()).add(frame[column])
        return self

    def units(self, said: Mapping[str, str]) -> dict[str, str]:
        """The unit of each column that has one: `said`, if conf says it."""
        found = {column: said.get(column) or units.unit for column, units in self.items()}
        return {column: unit for column, unit in found.items() if unit is not None}


def _plain(unit: str) -> str:
    """A unit in the way in which all that mean the same are written, but for their endings."""
    bare = "".join(unit.split()).rstrip(".")
    low = bare.lower()
    parts = (part for part in re.split(r"(/)| ", unit.lower().rstrip(".")) if part)
    low = _SAME[low] if low in _SAME else "".join(_OF_PARTS.get(part, part) for part in parts)
    return f"M{low[1:]}" if bare.startswith("M") and low[1:] in _TWICE else low


def _key(unit: str, among: Iterable[str]) -> str | None:
    """Which of some plain units this one is; None if it is another."""
    plain = _plain(unit)
    if plain in among:
        return plain
    if len(plain) < _SHORTEST_NAME:
        return None
    longer = (plain + ending for ending in _ENDINGS)
    shorter = (plain.removesuffix(ending) for ending in _ENDINGS if plain.endswith(ending))
    shorter = (name for name in shorter if len(name) >= _SHORTEST_NAME)
    return next((name for name in (*longer, *shorter) if name in among), None)
