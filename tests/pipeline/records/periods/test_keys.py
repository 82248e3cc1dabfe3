import datetime as dt
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records.periods.keys import UNDATED, condition, keys_of, ranges

EVERY = ("day", "week", "month", "year")
TIMES = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1))


def keys(values: Any, every: Any, dtype: Any = None) -> list[str]:
    return keys_of(pl.Series(values, dtype=dtype), every).to_list()


def test_a_date_in_any_form_is_in_one_period() -> None:
    noon = dt.datetime(2024, 3, 31, 12)
    for values in (
        [noon.date()],
        [noon],
        [noon.replace(tzinfo=dt.UTC)],
        ["2024-03-31"],
        [" 2024-03-31T12:00:00Z"],
        ["2024-04-01T01:00+14:00"],
        ["31.03.2024 12:00"],
        ["31/03/2024"],
        ["03/31/2024"],
        ["20240331"],
        [20240331],
        [int(noon.replace(tzinfo=dt.UTC).timestamp())],
        [noon.replace(tzinfo=dt.UTC).timestamp() * 1000],
        [f"{noon.replace(tzinfo=dt.UTC).timestamp():.0f}"],
    ):
        assert [keys(values, every) for every in EVERY] == [["2024-03-31"], ["2024-W13"], ["2024-03"], ["2024"]], values


def test_what_is_no_date_is_in_none() -> None:
    assert keys(["", "soon", "2024", "31.04.2024", "0000-00-00", "9999-12-31", "12", None], "month") == [UNDATED] * 8
    assert keys([2024.0, float("nan"), float("inf"), -1.0, None], "month") == [UNDATED] * 5
    assert keys([dt.date(1, 1, 1), dt.date(9999, 12, 31), None], "week") == [UNDATED] * 3


def test_a_month_is_its_first_day() -> None:
    assert keys(["202403", "2024-03", "03/2024", "Mar 2024", "mars 2024"], "month") == ["2024-03"] * 5
    assert keys([202403, 20240332], "day") == ["2024-03-01", UNDATED]


@given(
    times=st.lists(TIMES, min_size=1, max_size=30),
    every=st.sampled_from(EVERY),
    zone=st.sampled_from([None, "Asia/Tokyo"]),
)
def test_keys_have_the_order_of_time_and_a_scan_for_some_of_them_finds_their_rows(
    times: list[dt.datetime], every: Any, zone: str | None
) -> None:
    frame = pl.DataFrame({"when": [*sorted(times), None]}, schema={"when": pl.Datetime("us")})
    if zone is not None:
        frame = frame.with_columns(pl.col("when").dt.replace_time_zone("UTC").dt.convert_time_zone(zone))
    found = frame.with_columns(keys_of(frame["when"], every).alias("key"))
    assert found["key"].to_list() == sorted(found["key"].to_list())
    for asked in ([found["key"][0]], found["key"].unique().to_list()[:3], [UNDATED]):
        meets = condition(asked, "when", frame.schema["when"])
        assert meets is not None
        assert found.filter(meets).equals(found.filter(pl.col("key").is_in(asked)))


def test_a_span_of_many_periods_is_asked_for_as_a_whole() -> None:
    assert ranges(["2020", "2021", "2024-02", "2024-W01"][:2]) == [(dt.date(2020, 1, 1), dt.date(2022, 1, 1))]
    assert ranges(["2024-W52", "2025-W01"]) == [(dt.date(2024, 12, 23), dt.date(2025, 1, 6))]
    days = [f"2024-{month:02d}-{day:02d}" for month in range(1, 13) for day in range(1, 28, 2)]
    assert ranges(days) == [(dt.date(2024, 1, 1), dt.date(2024, 12, 28))]
    assert ranges([UNDATED]) == []


@pytest.mark.parametrize("dtype", [pl.String(), pl.Int64()])
def test_texts_and_numbers_have_to_be_read_first(dtype: pl.DataType) -> None:
    assert condition(["2024"], "when", dtype) is None
