"""Tells which columns of texts are numbers with a unit, such as `109 m²`, and no names, such as `12A` and `42 EU`."""

import dataclasses
import re
from collections.abc import Container

import polars as pl

from pipeline.config.records import MISSING
from pipeline.proposal.look import Guess, Look
from pipeline.proposal.moments import are_moments
from pipeline.records.values.missing import NO_NUMBERS
from pipeline.records.values.numbers import Marks, numbers_of
from pipeline.records.values.units import Units, is_passed_over, same, taken_apart

_KNOWN = (
    "m²", "m³", "km²", "cm²", "mm²", "ha", "acre", "sqft", "sqm", "hectare", "hektar", "ar", "mm", "cm", "dm", "km",
    "m", "in", "inch", "ft", "yd", "mi", "mile", "meter", "metre", "μm", "nm", "mg", "g", "kg", "t", "lb", "oz",
    "kilo", "gramm", "gram", "ton", "tonne", "pfund", "ml", "cl", "dl", "l", "liter", "litre", "gal", "hl", "c", "f",
    "k", "kelvin", "grad", "%", "‰", "ppm", "ppb", "vol.-%", "vol%", "s", "ms", "sec", "sek", "min", "h", "hr",
    "hour", "minute", "second", "sekunde", "stunde", "day", "tag", "week", "woche", "month", "monat", "mon", "mo",
    "year", "yr", "jahr", "nacht", "nächte", "night", "uhr", "km/h", "kmh", "kph", "mph", "m/s", "kn", "knot", "rpm",
    "u/min", "bpm", "mpg", "l/100km", "g/km", "hp", "ps", "bhp", "w", "kw", "mw", "gw", "wh", "kwh", "mwh", "v", "kv",
    "mv", "mah", "ah", "ma", "ohm", "ω", "hz", "khz", "mhz", "ghz", "pa", "hpa", "kpa", "mpa", "bar", "mbar", "psi",
    "n", "j", "kj", "mj", "kcal", "cal", "lux", "lm", "db", "b", "kb", "mb", "gb", "tb", "kib", "mib", "gib", "byte",
    "bit", "kbit/s", "mbit/s", "gbit/s", "mbps", "kbps", "gbps", "px", "pixel", "mp", "dpi", "cc", "ccm", "cm³",
    "mg/l", "mg/dl", "mmol/l", "g/l", "μg/m³", "mmhg", "kg/m²", "stück", "pcs", "piece", "zimmer", "room", "person",
    "personen", "punkt", "point", "star", "stern", "bewertung", "mio", "mrd", "tsd", "mio.€", "mrd.€", "tsd.€",
    "mio.eur", "mrd.eur", "tsd.eur", "mn", "bn", "million", "billion",
    "bedroom", "bathroom", "bath", "bed", "guest", "gast", "gäste", "seat", "sitz", "door", "tür", "core", "kern",
    "item", "artikel", "page", "seite", "word", "wort", "wörter", "vote", "rating", "review", "like", "view",
    "follower", "comment", "user", "nutzer", "employee", "mitarbeiter", "people", "child", "children",
    "kind", "kinder", "serving",
)  # fmt: skip
"""Units in small letters and without blanks, as most people write them."""
_FEWEST = 3
"""So many different numbers at least: `36 months` and `60 months` may be names."""
_MOST_NAMES = 60
"""With so many different values a column may be one of names, such as the sizes of packs."""
_MOST_OF, _NEARLY_ALL, _FEW_BAD = 0.9, 0.99, 0.01
_SEPARATED = r"\d\s+[^\d\s]"


def without_several(look: Look) -> tuple[Look, list[str]]:
    """The look without columns whose numbers have several units, and a sentence about each."""
    found = {column.name: _several(_there(column).drop_nulls()) for column in _texts(look)}
    several = {name: units for name, units in found.items() if len(units) > 1}
    notes = [
        f"{name} has numbers in {' and '.join(units)}: write them in one unit to learn from it"
        for name, units in several.items()
    ]
    return dataclasses.replace(look, frame=look.frame.drop(several)), notes


def without_units(look: Look) -> Look:
    """The look with numbers instead of numbers with units, and the setting of `source` that names the units."""
    found = {column.name: _unit(_there(column).drop_nulls()) for column in _texts(look)}
    units = {name: unit for name, unit in found.items() if unit is not None}
    if not units:
        return look
    numbers = (_numbers(_there(look.frame[name]), unit).fill_nan(None).alias(name) for name, unit in units.items())
    guess = Guess(units, "numbers are written with them; another unit is another amount")
    return dataclasses.replace(look, source=look.source | {"units": guess}, frame=look.frame.with_columns(numbers))


def _texts(look: Look) -> list[pl.Series]:
    return look.frame.select(pl.col(pl.String)).get_columns()


def _there(texts: pl.Series) -> pl.Series:
    """Texts without those that stand for a missing number."""
    return texts.set(texts.is_in(MISSING) | texts.str.strip_chars().str.to_lowercase().is_in(NO_NUMBERS), None)


def with_units_of(look: Look, used: Container[str]) -> Look:
    """The look whose setting names the units of these columns only."""
    if "units" not in look.source:
        return look
    guess = look.source["units"]
    units = {column: unit for column, unit in guess.value.items() if column in used}
    others = {key: one for key, one in look.source.items() if key != "units"}
    return dataclasses.replace(look, source=others | ({"units": guess._replace(value=units)} if units else {}))


def _several(texts: pl.Series) -> list[str]:
    """The units of a column whose numbers have several, unless these may be names, such as `500 ml` and `1 l`."""
    units = Units.of(texts)
    often = [unit for unit, n in units.counts.items() if n > _FEW_BAD * units.n and _is_known(unit)]
    are_all = sum(units.counts[unit] for unit in often) >= _MOST_OF * units.n
    may_be_names = not all(map(is_passed_over, often)) and texts.n_unique() <= _MOST_NAMES
    return often if are_all and not may_be_names else []


def _unit(texts: pl.Series) -> str | None:
    """The unit of a column without missing values; None if it has none, or may hold names."""
    units = Units.of(texts)
    unit = units.most
    if unit is None or (is_passed_over(unit) and units.unit is None):
        return None  # such numbers are read anyway
    is_letter = len(unit) == 1 and unit.isalpha()
    if is_letter and texts.str.contains(_SEPARATED).sum() < _NEARLY_ALL * units.n:  # `5G` is a name
        return None
    is_enough = units.counts[unit] >= (_NEARLY_ALL if is_letter else _MOST_OF) * units.n
    if not (is_enough and _is_known(unit)) or are_moments(texts, False):
        return None
    numbers, bare = _numbers(texts, unit), taken_apart(texts)["number"]
    are_numbers = (
        numbers.is_nan().sum() <= _FEW_BAD * units.n and bare.str.contains(r"^0\d").sum() <= _FEW_BAD * units.n
    )
    return unit if are_numbers and numbers.n_unique() >= _FEWEST else None


def _is_known(unit: str) -> bool:
    """Whether a word behind numbers is a unit for sure: `Berlin` behind `10115` is none, and `EU` behind `42`."""
    amount = re.split(r"[ /]", unit)[0]  # of money, such as € per month
    return is_passed_over(amount) or any(same(unit, known) for known in _KNOWN)


def _numbers(texts: pl.Series, unit: str) -> pl.Series:
    return numbers_of(texts, Marks.of(texts.drop_nulls()).decimal("."), unit)
