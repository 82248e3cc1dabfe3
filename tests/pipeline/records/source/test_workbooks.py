"""Workbooks of Excel, and the records that are read from their sheets."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import xlsxwriter

from pipeline.config.records import Source
from pipeline.errors import PipelineError
from pipeline.records.source.files import Files
from pipeline.records.source.workbooks import behind_cover

NAMES = ["Invoice", "StockCode", "Quantity", "InvoiceDate", "Customer ID"]
MORNING = dt.datetime(2010, 12, 1, 8, 26)
SALES = [
    [536365, "85123A", 6, MORNING, 17850],
    [536366, 71053, -1, MORNING, None],
    ["C536379", 22752, 2, MORNING, 13047],
]


@pytest.fixture
def workbook(tmp_path: Path) -> Callable[..., Path]:
    """Write a workbook with some sheets, each a list of rows."""

    def make(**sheets: list[list[Any]]) -> Path:
        path = tmp_path / "sales.xlsx"
        with xlsxwriter.Workbook(path, {"default_date_format": "yyyy-mm-dd hh:mm"}) as book:
            for name, rows in sheets.items():
                sheet = book.add_worksheet(name)
                for i, row in enumerate(rows):
                    sheet.write_row(i, 0, row)
        return path

    return make


def read(path: Path, **settings: Any) -> tuple[pl.DataFrame, Files]:
    files = Files(Source(path=(path.name,), **settings), path.parent, (), path.parent)
    return pl.concat([batch.frame for batch in files.batches()]), files


def test_ids_stay_what_the_sheet_shows_and_dates_are_dates(workbook: Callable[..., Path]) -> None:
    found, _ = read(workbook(sales=[NAMES, *SALES]))
    assert found["Invoice"].to_list() == ["536365", "536366", "C536379"]
    assert found["StockCode"].to_list() == ["85123A", "71053", "22752"]
    assert found["Customer ID"].to_list() == [17850, None, 13047]
    assert found["Quantity"].to_list() == [6, -1, 2]
    assert found["InvoiceDate"].to_list() == [MORNING] * 3


def test_sheets_of_one_kind_are_one_table_and_the_others_are_told(workbook: Callable[..., Path]) -> None:
    path = workbook(first=[NAMES, *SALES[:2]], notes=[["made by hand"]], second=[NAMES, *SALES[2:]], nothing=[])
    found, files = read(path)
    assert found["StockCode"].to_list() == ["85123A", "71053", "22752"]
    assert files.found == {f"left out of {path}": "the sheets notes, nothing"}
    assert read(path, member="sec*")[0].height == 1


@pytest.mark.parametrize(
    ("settings", "said"), [({"member": "third"}, "no sheet that is called 'third' has a table; its sheets are first")]
)
def test_a_sheet_that_is_not_there_is_told(settings: dict[str, str], said: str, workbook: Callable[..., Path]) -> None:
    with pytest.raises(PipelineError, match=said):
        read(workbook(first=[NAMES, *SALES]), **settings)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"user,item\n1,2\n", r": it is text. Let its name end in .csv, or say `source.format: csv`\.$"),
        (b"<HTML><body><table><tr><td>1", r": it is a web page, .* save it as .xlsx\.$"),
        (b"PK\3\4" + bytes(99), r" \(.*\)\.$"),
    ],
)
@pytest.mark.parametrize("name", ["sales.xlsx", "sales.xls"])
def test_what_is_no_workbook_is_told(content: bytes, said: str, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PipelineError, match="cannot be read as a workbook" + said):
        read(tmp_path / name)


def test_rows_above_the_names_are_counted_as_the_sheet_numbers_them(workbook: Callable[..., Path]) -> None:
    title = [[], ["Sales of 2010"], ["by hand", None, "December"], []]
    found, _ = read(workbook(first=[*title, NAMES, *SALES[:2]], second=[*title, NAMES, *SALES[2:]]), skip=4)
    assert found.columns == NAMES
    assert found["StockCode"].to_list() == ["85123A", "71053", "22752"]


def test_a_sheet_that_ends_above_the_names_is_left_out(workbook: Callable[..., Path]) -> None:
    path = workbook(first=[["Sales"], [], [], NAMES, *SALES], notes=[["made by hand"]])
    found, files = read(path, skip=3)
    assert found["StockCode"].to_list() == ["85123A", "71053", "22752"]
    assert "notes" in files.found[f"left out of {path}"]


def test_a_cover_is_a_first_sheet_of_a_few_rows_before_a_table_of_many(workbook: Callable[..., Path]) -> None:
    def found(n: int, n_behind: int) -> tuple[str, str] | None:
        return behind_cover(str(workbook(about=[["made by", "us"]] * (n + 1), data=[NAMES, *SALES * n_behind])))

    assert found(3, 10) == ("data", "about")
    assert found(4, 10) is None  # 30 rows are less than ten times 4
    assert found(31, 200) is None
    assert behind_cover(str(workbook(data=[NAMES, *SALES]))) is None
