"""Reads when a record was: from dates, datetimes, numbers, or texts of either; and writes a moment for people.

What is done with times, and which moments divide them, does not belong here.
"""

import datetime as dt
from functools import partial

import numpy as np
import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.errors import PipelineError
from pipeline.records.values.dates import in_iso_order

LIKE = "2024-03-31 or 2024-03-31T23:59:59"
"""Times as text, for messages."""
_ZONED = r":.*[+-]\d\d:?\d\d$"
_FORMATS = ("%Y-%m-%d %H:%M:%S%.f%z", "%Y-%m-%d %H:%M%z")
SINCE_1970 = (7e8, 4e9)
"""Numbers in this range, as seconds, are probably times."""


def time_column(column: str) -> str:
    """The column of the raw records that holds the times which were read from a column of texts."""
    return f"{column} (time)"


def require_times(conf: Dataset, key: str, column: str, dtype: pl.DataType, where: str) -> None:
    """Refuse a column in which no times can be.

    Args:
        conf: the dataset.
        key: the key of conf that names the column.
        column: its name.
        dtype: what it holds.
        where: the source as people know it.

    Raises:
        PipelineError: names the key, the column and the source.
    """
    if not (dtype == pl.String or dtype.is_numeric() or dtype in (pl.Date, pl.Datetime)):
        raise PipelineError(
            f"{conf.file}, {key}: the column {column!r} of {where} holds {dtype}. Times are dates, datetimes, "
            f"numbers, or texts such as {LIKE}."
        )


def are_numbers(texts: pl.Series) -> bool:
    """Whether most of the texts of a column are numbers, such as seconds since 1970, and not dates."""
    return 2 * texts.to_frame("text").select(_number(pl.col("text"))).to_series().count() > texts.count()


def as_time(text: pl.Expr, numbers: bool, day_first: bool | None = None) -> pl.Expr:
    """Texts as numbers, or as datetimes of UTC; null for a text that is neither.

    Args:
        text: a date, or a date and a time; without a zone it is one of UTC.
        numbers: whether the column holds numbers.
        day_first: whether the day stands before the month in dates such as `3/1/2025`; None: each date tells.
    """
    if numbers:
        return _number(text)
    return text.map_batches(partial(_times, day_first=day_first), pl.Datetime("us", "UTC"), is_elementwise=True)


def _times(texts: pl.Series, day_first: bool | None) -> pl.Series:
    """See `as_time`. Dates in the order of ISO 8601, which most columns hold, are read several times faster."""
    times = texts.to_frame("text").select(_of_iso(pl.col("text"))).to_series()
    others = (texts.is_not_null() & times.is_null()).arg_true()
    if not len(others):
        return times
    ordered = in_iso_order(texts.gather(others), day_first).to_frame("text")
    return times.scatter(others, ordered.select(_of_iso(pl.col("text"))).to_series())


def _of_iso(text: pl.Expr) -> pl.Expr:
    bare = text.str.strip_chars().str.replace(r"^(\d{4}-\d\d-\d\d)[Tt]", "${1} ").str.replace(r" ?([Zz]|UTC)$", "+0000")
    zoned = pl.when(bare.str.contains(_ZONED)).then(bare).otherwise(bare + "+0000")
    date = bare.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us", "UTC"))
    return pl.coalesce(
        *(zoned.str.to_datetime(said, time_unit="us", time_zone="UTC", strict=False) for said in _FORMATS), date
    )


def _number(text: pl.Expr) -> pl.Expr:
    number = text.str.strip_chars().cast(pl.Float64, strict=False)
    return pl.when(number.is_finite()).then(number)


def time(column: str, schema: pl.Schema) -> pl.Expr:
    """The times of a column as float64: numbers as they are, dates and datetimes as microseconds since 1970."""
    name = time_column(column) if time_column(column) in schema else column
    value = pl.col(name).dt.epoch("us") if schema[name].is_temporal() else pl.col(name)
    return value.cast(pl.Float64)


def in_words(moment: float, column: str, schema: pl.Schema) -> str:
    """A time that `time` gave, as people read it."""
    name = time_column(column) if time_column(column) in schema else column
    if schema[name].is_temporal():
        return _date(moment / 1e6)
    number = f"{moment:.15g}"
    for each, unit in ((1, "seconds"), (1000, "milliseconds")):
        if SINCE_1970[0] <= moment / each <= SINCE_1970[1]:
            return f"{number} ({_date(moment / each)}, if these are {unit} since 1970)"
    return number


def _date(seconds: float) -> str:
    """Seconds since 1970 as a date, with the time of the day unless that is midnight."""
    at = np.datetime64(round(seconds * 1e6), "us").astype(dt.datetime)
    if not isinstance(at, dt.datetime):  # Python knows the years 1 to 9999
        return f"{seconds:.15g} seconds since 1970"
    return f"{at:%Y-%m-%d}" if at.time() == dt.time() else f"{at:%Y-%m-%d %H:%M:%S}"
