"""Writes in one order the dates that people write in many, such as `31.12.2024 17:07` and `01 Jun 2024, 10:00`.

`3/1/2025` is a day of March in one country and one of January in another. One date cannot tell, but a column can.
"""

from typing import NamedTuple, Self

import polars as pl

_MONTHS_OF = (
    "january february march april may june july august september october november december",
    "januar februar märz april mai juni juli august september oktober november dezember",
    "januari februari maart april mei juni juli augustus september oktober november december",
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
)
_N_MONTHS = 12
_SHORTEST = 3
"""Letters of the short name of a month, at least."""
_ZONES = {"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "CET": 1, "CEST": 2}
"""Hours by which clocks are ahead of UTC: the names of RFC 822, and those of Central Europe."""

_THREE = r"^(\d{1,2})[/-](%s)[/-](\d{4}|\d{2})(\D.*)?$"
_NUMERIC, _MONTH_FIRST = _THREE % r"\d{1,2}", _THREE % r"1[3-9]|[23]\d"
"""Three numbers, and those of which only the second can be the day."""
_MAY_BE_NUMERIC = r"(^|\D)\d{1,2}[/-]\d{1,2}[/-]\d\d"
"""Found fast; most columns have none of them."""
_NAME = r"(\p{L}{3,})"
_PATTERNS = (
    ("ymd", r"^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(\D.*)?$"),
    ("ymd", r"^(\d{4})(\d\d)(\d\d)([T ].*)?$"),
    ("ymd", r"^(\d{4})[年년] ?(\d{1,2})[月월] ?(\d{1,2})[日일](\D.*)?$"),
    ("dmy", r"^(\d{1,2})\.(\d{1,2})\.(\d{4}|\d{2})(\D.*)?$"),
    ("dmy", rf"^(\d{{1,2}})(?:st|nd|rd|th|er|\.|º)?[ -]?(?:de )?{_NAME}\.?[ -]?(?:de )?(\d{{4}}|\d{{2}})(\D.*)?$"),
    ("mdy", rf"^{_NAME}\.?[ -](\d{{1,2}})(?:st|nd|rd|th)? (\d{{4}})(\D.*)?$"),
    ("ym", r"^(\d{4})[-/.](\d{1,2})$"),
    ("my", r"^(\d{1,2})[/-](\d{4})$"),
    ("my", rf"^{_NAME}\.?[ -](\d{{4}}|\d{{2}})$"),
)
"""The order of the parts of a date; what stands behind the date is the time of the day."""
_OF_NUMBERS = {
    True: (("dmy", _NUMERIC),),
    False: (("mdy", _NUMERIC),),
    None: (("mdy", _MONTH_FIRST), ("dmy", _NUMERIC)),
}
"""The same for numbers, by whether the day stands before the month."""
_YEAR_LAST = r"^(?:\p{L}{3} )?(\p{L}{3} \d{1,2}) (\d\d:\d\d:\d\d(?: [A-Z]{1,4}| [+-]\d{4})?) (\d{4})$"
"""Such as `Fri Jan 05 10:00:00 UTC 2024`, as machines write it."""
_WEEKDAY = r"^\p{L}{2,}\.? (\d{1,2}\.? ?(?:de )?\p{L}{3,}.*|\p{L}{3,}\.? \d.*|\d{1,2}[./-]\d.*)$"
_CLOCK = (
    r"^(?:T| |at |um |à |a las |- )*(\d{1,2})[:.h]?(\d\d)(?:[:.]?(\d\d)(?:[. ](\d{1,9}))?)? ?(?:([AaPp])\.? ?[Mm]\.?)?"
    r" ?(?:Z|Uhr|h|UTC|GMT)?([A-Z]{3,4})?([+-]\d\d:?\d\d)?(?: ?[(\[].*)?$"
)


def _months() -> dict[str, int]:
    """The number of each month by its names, and by each start of a name that no other month has."""
    found: dict[str, set[int]] = {}
    for names in _MONTHS_OF:
        for number, name in enumerate(names.split(), start=1):
            for n_letters in range(_SHORTEST, len(name) + 1):
                found.setdefault(name[:n_letters], set()).add(number)
    return {name: numbers.pop() for name, numbers in found.items() if len(numbers) == 1}


_MONTHS = _months()


class Days(NamedTuple):
    """How many dates of a column tell whether the day stands before the month, where both are numbers."""

    day: int = 0
    """Dates in which it does, such as 31/12/2024."""
    month: int = 0
    """Dates in which it stands behind the month, such as 12/31/2024."""
    unclear: str | None = None
    """A date that may be read in both ways, such as 3/1/2025; None: there is none."""

    @classmethod
    def of(cls, texts: pl.Series) -> Self:
        """Count the dates of a column."""
        bare = _bare(texts.filter(texts.str.contains(_MAY_BE_NUMERIC)).unique())
        first, second = (pl.col("text").str.extract(_NUMERIC, i).cast(pl.Int32) for i in (1, 2))
        late_first, late_second = first > _N_MONTHS, second > _N_MONTHS
        unclear = pl.col("text").filter(~late_first & ~late_second & (first != second)).min()
        counts = (late_first & ~late_second).sum(), (~late_first & late_second).sum()
        return cls(*bare.to_frame("text").select(*(n.alias(f"{i}") for i, n in enumerate(counts)), unclear).row(0))

    def __add__(self, other: "Days") -> "Days":  # type: ignore[override]
        return Days(self.day + other.day, self.month + other.month, self.unclear or other.unclear)

    @property
    def day_first(self) -> bool | None:
        """Whether the day stands before the month; None: the dates do not tell."""
        return None if self.day == self.month else self.day > self.month


def in_iso_order(texts: pl.Series, day_first: bool | None) -> pl.Series:
    """Dates with their times of the day, in the order of ISO 8601; null for a text that is no date.

    A month is its first day.

    >>> in_iso_order(pl.Series(["3/1/2025 5:07 PM", "1. Juni 2024", "Jun 2024", "soon"]), day_first=False).to_list()
    ['2025-03-01 17:07:00.0+0000', '2024-06-01 00:00:00.0+0000', '2024-06-01 00:00:00.0+0000', None]

    Args:
        texts: of a column.
        day_first: whether the day stands before the month in dates such as `3/1/2025`; None: each date tells.
    """
    bare = pl.col("bare")
    patterns = (*_PATTERNS, *_OF_NUMBERS[day_first])
    read = (pl.when(bare.str.contains(pattern)).then(_date(bare, order, pattern)) for order, pattern in patterns)
    clocks = (bare.str.extract(pattern, 4) for order, pattern in patterns if len(order) == len("ymd"))
    parts = {"date": pl.coalesce(*read), "rest": pl.coalesce(*clocks, pl.lit(""))}
    split = _bare(texts).to_frame("bare").select(**parts)
    return split.select(pl.col("date") + " " + _clock(pl.col("rest"))).to_series()


def _bare(texts: pl.Series) -> pl.Series:
    """Texts without weekdays, commas, and blanks that mean nothing."""
    bare = texts.str.replace_all(r"[\s,\x{202f}]+", " ").str.strip_chars()
    return bare.str.replace(_YEAR_LAST, "${1} ${3} ${2}").str.replace(_WEEKDAY, "${1}")


def _date(text: pl.Expr, order: str, pattern: str) -> pl.Expr:
    part = {"d": pl.lit("01")} | {name: text.str.extract(pattern, i) for i, name in enumerate(order, start=1)}
    year, month = part["y"], part["m"]
    this_century = pl.when(year < "70").then(pl.lit("20")).otherwise(pl.lit("19"))
    year = pl.when(year.str.len_chars() == 2).then(this_century + year).otherwise(year)
    named = month.str.to_lowercase().replace_strict(_MONTHS, default=None, return_dtype=pl.Int64).cast(pl.String)
    month = pl.when(month.str.contains(r"^\d")).then(month).otherwise(named)
    return year + "-" + month.str.zfill(2) + "-" + part["d"].str.zfill(2)


def _clock(rest: pl.Expr) -> pl.Expr:
    hour, minute, second, fraction, half, zone, offset = (rest.str.extract(_CLOCK, i) for i in range(1, 8))
    half, whole = half.str.to_lowercase(), hour.cast(pl.Int64)
    whole = pl.when(half.is_null()).then(whole).when(half == "p").then(whole % 12 + 12).otherwise(whole % 12)
    ahead = {name: f"{hours:+03d}00" for name, hours in _ZONES.items()}
    known = pl.when(zone.is_null()).then(pl.lit("+0000")).otherwise(zone.replace_strict(ahead, default=None))
    clock = whole.cast(pl.String).str.zfill(2) + ":" + minute + ":" + second.fill_null("00")
    clock = clock + "." + fraction.fill_null("0") + pl.coalesce(offset, known)
    return pl.when(rest.str.strip_chars() == "").then(pl.lit("00:00:00.0+0000")).otherwise(clock)
