import datetime as dt
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import polars as pl
import pytest

from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.errors import PipelineError
from pipeline.records.ingest import ingest
from pipeline.records.records import Records
from pipeline.records.values.times import in_words, time

AT = dt.datetime(2024, 3, 31, 23, 59)
US = AT.replace(tzinfo=dt.UTC).timestamp() * 1e6
DAY = dt.datetime(2024, 3, 31, tzinfo=dt.UTC).timestamp() * 1e6
HERE = dt.timezone(dt.timedelta(hours=2))


@pytest.fixture
def read(write_conf: Callable[..., Path], tmp_path: Path) -> Callable[..., tuple[Dataset, Records]]:
    """Read a column `at` that says when, from a file of Parquet or of CSV; the other column is `word`."""

    def make(values: pl.Series, ending: str = "parquet", **source: Any) -> tuple[Dataset, Records]:
        frame = pl.DataFrame({"word": [f"w{i}" for i in range(len(values))], "at": values})
        path = tmp_path / f"records.{ending}"
        frame.write_parquet(path) if ending == "parquet" else frame.write_csv(path)
        settings = {
            "description": "d",
            "source": {"path": str(path), **source},
            "tokens": [{"kind": "words", "columns": "word"}],
            "split": {"time": "at"},
            "task": {"kind": "missing_tokens"},
            "dimensions": [2],
        }
        conf = load(write_conf("some", settings))
        return conf, ingest(conf, tmp_path / "conf", Path(mkdtemp(dir=tmp_path)) / "read")

    return make


def times(records: Records) -> list[float]:
    frame = records.frame
    return frame.select(time("at", frame.collect_schema())).collect().to_series().to_list()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (pl.Series([AT]), US),
        (pl.Series([AT], dtype=pl.Datetime("ms")), US),
        (pl.Series([AT], dtype=pl.Datetime("ns")), US),
        (pl.Series([AT.replace(tzinfo=HERE)]), US - 2 * 3600e6),
        (pl.Series([AT.date()]), DAY),
        (pl.Series([2024]), 2024.0),
        (pl.Series([1711929540.5]), 1711929540.5),
    ],
)
def test_a_time_is_read_from_any_column_that_can_hold_one(
    read: Callable[..., Any], value: pl.Series, expected: float
) -> None:
    assert times(read(value)[1]) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-03-31", DAY),
        (" 2024-03-31 ", DAY),
        ("2024-03-31 23:59", US),
        ("2024-03-31T23:59:00", US),
        ("2024-03-31T23:59:00.25Z", US + 25e4),
        ("2024-04-01 01:59:00+02:00", US),
        ("2024-04-01T01:59:00+0200", US),
        ("2024-03-31 23:59:00 UTC", US),
        ("31.3.2024, 23:59 Uhr", US),
        ("31/03/2024 23:59", US),
        ("3/31/2024 11:59 PM", US),
        ("3/31/24, 11:59\u202fPM", US),
        ("31/3/2024 12:00 a. m.", DAY),
        ("31 Mar 2024, 23:59", US),
        ("March 31st, 2024 at 11:59PM", US),
        ("31. März 2024", DAY),
        ("dimanche 31 mars 2024", DAY),
        ("31 de marzo de 2024", DAY),
        ("31-MAR-24 11.59.00.25 PM", US + 25e4),
        ("Sun, 31 Mar 2024 23:59:00 GMT", US),
        ("Sun Mar 31 23:59:00 +0000 2024", US),
        ("Mon Apr 01 2024 01:59:00 GMT+0200 (Central European Summer Time)", US),
        ("2024-03-31 15:59:00 PST", US),
        ("20240331T235900Z", US),
        ("2024/03/31 23:59", US),
        ("2024-03-31 23:59:00,250", US + 25e4),
        ("2024年3月31日 23:59", US),
        ("2024년 3월 31일", DAY),
        ("1711929540", 1711929540.0),
        ("2024.5", 2024.5),
    ],
)
def test_texts_are_read_as_dates_or_as_numbers(read: Callable[..., Any], text: str, expected: float) -> None:
    assert times(read(pl.Series([text]), "csv")[1]) == [expected]


