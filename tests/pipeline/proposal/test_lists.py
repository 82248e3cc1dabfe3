"""Columns of lists, however they are written."""

import json
import random
import uuid
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

RNG = random.Random(5)
GOODS = ["TV", "Wifi", "Air conditioning", "Queen size bed", "Coffee, tea", "Crib", "Iron", "Host's cat"]


def postgres(items: list[str]) -> str:
    return "{" + ",".join(f'"{item}"' if " " in item else item for item in items) + "}"


@pytest.mark.parametrize("write", [str, json.dumps, postgres])
def test_lists_that_programs_write_are_items(
    write: Callable[[list[str]], str], propose: Callable[..., dict[str, Any]]
) -> None:
    rows = [(write(RNG.sample(GOODS, RNG.randrange(6))), RNG.randrange(30, 300)) for _ in range(400)]
    conf = propose("homes.csv", pl.DataFrame(rows, ["has", "price"], orient="row").write_csv())
    assert conf["tokens"] == [{"kind": "items", "columns": "has"}]
    assert conf["task"] == {"kind": "regression", "target": "price"}


@pytest.mark.parametrize("write", [str, json.dumps])
def test_objects_in_lists_are_items_by_their_names(
    write: Callable[[list[Any]], str], propose: Callable[..., dict[str, Any]]
) -> None:
    some = [[{"id": GOODS.index(one), "name": one} for one in RNG.sample(GOODS, RNG.randrange(6))] for _ in range(400)]
    rows = [(write(one), RNG.randrange(30, 300)) for one in some]
    conf = propose("homes.csv", pl.DataFrame(rows, ["has", "price"], orient="row").write_csv())
    assert conf["tokens"] == [{"kind": "items", "columns": "has"}]


def test_ids_in_braces_are_neither_lists_nor_texts(propose: Callable[..., dict[str, Any]]) -> None:
    ids = ["{" + str(uuid.UUID(int=RNG.getrandbits(128))) + "}" for _ in range(400)]
    rows = [(one, RNG.choice(["red", "blue", "grey", "pink", "lime", "gold"]), RNG.random()) for one in ids]
    conf = propose("things.csv", pl.DataFrame(rows, ["id", "colour", "price"], orient="row").write_csv())
    assert conf["tokens"] == [{"kind": "value", "columns": ["colour"]}]


def orders(n: int) -> list[dict[str, Any]]:
    lines = [{"sku": f"S{i}", "name": f"Thing {i}", "shelf": f"shelf {i % 9}"} for i in range(60)]
    chosen = [RNG.sample(lines, RNG.randrange(2, 6)) for _ in range(n)]
    return [
        {"order": f"o{i}", "lines": [{**line, "box": RNG.choice("abc")} for line in some]}
        for i, some in enumerate(chosen)
    ]


def test_of_columns_of_lists_that_follow_from_another_none_gives_it_away(
    propose: Callable[..., dict[str, Any]],
) -> None:
    conf = propose("orders.ndjson", "\n".join(map(json.dumps, orders(400))))
    assert [tokens["columns"] for tokens in conf["tokens"]] == ["lines.name", "lines.box"]
    assert "lines.sku, lines.shelf would give them away" in conf["text"]


def test_what_is_left_out_does_not_depend_on_the_order_of_the_columns(propose: Callable[..., dict[str, Any]]) -> None:
    rows = [{**order, "lines": [dict(reversed(line.items())) for line in order["lines"]]} for order in orders(400)]
    conf = propose("orders.ndjson", "\n".join(map(json.dumps, rows)))
    assert [tokens["columns"] for tokens in conf["tokens"]] == ["lines.box", "lines.name"]


def test_what_follows_from_an_item_may_help_to_predict_something_else(propose: Callable[..., dict[str, Any]]) -> None:
    rows = [{**order, "cost": RNG.randrange(30, 300)} for order in orders(400)]
    conf = propose("orders.ndjson", "\n".join(map(json.dumps, rows)))
    assert [tokens["columns"] for tokens in conf["tokens"]] == ["lines.name", "lines.shelf", "lines.box"]


