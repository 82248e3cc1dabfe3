"""Texts that stand in several rows."""

import random
from collections.abc import Callable
from typing import Any

import polars as pl

RNG = random.Random(9)
WORDS = ["spacious", "cozy", "updated", "garage", "fireplace", "quiet", "corner", "brick", "school", "park", "roof"]


def texts(n_words: int, n: int = 400) -> list[str]:
    return [" ".join(RNG.choices(WORDS, k=n_words)) for _ in range(n)]


def test_of_equal_texts_the_first_is_used(propose: Callable[..., dict[str, Any]]) -> None:
    once = pl.DataFrame({"text": texts(9), "price": [RNG.uniform(90, 900) for _ in range(400)]})
    assert "drop_duplicates" not in propose("homes.csv", once.write_csv())["source"]
    conf = propose("homes.csv", pl.concat([once, once.head(40)]).write_csv())
    assert conf["source"]["drop_duplicates"] == ["text", "price"]
    assert "# 9% of the rows have a text that an earlier one has" in conf["text"]
    conf = propose("homes.csv", pl.concat([once, once.head(40).with_columns(pl.col("price") + 1)]).write_csv())
    assert "drop_duplicates" not in conf["source"]


def test_lines_that_stand_there_twice_are_used_once(propose: Callable[..., dict[str, Any]]) -> None:
    lines = [f"{text}{', too' * (i % 3)}." for i, text in enumerate(texts(9))]
    conf = propose("said.txt", "\n".join(lines * 2))
    assert conf["source"]["drop_duplicates"] == ["line"]


def test_short_texts_may_be_equal_by_chance(propose: Callable[..., dict[str, Any]]) -> None:
    rows = pl.DataFrame({"text": [text[:25] for text in texts(4)] * 2, "price": [float(i) for i in range(100, 900)]})
    assert "drop_duplicates" not in propose("homes.csv", rows.select("text").write_csv())["source"]
