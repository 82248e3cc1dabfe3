"""Which texts are dates and times."""

import polars as pl
import pytest

from pipeline.proposal.moments import are_moments
from pipeline.proposal.profile import profile


@pytest.mark.parametrize(
    "texts",
    [
        *("2016-01-31", "2016/01/31 00:47:36", "2016.1.31", "31.1.2016", "1/31/16 9:05"),
        *(
            "1991 W06",
            "2024-W05",
            "1981 Q1",
            "1960 Jan",
            "Oct-75",
            "6-Aug-09",
            "5 January 2016",
            "Jan 5, 2016",
            "1. Mai 2020",
        ),
        *("Tue, 5 Jan 2016 10:00:00 GMT", "13:35", "9:47:12", "9:05 pm", "11:38:36.25"),
        " 21 Apr 2017 14:20:57 -0500",  # what a comma in a date leaves
    ],
)
def test_dates_and_times_are_moments_however_they_are_written(texts: str) -> None:
    assert are_moments(pl.Series([texts] * 10), has_few=False)


@pytest.mark.parametrize(
    "texts",
    [
        *("Mark 1", "Decker 7", "May", "Marine 12", "2:1", "1980:1", "12 maybe", "2016/1234/1", "31.1.2016x", "W06"),
        *("12 angry men", "7 days", "Augustus 3", "1 marsh", "AB-2016-01-31"),
    ],
)
def test_other_texts_with_numbers_are_none(texts: str) -> None:
    assert not are_moments(pl.Series([texts] * 10), has_few=False)


def test_a_few_periods_are_categories_and_a_few_days_are_dates() -> None:
    months = [f"{month} 2018" for month in ("Jan", "Feb", "Mar")] * 100
    assert profile(pl.Series("month", months)).holds == "categories"
    assert profile(pl.Series("quarter", [f"{1900 + i // 4} Q{i % 4 + 1}" for i in range(300)])).holds == "dates"
    assert profile(pl.Series("day", ["2016/01/30", "2016/01/31"] * 100)).holds == "dates"
