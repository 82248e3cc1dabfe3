"""Reads workbooks of Excel and LibreOffice: the sheets of one kind as one table."""

from fnmatch import fnmatch

import polars as pl

from pipeline.errors import PipelineError, first_line
from pipeline.records.source.file_kinds import rather_text
from pipeline.records.source.names import plain_names

_START = 4096
"""Bytes that tell what a file is."""
_MOST_OF_COVER = 30
"""Rows of a cover, at most."""


def sheets(path: str, name: str, wanted: str | None, skip: int) -> tuple[pl.LazyFrame, list[str]]:
    """The rows of the sheets that have the columns of the first, one after the other; and the names of the others.

    Args:
        path: the workbook.
        name: the path, for people.
        wanted: only sheets with such a name are read, as a glob; None: all are.
        skip: how many rows stand in each sheet above the names of the columns.

    Raises:
        PipelineError: it is no workbook, has no such sheet, or the reader is not installed.
    """
    try:
        import fastexcel
    except ImportError:
        raise PipelineError(f"{name}: workbooks need a reader: pip install 'embedding-pipeline[excel]'.") from None
    try:
        every = fastexcel.read_excel(path).sheet_names
        tables = {sheet: _table(path, sheet, skip) for sheet in every if wanted is None or fnmatch(sheet, wanted)}
    except (fastexcel.FastExcelError, pl.exceptions.PolarsError) as error:
        why = _other_kind(path) or f" ({first_line(error)})"
        raise PipelineError(f"{name}: cannot be read as a workbook{why}.") from error
    full = {sheet: table for sheet, table in tables.items() if table.width}
    if not full:
        asked = f" that is called {wanted!r}" if wanted is not None else ""
        raise PipelineError(f"{name}: no sheet{asked} has a table; its sheets are {', '.join(every)}.")
    columns = next(iter(full.values())).columns
    alike = {sheet: table.select(columns) for sheet, table in full.items() if {*table.columns} == {*columns}}
    others = [sheet for sheet in tables if sheet not in alike]
    return pl.concat(alike.values(), how="vertical_relaxed").lazy(), others


def _other_kind(path: str) -> str:
    """What a file is that only has a workbook's name, and what to do, as the end of a sentence; empty if unknown."""
    with open(path, "rb") as file:
        start = file.read(_START)
    if b"<table" in start.lower() or b"<html" in start.lower():
        return ": it is a web page, as some programs export tables. Open it in a spreadsheet and save it as .xlsx"
    return rather_text(path)


def behind_cover(path: str) -> tuple[str, str] | None:
    """The sheet with most rows and the first one, if that is rather a cover than a table; None otherwise."""
    heights: dict[str, int] = {}
    try:
        import fastexcel

        for sheet in fastexcel.read_excel(path).sheet_names:
            table = _table(path, sheet, 0)
            if table.width:
                heights[sheet] = table.height
            if heights and next(iter(heights.values())) > _MOST_OF_COVER:
                return None  # the others need not be read
    except Exception:  # who reads it all says what is wrong
        return None
    first, largest = next(iter(heights), ""), max(heights, key=lambda sheet: heights[sheet], default="")
    return (largest, first) if first != largest and heights[largest] >= 10 * heights[first] else None


def first_rows(path: str, n: int, sheet: str | None) -> list[list[str]]:
    """The texts in the first rows of a sheet (None: the first), blank rows among them; [] if it has no table."""
    try:
        rows = pl.read_excel(
            path,
            sheet_name=sheet,
            has_header=False,
            drop_empty_rows=False,
            drop_empty_cols=False,
            read_options={"skip_rows": 0, "n_rows": n},
        )
    except Exception:  # sheets without a table, and files that are none: who reads it all says what is wrong
        return []
    return [list(row) for row in rows.cast(pl.String).fill_null("").rows()]


def _table(path: str, sheet: str, skip: int) -> pl.DataFrame:
    """A sheet: each column is of the type into which all its values fit, and a text if they are of several kinds."""
    head = {"header_row": skip} if skip else {}
    table = pl.read_excel(path, sheet_name=sheet, infer_schema_length=None, raise_if_empty=False, read_options=head)
    return table.rename(dict(zip(table.columns, plain_names(table.columns), strict=True)))
