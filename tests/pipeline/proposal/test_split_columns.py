"""A column of the parts is proposed as the split, and nothing is learned from it."""

import random
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

RNG = random.Random(5)
N = 600
HOMES = pl.DataFrame(
    {
        "town": RNG.choices([f"town {i}" for i in range(20)], k=N),
        "style": RNG.choices(["flat", "house", "loft"], k=N),
        "price": [RNG.uniform(100, 900) for _ in range(N)],
    }
)


@pytest.mark.parametrize(
    "words", [["train", "validation", "test"], ["Train", "valid", "Test"], ["training", "dev", "testing"]]
)
def test_a_column_of_the_parts_splits_and_is_no_token(words: list[str], propose: Callable[..., dict[str, Any]]) -> None:
    conf = propose("homes.csv", HOMES.with_columns(fold=pl.Series(RNG.choices(words, k=N))).write_csv())
    assert conf["split"] == "fold"
    assert conf["tokens"] == [{"kind": "value", "columns": ["town", "style"]}]


def test_the_parts_of_pairs_are_no_tokens_either(propose: Callable[..., dict[str, Any]]) -> None:
    rows = [
        (user, item, RNG.choice(["train", "val", "test"])) for user in range(100) for item in RNG.sample(range(80), 9)
    ]
    conf = propose("read.csv", pl.DataFrame(rows, ["user", "item", "split"], orient="row").write_csv())
    assert (conf["split"], conf["example"], conf["tokens"][0]["columns"]) == ("split", "user", "item")


def test_parts_of_which_none_validates_are_named_and_no_tokens(propose: Callable[..., dict[str, Any]]) -> None:
    conf = propose("homes.csv", HOMES.with_columns(part=pl.Series(RNG.choices(["train", "test"], k=N))).write_csv())
    assert conf["split"] == {"folds": 5}
    assert conf["tokens"] == [{"kind": "value", "columns": ["town", "style"]}]
    assert "# split: part   # it says which rows train and which are tested, but none validates" in conf["text"]


@pytest.mark.parametrize("words", [["train", "bus", "test"], ["test", "dev"]])
def test_what_is_no_part_is_no_split(words: list[str], propose: Callable[..., dict[str, Any]]) -> None:
    conf = propose("homes.csv", HOMES.with_columns(way=pl.Series(RNG.choices(words, k=N))).write_csv())
    assert conf["split"] == {"folds": 5}
    assert conf["tokens"][0]["columns"] == ["town", "style", "way"]


@pytest.mark.parametrize(
    ("name", "start", "step"), [("createdAt", 1_700_000_000_000, 86_400_000), ("periode", 202_301, 1)]
)
def test_a_column_that_counts_time_could_split(
    name: str, start: int, step: int, propose: Callable[..., dict[str, Any]]
) -> None:
    when = pl.Series(name, [start + step * (i % 12) for i in range(N)])
    conf = propose("homes.csv", HOMES.with_columns(when).write_csv())
    assert f"# time: {name}   # instead of folds, to train on what came before" in conf["text"]
    assert name not in conf["task"].get("dense", ())
