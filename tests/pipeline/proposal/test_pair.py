"""Which columns are proposed as those of examples and of tokens, where each row is a pair of them."""

import random
from collections.abc import Callable
from typing import Any

import polars as pl

RNG = random.Random(6)


def test_where_each_person_has_an_answer_to_each_question_no_token_is_missing(
    propose: Callable[..., dict[str, Any]],
) -> None:
    pairs = [(f"P{person}", f"Q{item}", RNG.choice(["yes", "no"])) for person in range(100) for item in range(12)]
    schema = ["person", "item", "answer"]
    conf = propose("answers.csv", pl.DataFrame(pairs, schema, orient="row").write_csv())
    assert "example" not in conf
    assert conf["task"] == {"kind": "classification", "target": "answer"}
    assert conf["tokens"][0]["columns"] == ["person", "item"]
    some = [pair for pair in pairs if RNG.random() < 0.7]
    conf = propose("answers.csv", pl.DataFrame(some, schema, orient="row").write_csv())
    assert (conf["example"], conf["tokens"][0]["columns"]) == ("person", "item")
    assert "# some values of item predict the others of a list" in conf["text"]


def test_the_ends_of_edges_are_a_pair_though_some_have_several_edges(propose: Callable[..., dict[str, Any]]) -> None:
    ports = [f"{a}{b}T" for a in "ABCDEFGHIJ" for b in "ABCDEFGHIJ"]
    edges = [
        (line, ports.index(a), a, ports.index(b), b)
        for a in ports
        for b in RNG.sample(ports, 9)
        for line in RNG.sample(["AA", "UA", "DL", "WN"], 2)
    ]
    names = ["Line", "SourceID", "Source", "DestinationID", "Destination"]
    conf = propose("routes.csv", pl.DataFrame(edges, names, orient="row").write_csv())
    assert (conf["example"], conf["tokens"][0]["columns"]) == ("Source", "Destination")


def test_personal_spending_is_no_person_and_a_revenue_no_venue(propose: Callable[..., dict[str, Any]]) -> None:
    frame = pl.DataFrame(
        {
            "private": RNG.choices(["yes", "no"], k=600),
            "Personal": [50 * RNG.randint(4, 80) for _ in range(600)],
            "Revenue": [RNG.randint(20, 98) for _ in range(600)],
        }
    )
    conf = propose("colleges.csv", frame.write_csv())
    assert "example" not in conf
    assert conf["task"] == {"kind": "regression", "target": "Revenue", "dense": ["Personal"]} | (
        {"log": False} if conf["task"].get("log") is False else {}
    )


def test_the_parts_of_an_assembly_are_a_list(propose: Callable[..., dict[str, Any]]) -> None:
    parts = [
        (f"ASM-{i:03d}", 10 * (j + 1), f"P-{part:02d}", f"part {part}", RNG.randrange(1, 9), RNG.choice("AB"))
        for i in range(200)
        for j, part in enumerate(RNG.sample(range(20), RNG.randrange(3, 8)))
    ]
    names = ["assembly", "pos", "part_no", "part_name", "qty", "rev"]
    conf = propose("bill_of_materials.csv", pl.DataFrame(parts, names, orient="row").write_csv())
    assert (conf["example"], conf["tokens"]) == (
        "assembly",
        [{"kind": "value", "columns": "part_no", "label": "part_name"}],
    )
