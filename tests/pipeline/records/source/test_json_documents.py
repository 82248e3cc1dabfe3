"""JSON as people write it, and the records that are read from it."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.records import Source
from pipeline.errors import PipelineError
from pipeline.records.source import streams
from pipeline.records.source.files import Files

USERS = [{"user": "ann", "items": ["x", "y"]}, {"user": "bob\nthe \u00e9 one", "items": []}]


def read(folder: Path, text: str, **settings: Any) -> pl.DataFrame:
    """The records of a file with some JSON."""
    (folder / "some.json").write_text(text)
    files = Files(Source(path=("some.json",), **settings), folder, (), folder)
    return pl.concat([batch.frame for batch in files.batches()])


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(USERS),
        json.dumps(USERS, indent=2),
        "\n".join(map(json.dumps, USERS)),
        "\n".join(json.dumps(one, indent=1) for one in USERS),
        json.dumps({"made": "today", "users": USERS}),
        json.dumps({"status": "ok", "data": {"page": 1, "users": USERS}}),
        json.dumps({"took": 3, "_shards": {"total": 5}, "hits": {"total": {"value": 2}, "hits": USERS}}),
        json.dumps({"library": {"users": {"user": USERS}}}),
        json.dumps({"user": dict(enumerate(u["user"] for u in USERS * 2))})[:-1]
        + ', "items": '
        + json.dumps(dict(enumerate(u["items"] for u in USERS * 2)))
        + "}",
    ],
    ids=[
        "one line",
        "indented",
        "an object a line",
        "objects over lines",
        "in a field",
        "of a service",
        "of a search",
        "as XML nests it",
        "as pandas writes a frame",
    ],
)
def test_however_the_objects_are_written_they_are_the_records(text: str, tmp_path: Path) -> None:
    found = read(tmp_path, text)
    assert found.unique(maintain_order=True).to_dicts() == USERS


@pytest.mark.parametrize(
    "text", ['{"ann": ["x", "y"], "bob": []}', '{"ann": {"items": ["x", "y"]}, "bob": {"items": []}}']
)
def test_an_object_that_maps_ids_to_lists_is_a_record_for_each_id(text: str, tmp_path: Path) -> None:
    assert read(tmp_path, text).to_dicts() == [{"key": "ann", "items": ["x", "y"]}, {"key": "bob", "items": []}]


def test_an_object_that_maps_ids_to_orders_is_a_record_for_each_id(tmp_path: Path) -> None:
    text = '{"ann": {"orders": [{"sku": "x"}]}, "bob": {"orders": []}}'
    assert read(tmp_path, text).to_dicts() == [
        {"key": "ann", "orders.sku": ["x"]},
        {"key": "bob", "orders.sku": []},
    ]


def test_lists_without_names_are_items(tmp_path: Path) -> None:
    assert read(tmp_path, '[["x", "y"], ["z"]]')["items"].to_list() == [["x", "y"], ["z"]]


@given(
    values=st.lists(
        st.fixed_dictionaries({"a": st.text(), "b": st.integers(-(2**40), 2**40)}), min_size=1, max_size=30
    ),
    size=st.integers(4, 60),
    indent=st.sampled_from([None, 1]),
)
def test_records_are_the_same_however_large_a_block_is(
    values: list[dict[str, Any]], size: int, indent: int | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("blocks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "BLOCK", size)
        text = json.dumps(values, indent=indent, ensure_ascii=True)
        found = read(folder, text, format="json").select("a", "b").to_dicts()
    assert found == values


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"a": 1},\n{"a": tru}]', "line 2: is no JSON"),
        ('[{"a": 1},\n{"a": 2', "line 2: is no JSON"),
        ('[{"a": 1},\n{"a": 2},\n', "some.json: the array has no end. Is the file complete"),
        ("user,item\n1,2\n", "line 1: is no JSON"),
        ("[1, 2]", "no line holds a JSON object"),
        ("", "no line holds a JSON object"),
    ],
)
def test_what_is_no_json_or_holds_no_records_is_told_with_its_line(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=said):
        read(tmp_path, text)
