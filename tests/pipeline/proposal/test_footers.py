"""Rows below a table, such as totals, are left out."""

import random
from collections.abc import Callable
from typing import Any

import pytest

RNG = random.Random(8)
NAMES = "ref,district,rooms,rent"
ITEMS = [f"item{i}" for i in range(40)]


def flats(n: int) -> list[str]:
    return [
        f"R{i},{RNG.choice(['north', 'south', 'east'])},{RNG.randrange(1, 6)},{RNG.uniform(300, 3000):.2f}"
        for i in range(n)
    ]


@pytest.mark.parametrize(
    ("below", "said"),
    [
        (["Total,,,99000.00"], "the last row lacks"),
        (["* without heating,,,", "Mean,,,1234.00", "made by us,,,"], "the last 3 rows lack"),
    ],
)
def test_totals_and_notes_below_a_table_are_left_out(
    below: list[str], said: str, propose: Callable[..., dict[str, Any]]
) -> None:
    conf = propose("flats.csv", "\n".join([NAMES, *flats(90), *below]))
    assert conf["source"]["where"] == "district is not null"
    assert f"{said} what all others have, as totals and notes do" in conf["text"]
    assert conf["task"] == {"kind": "regression", "target": "rent", "dense": ["rooms"]}
    assert "# 90 examples are few" in conf["text"]


def test_a_row_that_lacks_what_others_lack_is_no_total(propose: Callable[..., dict[str, Any]]) -> None:
    rows = flats(90)
    assert "as totals" not in propose("flats.csv", "\n".join([NAMES, *rows, "R90,,3,900.00"]))["text"]
    rows[20] = "R20,,,800.00"
    assert "as totals" not in propose("flats.csv", "\n".join([NAMES, *rows, "R90,,,900.00"]))["text"]


def test_of_orders_the_row_of_their_sum_is_left_out(propose: Callable[..., dict[str, Any]]) -> None:
    rows = [f"o{i // 4},2025-01-{1 + i % 28:02d},A{RNG.randrange(20)},{RNG.randrange(1, 9)}" for i in range(400)]
    conf = propose("orders.csv", "\n".join(["order,day,article,pieces", *rows, "Sum,,,2000"]))
    assert (conf["example"], conf["source"]["where"]) == ("order", "article is not null")


def test_a_total_beside_columns_of_which_rows_may_lack_all_is_left_out(propose: Callable[..., dict[str, Any]]) -> None:
    rows = [f"r{i},2025-01-{1 + i % 28:02d},{','.join(RNG.sample(ITEMS, 3)) if i % 20 else ',,'}" for i in range(400)]
    conf = propose("orders.csv", "\n".join(["ref,day,item 1,item 2,item 3", *rows, ",,total,,"]))
    some = '"item 1" is not null or "item 2" is not null or "item 3" is not null'
    assert (conf["example"], conf["source"]["where"]) == ("ref", f"({some}) and ref is not null")
