"""Marks that stand for missing numbers."""

import random
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

RNG = random.Random(8)
N = 400


def cars(marks: str, share: float = 0.1) -> pl.DataFrame:
    def number(low: int, high: int) -> str:
        return RNG.choice(marks) if RNG.random() < share else f"{RNG.uniform(low, high):.1f}"

    return pl.DataFrame(
        {
            "make": RNG.choices(["audi", "bmw", "volvo"], k=N),
            "doors": RNG.choices(["two", "four", "?"], k=N),
            "bore": [number(2, 4) for _ in range(N)],
            "price": [number(5_000, 40_000) for _ in range(N)],
        }
    )


@pytest.mark.parametrize("marks", ["?", "-", "?*"])
def test_a_mark_between_numbers_is_a_missing_value(marks: str, propose: Callable[..., dict[str, Any]]) -> None:
    conf = propose("cars.csv", cars(marks).write_csv())
    assert conf["task"]["target"] == "price"
    assert conf["task"]["dense"] == ["bore"]
    assert conf["tokens"] == [{"kind": "value", "columns": ["make", "doors"]}]
    assert {"", "NA", *marks} <= {*conf["source"]["missing"]}
    assert conf["source"]["where"] == "price is not null"


def test_without_such_a_mark_nothing_is_said(propose: Callable[..., dict[str, Any]]) -> None:
    assert "missing" not in propose("cars.csv", cars("?", 0.0).write_csv())["source"]


def test_a_mark_beside_a_single_number_may_say_no(propose: Callable[..., dict[str, Any]]) -> None:
    rows = cars("?", 0.0).with_columns(sold=pl.Series(RNG.choices(["1", "-"], k=N)))
    assert "missing" not in propose("cars.csv", rows.write_csv())["source"]
