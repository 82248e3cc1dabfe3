"""Lines above the names of the columns, such as a title."""

from collections.abc import Callable
from typing import Any

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import PipelineError
from pipeline.proposal.titles import n_above_names

NAMES = ["item", "region", "kind", "price"]
ROWS = [[f"i{i % 40}", "NSEW"[i % 4], ("red", "blue", "green")[i % 3], f"{i * i % 97}.5"] for i in range(300)]
TITLES = [
    ["Sales of 2024"],
    ["Sales of 2024", "", "", ""],
    ["Made:", "2024-05-01", "", ""],
    ["Sales of 2024, by region"],
]


@pytest.mark.parametrize("title", TITLES)
@pytest.mark.parametrize("n_blank", [0, 2])
def test_a_csv_file_with_a_title_is_read_below_it(
    propose: Callable[..., dict[str, Any]], title: list[str], n_blank: int
) -> None:
    lines = [title, *[[]] * n_blank, NAMES, *ROWS]
    conf = propose("sales.csv", "\n".join(",".join(line) for line in lines) + "\n")
    assert conf["source"]["skip"] == 1 + n_blank
    assert f"stand in line {2 + n_blank}, below a title" in conf["text"]
    assert (conf["tokens"][0]["columns"], conf["task"]["target"]) == (NAMES[:3], "price")


def test_a_table_of_years_with_a_title_may_have_many_blanks() -> None:
    """As the World Bank writes them: a comma ends each line, and most years of most countries are blank."""
    head = [["Data Source", "World Development Indicators", ""], [], ["Last Updated Date", "2024-05-30", ""], []]
    years = [f"{year}" for year in range(1960, 2000)]
    rows = [[f"Country {i}", *(f"{i * 7 % 31}.5" if i % 5 == 0 else "" for _ in years), ""] for i in range(60)]
    assert n_above_names([*head, ["Country", *years, ""], *rows]) == 4


def test_a_workbook_with_a_title_is_read_below_it(propose: Callable[..., dict[str, Any]], tmp_path: Any) -> None:
    with xlsxwriter.Workbook(tmp_path / "sales.xlsx") as book:
        sheet = book.add_worksheet()
        for i, row in enumerate([["Sales of 2024"], ["by hand", "", "May"], [], NAMES, *ROWS]):
            sheet.write_row(i, 0, [float(value) if i > 3 and j == 3 else value for j, value in enumerate(row)])
    conf = propose("sales.xlsx", None)
    assert (conf["source"]["skip"], conf["task"]["target"]) == (3, "price")


@pytest.mark.parametrize("name", ["sales.xls", "sales.xlsx"])
def test_what_only_has_the_name_of_a_workbook_is_told(
    name: str, propose: Callable[..., dict[str, Any]], tmp_path: Any
) -> None:
    with pytest.raises(PipelineError, match=f"{name}: cannot be read as a workbook: it is text"):
        propose(name, "item\tprice\npen\t2\n")


def test_the_sheet_behind_a_cover_is_read(propose: Callable[..., dict[str, Any]], tmp_path: Any) -> None:
    with xlsxwriter.Workbook(tmp_path / "sales.xlsx") as book:
        cover, data = book.add_worksheet("About"), book.add_worksheet("Sales (EUR)")
        for i, row in enumerate([["made by", "us"], ["on", "Monday"], ["for", "them"]]):
            cover.write_row(i, 0, row)
        for i, row in enumerate([["Sales of 2024"], [], NAMES, *ROWS]):
            data.write_row(i, 0, [float(value) if i > 2 and j == 3 else value for j, value in enumerate(row)])
    conf = propose("sales.xlsx", None)
    assert (conf["source"]["member"], conf["source"]["skip"]) == ("Sales (EUR)", 2)
    assert (conf["task"]["target"], "the first, About, is a cover" in conf["text"]) == ("price", True)


@pytest.mark.parametrize(
    "first",
    [
        NAMES,
        ["", *NAMES[1:]],  # a column of numbers of the rows
        ["item", "region", "", ""],
        ["item", "", "", "price"],
    ],
)
def test_names_are_no_title_even_where_some_are_missing(first: list[str]) -> None:
    assert n_above_names([first, *ROWS]) == 0


@given(st.lists(st.lists(st.sampled_from(["pen", "cup", "7", ""]), max_size=6), min_size=1, max_size=30))
def test_what_is_told_of_any_lines_are_some_of_the_first_of_which_one_is_a_title(rows: list[list[str]]) -> None:
    n = n_above_names(rows)
    assert 0 <= n < len(rows)
    assert not n or any(any(row) for row in rows[:n])


@pytest.mark.parametrize(
    "lists",
    [
        [[f"item {j}" for j in range(1 + i % 5)] for i in range(40)],
        [[f"item {(i + j) % 9}" for j in range(5)] for i in range(40)],
        [[f"item {i} {j}" for j in range(5)] for i in range(40)],
    ],
)
def test_the_name_of_a_column_of_lists_is_no_title(lists: list[list[str]]) -> None:
    assert n_above_names([["items"], *lists]) == 0
