"""Reads workbooks of Excel and LibreOffice: the sheets of one kind as one table."""

from fnmatch import fnmatch

import polars as pl

from pipeline.errors import PipelineError, first_line
from pipeline.records.source.names import plain_names


def sheets(path: str, name: str, wanted: str | None) -> tuple[pl.LazyFrame, list[str]]:
    """The rows of the sheets that have the columns of the first, one after the other; and the names of the others.

    Args:
        path: the workbook.
        name: the path, for people.
        wanted: only sheets with such a name are read, as a glob; None: all are.

    Raises:
        PipelineError: it is no workbook, has no such sheet, or the reader is not installed.
    """
    try:
        import fastexcel
    except ImportError:
        raise PipelineError(f"{name}: workbooks need a reader: pip install 'embedding-pipeline[excel]'.") from None
    try:
        every = fastexcel.read_excel(path).sheet_names
        tables = {sheet: _table(path, sheet) for sheet in every if wanted is None or fnmatch(sheet, wanted)}
    except (fastexcel.FastExcelError, pl.exceptions.PolarsError) as error:
        raise PipelineError(f"{name}: cannot be read as a workbook ({first_line(error)}).") from error
    full = {sheet: table for sheet, table in tables.items() if table.width}
    if not full:
        asked = f" that is called {wanted!r}" if wanted is not None else ""
        raise PipelineError(f"{name}: no sheet{asked} has a table; its sheets are {', '.join(every)}.")
    columns = next(iter(full.values())).columns
    alike = {sheet: table.select(columns) for sheet, table in full.items() if {*table.columns} == {*columns}}
    others = [sheet for sheet in tables if sheet not in alike]
    return pl.concat(alike.values(), how="vertical_relaxed").lazy(), others


def _table(path: str, sheet: str) -> pl.DataFrame:
    """A sheet: each column is of the type into which all its values fit, and a text if they are of several kinds."""
    table = pl.read_excel(path, sheet_name=sheet, infer_schema_length=None, raise_if_empty=False)
    return table.rename(dict(zip(table.columns, plain_names(table.columns), strict=True)))
