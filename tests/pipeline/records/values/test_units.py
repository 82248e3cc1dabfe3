"""Numbers with units."""

import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records.values.numbers import Decimal, Marks, numbers_of
from pipeline.records.values.units import ColumnUnits, Units, same, taken_apart


def read(text: str, unit: str, decimal: Decimal = ".") -> float:
    """One text as a number of a column with a unit."""
    return float(numbers_of(pl.Series([text]), decimal, unit).item())


@pytest.mark.parametrize(
    ("text", "unit", "number"),
    [("109 m²", "m²", 109.0), ("109 m2", "m²", 109.0), ("109", "m²", 109.0), ("12kg", "kg", 12.0),
     ("2 Tage", "Tag", 2.0), ("1 day", "days", 1.0), ("-5 °C", "°C", -5.0), ("\u22125 °C", "°C", -5.0),
     ("1,200.5 kWh", "kWh", 1200.5),
     ("$1,200 / month", "$ /month", 1200.0), ("5 sq. ft.", "sqft", 5.0), ("(12) kg", "kg", -12.0),
     ("12 EUR", "€", 12.0), ("12 Euro", "€", 12.0), ("US$ 12", "$", 12.0), ("($12)", "$", -12.0),
     ("12.- Fr", "CHF", 12.0),
     ("3 Mio. €", "Mio. EUR", 3.0), ("5 €/m2", "EUR/m²", 5.0)],
)  # fmt: skip
def test_a_number_is_read_with_its_unit_and_without(text: str, unit: str, number: float) -> None:
    assert read(text, unit) == number


def test_a_fraction_is_no_number_with_a_unit() -> None:
    parts = taken_apart(pl.Series(["5/2", "1/2 m", "3 / 4", "5 km / h", "12 /month"]))
    assert parts.rows() == [("5/2", None), ("1/2 m", None), ("3 / 4", None), ("5", "km / h"), ("12", "/month")]


@pytest.mark.parametrize(
    ("text", "unit"),
    [("12 g", "kg"), ("12 lb", "kg"), ("5 m", "ms"), ("5 mW", "MW"), ("$5", "€"), ("5 %", "kg"), ("5 kg", "kg / month"),
     ("cheap", "kg"), ("12 kg or so it was said", "kg"), ("12 Jan 2024", "Jan"), ("5 kg 3 g", "g")],
)  # fmt: skip
def test_a_number_with_another_unit_is_none(text: str, unit: str) -> None:
    assert math.isnan(read(text, unit))


@given(
    numbers=st.lists(st.floats(-1e9, 1e9).map(lambda x: round(x, 2)), min_size=1),
    decimal=st.sampled_from([".", ","]),
    unit=st.sampled_from(["kg", "m²", "€/m²", "Mio. €", "km/h", "days", "°C", "%", "Zimmer"]),
    between=st.sampled_from(["", " ", "\u00a0"]),
)
def test_a_column_tells_its_unit_and_its_mark_before_decimals(
    numbers: list[float], decimal: Decimal, unit: str, between: str
) -> None:
    texts = pl.Series(
        [f"{n:,.2f}".translate({44: 46, 46: 44} if decimal == "," else {}) + between + unit for n in numbers]
    )
    assert Units.of(texts).most == unit
    assert Marks.of(texts).decimal("." if decimal == "," else ",") == decimal
    assert numbers_of(texts, decimal, unit).to_list() == numbers


@pytest.mark.parametrize(
    ("texts", "unit", "others"),
    [(["5 kg", "7"], None, []), (["5 kg", "7 kg", "8"], "kg", []), (["5 kg", "7 kg", "8 g"], "kg", ["g"]),
     (["1 day", "2 days", "3 Days"], "day", []), (["5", "7"], None, []), (["a", "b"], None, [])],
)  # fmt: skip
def test_a_unit_is_that_of_most_values(texts: list[str], unit: str | None, others: list[str]) -> None:
    units = Units.of(pl.Series(texts))
    assert units.unit == unit
    assert units.others(unit or "") == (others if unit else [*units.counts])


def test_a_currency_or_percent_needs_no_unit_unless_there_are_several() -> None:
    """Such numbers are read anyway, and some values of a column may lack the sign."""
    for texts, unit in (
        (["$5", "7"], None),
        (["5 %", "7%"], None),
        (["$5", "$6", "7 €"], "$"),
        (["5 Euro", "6 €"], "Euro"),
    ):
        assert Units.of(pl.Series(texts)).unit == unit


def test_what_is_counted_does_not_grow_with_the_rows_and_is_the_same_in_any_batches() -> None:
    texts = pl.Series(
        [f"{i} kg" for i in range(500)] + [f"{i} {chr(97 + i % 26)}{chr(97 + i // 26)}q" for i in range(200)]
    )
    whole, parts = Units.of(texts), ColumnUnits()
    for start in range(0, len(texts), 7):
        parts.add(texts[start : start + 7].to_frame("n"), ["n"])
    assert whole.counts == parts["n"].counts
    assert (whole.unit, whole.n, len(whole.counts)) == ("kg", 700, 20)
    assert parts.units({}) == {"n": "kg"}
    assert parts.units({"n": "lb"}) == {"n": "lb"}


@given(st.text("0123456789.,-+ eEkgm²€$%/()A°", max_size=10))
def test_a_plain_number_has_no_unit(text: str) -> None:
    number, unit = taken_apart(pl.Series([text])).row(0)
    assert unit is None or pl.Series([text]).cast(pl.Float64, strict=False).null_count()
    assert (unit is None) == (number == text.strip())


def test_units_that_mean_the_same_are_the_same() -> None:
    assert all(
        same(*pair) for pair in (("KG", "kg"), ("m^2", "qm"), ("room", "rooms"), ("%", "Prozent"), ("Std.", "Stunden"))
    )
    assert not any(same(*pair) for pair in (("m", "m²"), ("kr", "SEK"), ("t", "te"), ("min", "m")))
