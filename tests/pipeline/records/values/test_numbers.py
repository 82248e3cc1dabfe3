import math

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.records.values.numbers import ColumnMarks, Decimal, Marks, numbers_of


def read(text: str | None, decimal: Decimal = ".") -> float | None:
    """One text as a number."""
    found: float | None = numbers_of(pl.Series([text], dtype=pl.String), decimal).item()
    return found


@pytest.mark.parametrize(
    ("text", "number"),
    [("$1,145.00", 1145.0), (" 70 % ", 70.0), ("-3e2", -300.0), ("€ 12", 12.0), ("1,234,567", 1234567.0),
     ("USD 1,200", 1200.0), ("1 200.5 EUR", 1200.5), ("1'200", 1200.0), ("\u22125", -5.0), ("12,34,567", 1234567.0),
     ("250 kr", 250.0), ("CHF 1'200.\u2013", 1200.0), ("12.-", 12.0), ("1,145", 1145.0), ("($1,145.00)", -1145.0),
     ("(383.03)", -383.03), ("True", 1.0), ("FALSE", 0.0), (None, None)],
)  # fmt: skip
def test_a_number_with_a_decimal_point_is_read_as_people_write_it(text: str | None, number: float | None) -> None:
    assert read(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [("1.145,00 €", 1145.0), ("0,421", 0.421), ("73508,52", 73508.52), ("42.115", 42115.0), ("1.234.567", 1234567.0),
     ("12", 12.0), ("-0,5", -0.5), ("1.200,-", 1200.0), ("1 200,5", 1200.5), (",5", 0.5), ("(1.145,00 €)", -1145.0)],
)  # fmt: skip
def test_a_number_with_a_decimal_comma_is_read_as_people_write_it(text: str, number: float) -> None:
    assert read(text, ",") == number


@pytest.mark.parametrize(
    ("text", "decimal"),
    [("cheap", "."), ("1,5", "."), ("1.145,00", "."), ("12 km", "."), ("1.5", ","), ("1,145.00", ","), ("", "."),
     ("1,2,3", ","), ("EUR", "."), ("(12", "."), ("(cheap)", "."), ("(-5)", ".")],
)  # fmt: skip
def test_a_text_that_is_no_number_of_its_column_is_none(text: str, decimal: Decimal) -> None:
    assert math.isnan(read(text, decimal) or 0)


@given(text=st.text("0123456789.,-+eEinfa()_", max_size=8), decimal=st.sampled_from([".", ","]))
@example("1.145", ",")
@example("1e5", ",")
@example("0.-", ".")
def test_a_plain_number_is_read_as_one_with_a_mark_between_thousands(text: str, decimal: Decimal) -> None:
    assert read(text, decimal) == pytest.approx(read(f"'{text}", decimal), nan_ok=True)


@given(
    numbers=st.lists(st.floats(-1e9, 1e9).map(lambda x: round(x, 2)), min_size=1),
    decimal=st.sampled_from([".", ","]),
    grouped=st.booleans(),
)
def test_a_column_tells_which_mark_stands_before_its_decimals(
    numbers: list[float], decimal: Decimal, grouped: bool
) -> None:
    texts = [f"{number:,.2f}" if grouped else f"{number:.2f}" for number in numbers]
    if decimal == ",":
        texts = [text.translate({ord(","): ".", ord("."): ","}) for text in texts]
    frame = pl.DataFrame({"n": texts})
    for usual in (".", ","):
        assert ColumnMarks().add(frame, ["n"]).decimals(usual) == {"n": decimal}
    found = numbers_of(frame["n"], decimal).to_list()
    assert found == numbers


def test_a_column_that_does_not_tell_is_read_as_the_others() -> None:
    frame = pl.DataFrame({"unclear": ["42,115", "1,500"], "clear": ["0,5", "1"], "nothing": ["1", "2"]})
    assert ColumnMarks().add(frame, ["unclear", "nothing"]).decimals(".") == {"unclear": ".", "nothing": "."}
    assert ColumnMarks().add(frame, ["unclear", "clear"]).decimals(".") == {"unclear": ",", "clear": ","}
    assert ColumnMarks().add(frame, ["unclear"]).decimals(",") == {"unclear": ","}
    assert Marks.of(frame["unclear"]) == Marks()
