"""Tells columns of dates and times, however they are written: they are no tokens, and no texts."""

import polars as pl

from pipeline.records.values.times import SINCE_1970

_DATE = (
    r"^\d{4}-\d{1,2}-\d{1,2}|^\d{4}[./]\d{1,2}[./]\d{1,2}( |T|$)|^\d{1,2}[./-]\d{1,2}[./-]\d{2,4}( |$)"
    r"|^\d{4}[年년] ?\d{1,2}[月월] ?\d{1,2}[日일]"
)
_MONTH = (
    r"(jan(uary?)?|feb(ruary?)?|mar(ch)?|märz?|apr(il)?|ma[iy]|jun[ei]?|jul[iy]?|aug(ust)?|sept?(ember)?|o[ck]t(ober)?"
    r"|nov(ember)?|de[cz](ember)?)"
)
_DAY = r"((mon|tues?|wed(nes)?|thu(rs)?|fri|sat(ur)?|sun)(day)?[.,]? +)?"
_PERIOD = (  # such as `Fri, 5 Jan 2024`, `Jan 5, 2024`, `Jan-24`; `2024 Q1`, `2024-W05`; `13:30`
    rf"(?i)^{_DAY}((\d{{1,4}}[.,]?[ -]+)+{_MONTH}\b|{_MONTH}[.,]?[ -]+\d{{1,4}}\b)|^\d{{4}}[ -]?[QW]\d{{1,2}}$"
    r"|^\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?[ap]m)?$"
)
OF_TIMES = (
    *("time", "timestamp", "ts", "date", "datetime", "epoch", "unixtime", "created", "updated", "modified", "at"),
    *("when", "last", "seen", "login", "start", "end", "begin", "day", "month", "period", "yearmonth", "yyyymm", "ym"),
    *("zeit", "zeitpunkt", "zeitstempel", "datum", "tag", "monat", "periode", "beginn", "ende", "erstellt", "yyyymmdd"),
)
"""Names of columns that say when something was."""
_NEARLY_ALL = 0.9
_PER_SECOND = (1, 10**3, 10**6, 10**9)
"""Programs count the time since 1970 in seconds, milliseconds, microseconds or nanoseconds."""
_YEARS = (1900, 2100)


def are_moments(texts: pl.Series, has_few: bool) -> bool:
    """Whether nearly all texts are dates, or months, quarters, weeks or times of the day.

    Args:
        texts: of a column.
        has_few: whether there are few different ones; those that are no whole dates are then rather categories.
    """

    def share(pattern: str) -> float:
        return float(texts.str.strip_chars().str.contains(pattern).sum()) / max(len(texts), 1)

    return share(_DATE) > _NEARLY_ALL or (not has_few and share(_PERIOD) > _NEARLY_ALL)


def are_times(numbers: pl.Series) -> bool:
    """Whether whole numbers may all be times since 1970, months such as 202401, or days such as 20240131.

    Other numbers may be as large, so the name of their column has to say it too.
    """
    low, high = SINCE_1970
    if any(numbers.is_between(low * each, high * each).all() for each in _PER_SECOND):
        return True
    whole = numbers.cast(pl.Int64, strict=False)
    first, last = _YEARS
    are_months = (whole // 100).is_between(first, last) & (whole % 100).is_between(1, 12)
    are_days = (whole // 10_000).is_between(first, last) & (whole // 100 % 100).is_between(1, 12)
    return bool(are_months.all()) or bool((are_days & (whole % 100).is_between(1, 31)).all())
