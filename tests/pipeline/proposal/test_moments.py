"""Which texts are dates and times."""

import polars as pl
import pytest

from pipeline.proposal.moments import are_moments
from pipeline.proposal.profile import profile


@pytest.mark.parametrize(
    "texts",
    [
        *("2016-01-31", "2016/01/31 00:47:36", "2016.1.31", "31.1.2016", "1/31/16 9:05", "2016年1月31日"),
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


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("created_at", [1_700_000_000_000 + 86_400_000 * i for i in range(300)]),
        ("Last Activity", [1_700_000_000_000 + 1_000 * i for i in range(300)]),
        ("event_ts", [1_700_000_000 + i % 9 for i in range(300)]),  # several at once
        ("timestamp", [1_700_000_000_000_000 + i for i in range(300)]),
        ("eventTime", [1_700_000_000_000_000_000 + 1_000 * i for i in range(300)]),
        ("month", [202_301 + i % 12 for i in range(300)]),
        ("Periode", [202_301 + i % 12 for i in range(300)]),
        ("date", [20_240_101 + i % 31 for i in range(300)]),
    ],
)
def test_numbers_that_count_time_are_dates_where_the_name_says_so(name: str, numbers: list[int]) -> None:
    for column in (pl.Series(name, numbers), pl.Series(name, map(str, numbers)), pl.Series(name, numbers, pl.Float64)):
        assert profile(column).holds == "dates"
    assert profile(pl.Series("population", [*numbers, *numbers[:200]])).holds != "dates" or name == "event_ts"


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("barcode", [1_700_000_000_000 + 7 * i for i in range(300)]),
        ("month", [1 + i % 12 for i in range(300)]),
        ("month", [202_301 + i % 13 for i in range(300)]),
        ("day", [20_240_101 + i for i in range(300)]),
        ("time", [90 + i % 200 for i in range(300)]),
        ("date", [120_000 + i for i in range(300)]),
    ],
)
def test_other_numbers_are_no_dates(name: str, numbers: list[int]) -> None:
    assert profile(pl.Series(name, numbers)).holds != "dates"
