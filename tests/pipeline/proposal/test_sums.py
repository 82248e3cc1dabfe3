"""Numbers that add up to the one to predict are left out."""

import random
from collections.abc import Callable
from typing import Any

import polars as pl

RNG = random.Random(7)
N = 400


def test_the_parts_of_a_sum_and_the_sum_of_a_part_are_left_out(propose: Callable[..., dict[str, Any]]) -> None:
    repair, other = ([RNG.choice([0.0, RNG.expovariate(0.01)]) for _ in range(N)] for _ in range(2))
    rows = pl.DataFrame(
        {
            "maker": RNG.choices(["Ace", "Best", "Core"], k=N),
            "speed": [RNG.gauss(5, 3) for _ in range(N)],
            "repair": repair,
            "other": other,
        }
    )
    with_total = rows.with_columns(cost=pl.col("repair") + pl.col("other"))
    conf = propose("strikes.csv", with_total.write_csv())
    assert conf["task"] == {"kind": "regression", "target": "cost", "log": False, "dense": ["speed"]}
    assert "without repair, other, which add up to it" in conf["text"]
    conf = propose("strikes.csv", with_total.rename({"cost": "total", "other": "cost"}).write_csv())
    assert conf["task"] == {"kind": "regression", "target": "cost", "log": False, "dense": ["speed"]}
    noisy = with_total.with_columns(pl.col("cost") + pl.Series([RNG.gauss(0, 5) for _ in range(N)]))
    assert propose("strikes.csv", noisy.write_csv())["task"]["dense"] == ["speed", "repair", "other"]


def test_columns_add_up_to_anything_where_rows_are_few(propose: Callable[..., dict[str, Any]]) -> None:
    numbers = {f"speed {letter}": [RNG.gauss(0, 1) for _ in range(25)] for letter in "abcdefghijklmnopqrstuvwxyz"}
    rows = pl.DataFrame(
        {"maker": RNG.choices(["Ace", "Best"], k=25), **numbers, "price": [RNG.uniform(5, 30) for _ in range(25)]}
    )
    assert len(propose("few.csv", rows.write_csv())["task"]["dense"]) == 26


def test_what_is_the_same_in_all_complete_rows_is_no_sum(propose: Callable[..., dict[str, Any]]) -> None:
    heat = [RNG.gauss(300, 3) for _ in range(N)]
    rows = pl.DataFrame(
        {
            "maker": RNG.choices(["Ace", "Best", "Core"], k=N),
            "heat": [one if i < 200 else None for i, one in enumerate(heat)],
            "cost": [5.0] * 200 + [RNG.uniform(5, 30) for _ in range(N - 200)],
        }
    )
    assert propose("repairs.csv", rows.write_csv())["task"]["dense"] == ["heat"]
