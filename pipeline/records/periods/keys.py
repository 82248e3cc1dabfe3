"""The periods of a source: which one a row belongs to, and a condition for the rows of some of them.

Which periods a source has, and which are read, does not belong here.
"""

import datetime as dt
from collections.abc import Sequence

import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.config.records import Every, Period
from pipeline.errors import PipelineError, nearest
from pipeline.records.values.dates import Days
from pipeline.records.values.times import SINCE_1970, as_time, require_times
from pipeline.records.values.writing import unclear

UNDATED = "undated"
"""Stands for the period of the rows without a date, all of which are in quarantine; it comes after all others."""
_FORMATS: dict[Every, str] = {"day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m", "year": "%Y"}
_FIRST, _LAST = 1001, 9998
"""Years whose weeks lie in years of four digits, so that keys have the order of time."""
DATE_FIRST = r"^\s*\d{4}-\d\d-\d\d"
"""Texts that sort as their dates do."""
_USUAL = r"^\d{4}-\d\d-\d\d(?:[ T](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6})?)?)?$"
"""Texts whose date can be cut out; to parse the others takes twenty times as long."""
_WRITTEN = (100_101, 99_991_231)
"""Numbers in this range are months such as 202403, or days such as 20240331."""
_DAY = dt.timedelta(days=1)
_MOST = 40
"""Ranges of time in a condition; beyond them it asks for all that lies between the first and the last."""


def period_of(conf: Dataset) -> Period:
    """The section `source.period` of a dataset that has one."""
    assert conf.source.period is not None
    return conf.source.period


def source_column(conf: Dataset) -> str:
    """The column that says when, by the name that the source gives it."""
    column = period_of(conf).column
    return next((old for old, new in conf.source.rename.items() if new == column), column)


def require_dates(conf: Dataset, schema: pl.Schema, where: str) -> pl.DataType:
    """The dtype of the column that says when, in which dates can be.

    Raises:
        PipelineError: the source lacks it, or it holds something else.
    """
    column = source_column(conf)
    if column not in schema:
        raise PipelineError(
            f"{conf.file}, source.period.column: there is no column {column!r} in {where}, "
            f"{nearest(column, schema.names())}"
        )
    require_times(conf, "source.period.column", column, schema[column], where)
    return schema[column]


def period_keys(times: pl.Series, conf: Dataset) -> pl.Series:
    """The key of the period of each time in the column of a dataset that says when.

    Raises:
        PipelineError: a date may be read in two ways.
    """
    day_first = conf.source.day_first
    if day_first is None and times.dtype == pl.String:
        date = Days.of(times).unclear
        if date is not None:
            raise unclear(conf, "source.period.column", period_of(conf).column, date)
    return keys_of(times, period_of(conf).every, day_first)


def keys_of(times: pl.Series, every: Every, day_first: bool | None = None) -> pl.Series:
    """The key of the period of each time, such as 2024-03; `UNDATED` for what is no date.

    >>> times = pl.Series(["2024-03-31", "30.12.2024 23:00", "soon", "1712000000"])
    >>> keys_of(times, "month").to_list()
    ['2024-03', '2024-12', 'undated', '2024-04']
    >>> keys_of(times, "week").to_list()
    ['2024-W13', '2025-W01', 'undated', '2024-W14']
    """
    frame, key = times.to_frame("time"), _key(times.dtype, every, day_first).alias("key")
    if times.dtype != pl.String:
        return frame.select(key).to_series()
    different = frame.unique().with_columns(key)  # many records have the same date, and to parse it takes long
    return frame.join(different, on="time", how="left", nulls_equal=True, maintain_order="left")["key"]


def _key(dtype: pl.DataType, every: Every, day_first: bool | None) -> pl.Expr:
    when = _date(pl.col("time"), dtype, day_first)
    is_usual = when.dt.year().is_between(_FIRST, _LAST)
    return pl.when(is_usual).then(when.dt.strftime(_FORMATS[every])).otherwise(pl.lit(UNDATED))