def test_a_record_without_a_time_is_in_quarantine(read: Callable[..., Any]) -> None:
    texts = ["2024-03-31", "31/04/2024", "NA", "1711929540", "2024-02-30", "2024-04-01"]
    _, records = read(pl.Series(texts), "csv", max_bad_share=1)
    assert times(records) == [DAY, DAY + 86400e6]
    why = "is no time such as 2024-03-31 or 2024-03-31T23:59:59"
    assert records.quarantine.select("line", "column", "reason").rows() == [
        (3, "at", why),
        (4, "at", "is missing"),
        (5, "at", why),  # most of the column are dates, so a number is none
        (6, "at", why),
    ]


def test_numbers_that_are_none_are_in_quarantine(read: Callable[..., Any]) -> None:
    _, records = read(pl.Series([2024.0, float("inf"), float("nan")]), max_bad_share=1)
    assert records.quarantine["reason"].to_list() == ["is not finite", "is missing"]


def test_a_column_of_other_dates_says_what_to_do(read: Callable[..., Any]) -> None:
    with pytest.raises(PipelineError, match=r"at: is no time such as 2024-03-31 .*\. Write times like that, or all of"):
        read(pl.Series(["soon", "31. Movember 2024"]), "csv")


def test_a_date_that_tells_whether_the_day_is_first_tells_it_of_the_whole_column(
    read: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.records.source.streams.BLOCK", 40)
    for late, second in (("3/31/2024", dt.date(2024, 3, 1)), ("31/3/2024", dt.date(2024, 1, 3))):
        texts = ["3/1/2024"] * 20 + [late] * 20
        found = times(read(pl.Series(texts), "csv")[1])
        assert {dt.datetime.fromtimestamp(one / 1e6, dt.UTC).date() for one in found} == {second, dt.date(2024, 3, 31)}
        assert found == sorted(found)


def test_where_no_date_tells_whether_the_day_is_first_conf_says_it(read: Callable[..., Any]) -> None:
    texts = pl.Series(["3/1/2024", "4/4/2024 17:00"])
    with pytest.raises(
        PipelineError, match=r"some.yaml, split.time: in dates of 'at', such as 3/1/2024, .*`day_first:"
    ):
        read(texts, "csv")
    for said, month in ((True, 1), (False, 3)):
        first = times(read(texts, "csv", day_first=said)[1])[0]
        assert dt.datetime.fromtimestamp(first / 1e6, dt.UTC).month == month


@pytest.mark.parametrize("value", [pl.Series([True]), pl.Series([["a"]]), pl.Series([dt.time(12)])])
def test_a_column_in_which_no_times_can_be_is_refused(read: Callable[..., Any], value: pl.Series) -> None:
    with pytest.raises(PipelineError, match=r"some.yaml, split.time: the column 'at' of .* holds"):
        read(value)


@pytest.mark.parametrize(
    ("moment", "dtype", "said"),
    [
        (US, pl.Datetime("us"), "2024-03-31 23:59:00"),
        (DAY, pl.Date(), "2024-03-31"),
        (-86400e6, pl.Date(), "1969-12-31"),
        (-9e16, pl.Datetime("us"), "-90000000000 seconds since 1970"),
        (2009.0, pl.Int64(), "2009"),
        (1711929540.0, pl.Int64(), "1711929540 (2024-03-31 23:59:00, if these are seconds since 1970)"),
        (1711929540000.0, pl.Int64(), "1711929540000 (2024-03-31 23:59:00, if these are milliseconds since 1970)"),
    ],
)
def test_a_moment_is_written_as_people_read_it(moment: float, dtype: pl.DataType, said: str) -> None:
    assert in_words(moment, "at", pl.Schema({"at": dtype})) == said
