"""Whether the first line of a table holds names."""

import pytest

from pipeline.proposal.dialect import names_missing


@pytest.mark.parametrize(
    "lines",
    [
        ["year,inf", "1916,3.2", "1917,4"],
        ["year,nan", "1916,3.2", "1917,4"],
        ["country,2019_20,2020_21", "Chad,3,4.5", "Togo,3,4.7"],
        ["country,2000,2010", "Chad,8300000,11900000", "Togo,4900000,6500000"],
        ["country,2010,2000", "Chad,1,2", "Togo,1950,3"],
    ],
)
def test_years_in_their_order_and_words_that_python_takes_for_numbers_are_names(lines: list[str]) -> None:
    assert names_missing(lines, ",", '"') is None


@pytest.mark.parametrize(
    "lines",
    [
        ["Alien,1979,2003", "Aliens,1986,1987"],  # other years are below
        ["Alien,1979", "Aliens,3"],
        ["Alien,1979,8.5", "Aliens,1986,8.4"],
        ["Alien,1979,1979", "Aliens,7,8"],
    ],
)
def test_other_numbers_are_values(lines: list[str]) -> None:
    assert names_missing(lines, ",", '"') == [f"column_{i + 1}" for i in range(lines[0].count(",") + 1)]