def _date(value: pl.Expr, dtype: pl.DataType, day_first: bool | None) -> pl.Expr:
    if dtype == pl.String:
        odd = pl.when(~value.str.contains(_USUAL)).then(value)
        return pl.coalesce(
            pl.when(odd.is_null()).then(value.str.head(10).str.to_date("%Y-%m-%d", strict=False)),
            as_time(odd, False, day_first).dt.date(),
            _of_number(as_time(odd, numbers=True)).dt.date(),
        )
    if dtype.is_numeric():
        return _of_number(value.cast(pl.Float64))
    return value.dt.convert_time_zone("UTC") if isinstance(dtype, pl.Datetime) and dtype.time_zone else value


def _of_number(number: pl.Expr) -> pl.Expr:
    """Seconds or milliseconds since 1970, and numbers such as 20240331 and 202403, as datetimes; null for others."""
    first, last = SINCE_1970
    seconds, milliseconds = (number.is_between(unit * first, unit * last) for unit in (1, 1000))
    microseconds = pl.when(seconds).then(number * 1e6).when(milliseconds).then(number * 1e3)
    whole = pl.when(number.is_between(*_WRITTEN) & (number % 1 == 0)).then(number).cast(pl.Int64)
    written = pl.when(whole < _WRITTEN[0] * 100).then(whole * 100 + 1).otherwise(whole).cast(pl.String)
    utc = pl.Datetime("us", "UTC")
    return pl.coalesce(microseconds.cast(pl.Int64).cast(utc), written.str.to_date("%Y%m%d", strict=False).cast(utc))


def ranges(keys: Sequence[str]) -> list[tuple[dt.date, dt.date]]:
    """The spans of time that some periods cover, each from its first day to the day after its last.

    >>> [f"{first} {end}" for first, end in ranges(["2024-01", "2024-02", "2024-06"])]
    ['2024-01-01 2024-03-01', '2024-06-01 2024-07-01']
    """
    merged: list[tuple[dt.date, dt.date]] = []
    for first, end in (_bounds(one) for one in sorted(keys) if one != UNDATED):
        if merged and merged[-1][1] == first:
            first = merged.pop()[0]
        merged.append((first, end))
    return merged if len(merged) <= _MOST else [(merged[0][0], merged[-1][1])]


def _bounds(one: str) -> tuple[dt.date, dt.date]:
    if "W" in one:
        first = dt.date.fromisocalendar(int(one[:4]), int(one[-2:]), 1)
        return first, first + 7 * _DAY
    first = dt.date.fromisoformat(f"{one}-01-01"[:10])
    if len(one) == len("2024-01-01"):
        return first, first + _DAY
    if len(one) == len("2024-01"):
        return first, (first + 31 * _DAY).replace(day=1)
    return first, first.replace(year=first.year + 1)


def condition(keys: Sequence[str], column: str, dtype: pl.DataType) -> pl.Expr | None:
    """A condition that all rows of some periods meet, and maybe others: a scan with it passes over the rest.

    None: there is no such condition, because the column holds texts or numbers, which have to be read first.
    """
    if dtype not in (pl.Date, pl.Datetime):
        return None
    zone = dtype.time_zone if isinstance(dtype, pl.Datetime) else None
    value = pl.col(column)
    spans = [(value >= _literal(first, zone)) & (value < _literal(end, zone)) for first, end in ranges(keys)]
    if UNDATED in keys:
        first, end = (_literal(dt.date(year, 1, 1), zone) for year in (_FIRST, _LAST + 1))
        spans += [value.is_null(), value < first, value >= end]
    return pl.any_horizontal(*spans)


def _literal(day: dt.date, zone: str | None) -> pl.Expr:
    if zone is None:
        return pl.lit(day)
    return pl.lit(dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)).dt.convert_time_zone(zone)
