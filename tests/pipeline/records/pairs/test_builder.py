from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline.config.files import load
from pipeline.errors import PipelineError
from pipeline.records.pairs.builder import pair_table


@pytest.fixture
def tokens_of(write_conf: Callable[..., Path]) -> Callable[..., list[list[str]]]:
    """The tokens that a conf makes of each record."""

    def make(records: dict[str, Any], *tokens: dict[str, Any], column: str = "token") -> list[list[str]]:
        settings = {
            "description": "d",
            "source": {"path": "unused.csv"},
            "tokens": list(tokens),
            "task": {"kind": "missing_tokens"},
            "dimensions": [1],
        }
        frame = pl.DataFrame(records)
        table = pair_table(frame.lazy(), load(write_conf("some", settings)))
        texts = table.tokens[column].gather(np.array(table.token))
        return [texts.filter(pl.Series(table.example == row)).to_list() for row in range(frame.height)]

    return make


def test_a_value_is_the_token_as_it_stands_and_null_is_none(tokens_of: Callable[..., list[list[str]]]) -> None:
    value = {"kind": "value", "columns": "id"}
    assert tokens_of({"id": ["007", "Ä b", "", None]}, value) == [["007"], ["Ä b"], [""], []]
    assert tokens_of({"id": [7, 8]}, value) == [["7"], ["8"]]


def test_words_are_lower_cased_runs_of_letters_and_digits(tokens_of: Callable[..., list[list[str]]]) -> None:
    words = {"kind": "words", "columns": "text"}
    texts = {"text": ["The owner's 2-bed flat, ÉTAGE 3!", "", None, "naïve नमस्ते a"]}
    assert tokens_of(texts, words) == [["the", "owner's", "bed", "flat", "étage"], [], [], ["naïve", "नमस्ते"]]
    assert tokens_of({"text": ["A bc"]}, {**words, "min_length": 1, "lowercase": False}) == [["A", "bc"]]


def test_items_come_from_delimited_text_json_or_list_columns(tokens_of: Callable[..., list[list[str]]]) -> None:
    delimited = {"kind": "items", "columns": "genres", "delimiter": "|"}
    assert tokens_of({"genres": ["War| Love", "", None, "War||War"]}, delimited) == [
        ["War", "Love"],
        [],
        [],
        ["War", "War"],
    ]
    items = {"kind": "items", "columns": "list"}
    assert tokens_of({"list": ['["a, b", "c", null]', "[]", None]}, items) == [["a, b", "c"], [], []]
    assert tokens_of({"list": [["a", None], [], None]}, items) == [["a"], [], []]


@pytest.mark.parametrize(
    ("has", "has_not"),
    [
        ([1, 7], [0, -1, None]),
        ([0.5, float("inf")], [0.0, float("nan"), None]),
        ([True], [False, None]),
        (["1", "2,5", " Yes", "x", "TRUE"], ["0", "0,0", "", " no ", "False", "-", None]),
        ([], [None]),
    ],
)
def test_an_indicator_is_the_name_of_a_column_where_its_value_is_above_0_or_yes(
    has: list[Any], has_not: list[Any], tokens_of: Callable[..., list[list[str]]]
) -> None:
    records = {"milk tea": [*has, *has_not], "bread": [1] * len([*has, *has_not])}
    found = tokens_of(records, {"kind": "indicators", "columns": ["milk tea", "bread"]})
    assert found == [["milk tea", "bread"]] * len(has) + [["bread"]] * len(has_not)


def test_a_wide_table_and_a_long_one_come_to_the_same_lists(tokens_of: Callable[..., list[list[str]]]) -> None:
    draw = np.random.default_rng(0).random((500, 30)) < 0.2
    names = np.array([f"item {j}" for j in range(30)])
    wide = {name: draw[:, j].astype(int) for j, name in enumerate(names)}
    lists = {"basket": [names[row].tolist() for row in draw]}
    of_names = tokens_of(wide, {"kind": "indicators", "columns": names.tolist()})
    assert of_names == tokens_of(lists, {"kind": "items", "columns": "basket"})


def test_tokens_of_several_columns_are_qualified_unless_conf_says_no(tokens_of: Callable[..., list[list[str]]]) -> None:
    records = {"Style": ["Two_Story"], "Roof": ["Hip"]}
    both = {"kind": "value", "columns": ["Style", "Roof"]}
    assert tokens_of(records, both) == [["Style=Two_Story", "Roof=Hip"]]
    assert tokens_of(records, {**both, "lowercase": True}) == [["style=two_story", "roof=hip"]]
    assert tokens_of(records, {**both, "qualified": False}) == [["Two_Story", "Hip"]]
    assert tokens_of(records, {**both, "qualified": "is"}) == [["is=Two_Story", "is=Hip"]]
    one = {"kind": "value", "columns": "Style", "qualified": True}
    assert tokens_of(records, one) == [["Style=Two_Story"]]


def test_labels_are_a_column_or_a_template_and_default_to_the_token(tokens_of: Callable[..., list[list[str]]]) -> None:
    records = {"id": [1, 2, 3], "title": ["Heat", "Alien", None], "year": [1995, None, None]}
    value = {"kind": "value", "columns": "id"}
    assert tokens_of(records, {**value, "label": "title"}, column="label") == [["Heat"], ["Alien"], ["3"]]
    template = {**value, "label": "{title} ({year})"}
    assert tokens_of(records, template, column="label") == [["Heat (1995)"], ["Alien (?)"], ["3"]]


def test_a_column_from_which_such_tokens_cannot_be_made_is_refused_with_the_cure(
    tokens_of: Callable[..., list[list[str]]],
) -> None:
    with pytest.raises(PipelineError, match="column 'n' holds Int64: make its tokens with `kind: value`"):
        tokens_of({"n": [1]}, {"kind": "words", "columns": "n"})
    with pytest.raises(PipelineError, match="make its tokens with `kind: items`"):
        tokens_of({"l": [["a"]]}, {"kind": "value", "columns": "l"})
    for kind, value in (("items", [["a"]]), ("value", [["a"]]), ("value", timedelta(1))):
        with pytest.raises(PipelineError, match=r"column 'l' holds .* which has no texts: bring texts"):
            tokens_of({"l": [value]}, {"kind": kind, "columns": "l"})


def test_the_records_columns_may_have_any_name(tokens_of: Callable[..., list[list[str]]]) -> None:
    """The pipeline's own columns are called example, token, label and part: those of the records may be too."""
    records = {"example": ["x", "y"], "token": ["a", "b"], "part": ["p", "q"], "label": ["l", "m"]}
    records |= {"_example": ["u", "v"]}
    columns = ["example", "token", "part", "label"]
    made = tokens_of(records, {"kind": "value", "columns": columns, "qualified": False, "label": "token"})
    assert made == [["x", "a", "p", "l"], ["y", "b", "q", "m"]]
