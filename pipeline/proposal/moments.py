"""Tells columns of dates and times, however they are written: they are no tokens, and no texts."""

import polars as pl

_DATE = r"^\d{4}-\d{1,2}-\d{1,2}|^\d{4}[./]\d{1,2}[./]\d{1,2}( |T|$)|^\d{1,2}[./-]\d{1,2}[./-]\d{2,4}( |$)"
_MONTH = (
    r"(jan(uary?)?|feb(ruary?)?|mar(ch)?|märz?|apr(il)?|ma[iy]|jun[ei]?|jul[iy]?|aug(ust)?|sept?(ember)?|o[ck]t(ober)?"
    r"|nov(ember)?|de[cz](ember)?)"
)
_DAY = r"((mon|tues?|wed(nes)?|thu(rs)?|fri|sat(ur)?|sun)(day)?[.,]? +)?"
_PERIOD = (  # such as `Fri, 5 Jan 2024`, `Jan 5, 2024`, `Jan-24`; `2024 Q1`, `2024-W05`; `13:30`
    rf"(?i)^{_DAY}((\d{{1,4}}[.,]?[ -]+)+{_MONTH}\b|{_MONTH}[.,]?[ -]+\d{{1,4}}\b)|^\d{{4}}[ -]?[QW]\d{{1,2}}$"
    r"|^\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?[ap]m)?$"
)
_NEARLY_ALL = 0.9


def are_moments(texts: pl.Series, has_few: bool) -> bool:
    """Whether nearly all texts are dates, or months, quarters, weeks or times of the day.

    Args:
        texts: of a column.
        has_few: whether there are few different ones; those that are no whole dates are then rather categories.
    """

    def share(pattern: str) -> float:
        return float(texts.str.strip_chars().str.contains(pattern).sum()) / max(len(texts), 1)

    return share(_DATE) > _NEARLY_ALL or (not has_few and share(_PERIOD) > _NEARLY_ALL)