def test_names_that_several_ids_share_do_not_stand_for_them(propose: Callable[..., dict[str, Any]]) -> None:
    rows = orders(400)
    for line in (line for order in rows for line in order["lines"]):
        line["name"] = f"Thing {int(line['sku'][1:]) // 2}"
    conf = propose("orders.ndjson", "\n".join(map(json.dumps, rows)))
    assert [tokens["columns"] for tokens in conf["tokens"]] == ["lines.sku", "lines.box"]


@pytest.mark.parametrize(("n", "dimensions"), [(200, [4, 8, 32]), (300, [8, 32]), (9, [2])])
def test_of_few_tokens_a_few_dimensions_are_tried_too(
    n: int, dimensions: list[int], propose: Callable[..., dict[str, Any]]
) -> None:
    lists = [";".join(f"item {i}" for i in RNG.sample(range(n), 7)) for _ in range(1_500)]
    assert propose("lists.csv", "items\n" + "\n".join(lists))["dimensions"] == dimensions


def test_lines_of_sentences_are_texts_and_no_lists(propose: Callable[..., dict[str, Any]]) -> None:
    words = ["the", "cat", "sat", "on", "this", "mat", "and", "then", "it", "went", "home", "to", "eat", "all", "fish"]
    some = [" ".join(RNG.sample(words, RNG.randrange(5, 12))) for _ in range(400)]
    lines = [f"{text}{', too' * (i % 3)}." for i, text in enumerate(some)]
    conf = propose("said.txt", "\n".join(lines))
    assert conf["tokens"] == [{"kind": "words", "columns": "line"}]
    some = ["".join(RNG.choices("书很好看质量不错孩子喜欢", k=RNG.randrange(8, 30))) for _ in range(400)]
    lines = [text + ",不" * (i % 3) for i, text in enumerate(some)]
    conf = propose("said_in_chinese.txt", "\n".join(lines * 2))  # each one twice, as in many a collection
    assert conf["tokens"] == [{"kind": "characters", "columns": "line", "ngrams": [2, 3]}]


def test_lists_with_a_blank_behind_each_comma_are_no_sentences(propose: Callable[..., dict[str, Any]]) -> None:
    lines = [", ".join(RNG.sample([*GOODS[:4], "Sofa", "Desk", "Lamp"], RNG.randrange(2, 7))) for _ in range(400)]
    conf = propose("rooms.txt", "\n".join(lines))
    assert conf["tokens"] == [{"kind": "items", "columns": "line", "delimiter": ","}]


def test_lists_of_peoples_names_with_commas_are_items(propose: Callable[..., dict[str, Any]]) -> None:
    first, last = ("Ann", "Bob", "Cid", "Eve Mary", "Jo de"), ("Reed", "Hill", "Stone", "Wood", "Moss", "Lake")
    people = [f"{one} {other}" for one in first for other in last]
    rows = [", ".join(RNG.sample(people, RNG.randrange(3, 7))) for _ in range(400)]
    conf = propose("films.csv", pl.DataFrame({"film": range(1000, 1400), "cast": rows}).write_csv())
    assert conf["tokens"] == [{"kind": "items", "columns": "cast", "delimiter": ","}]


def test_a_slash_divides_items_and_no_path(propose: Callable[..., dict[str, Any]]) -> None:
    def tokens(has: list[str]) -> list[dict[str, Any]]:
        cost = [RNG.randrange(30, 300) for _ in has]
        found: list[dict[str, Any]] = propose("homes.csv", pl.DataFrame({"has": has, "cost": cost}).write_csv())[
            "tokens"
        ]
        return found

    lists = [" / ".join(RNG.sample(["lift", "garden", "sauna", "view"], RNG.randrange(1, 4))) for _ in range(400)]
    assert tokens(lists) == [{"kind": "items", "columns": "has", "delimiter": " / "}]
    paths = [RNG.choice(["Audio / Radios", "Audio / Phones", "Books / Comics", "Books / Maps"]) for _ in range(400)]
    assert tokens(paths) == [{"kind": "value", "columns": ["has"]}]
