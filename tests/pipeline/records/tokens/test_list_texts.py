"""Lists that are written as text."""

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records.tokens.items import ItemTokens
from pipeline.records.tokens.list_texts import lists

LISTS = st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), max_size=4), min_size=1)


def postgres(items: list[str]) -> str:
    """An array as PostgreSQL writes it, with all items in quotes."""
    quoted = ['"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"' for item in items]
    return "{" + ",".join(quoted) + "}"


@given(items=LISTS)
def test_what_python_and_postgresql_and_json_write_is_read_as_it_was(items: list[list[str]]) -> None:
    for write in (str, json.dumps, postgres):
        assert lists(pl.Series([write(one) for one in items], dtype=pl.String)).to_list() == items
    mixed = [text for one in items for text in (str(one), json.dumps(one), postgres(one))]
    assert lists(pl.Series(["no list", None, *mixed])).to_list() == [None, None, *(one for one in items for _ in "abc")]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("['salt', 'olive oil']", ["salt", "olive oil"]),
        ("['it\\'s', \"caf\\xe9\",]", ["it's", "café"]),
        ('{TV,Wifi,"Air conditioning", Queen size bed}', ["TV", "Wifi", "Air conditioning", "Queen size bed"]),
        ("[1, 2, None, nan, True]", ["1", "2", None, None, "True"]),
        ("[null, true]", [None, "true"]),
        ("{NULL,null}", [None, "null"]),
        ("{}", []),
        ('[{"id": 28, "name": "Action"}, {"id": 18, "name": "Drama"}]', ["Action", "Drama"]),
        ("[{'id': 28, 'name': 'Action', 'main': True}, 'Drama']", ["Action", "Drama"]),
        ('[{"id": 28}, {"of": 3, "title": "It\'s"}]', ["28", "It's"]),
        *(
            (text, None)
            for text in (
                '[{"of": 3}]',
                '[{"name": ["a"]}]',
                "[{'a\\d': 1}]",
                "[{'a': f(x)}]",
                "",
                "a, b",
                "['a' 'b']",
                "['a'",
                "[['a'], 'b']",
                "{{a},{b}}",
                "{{1}}",
                "[{[1]: 2}]",
                '{"a": 1}',
                "[f(x)]",
            )
        ),
    ],
)
def test_other_texts_are_no_lists(text: str, found: list[str | None] | None) -> None:
    assert lists(pl.Series([text, "neither"])).to_list() == [found, None]


def test_a_text_that_is_no_list_cannot_be_used() -> None:
    kind = ItemTokens.model_validate({"kind": "items", "columns": ["x"]})
    frame = pl.DataFrame({"x": ["['a ', '']", "{b}", '["c"]', "d", None]})
    ((reason, is_bad),) = kind.rules("x", pl.String())
    items = kind.texts("x", pl.String())
    assert reason == "is no list of items (does `tokens` lack a `delimiter`?)"
    assert items is not None
    assert frame.select(is_bad).to_series().fill_null(False).to_list() == [False, False, False, True, False]
    assert frame.select(items).to_series().to_list() == [["a"], ["b"], ["c"], None, None]
