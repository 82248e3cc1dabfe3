"""Where lists have an order, examples know it, and what is seen of them looks at what came last in what is seen."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline.config.files import load
from pipeline.examples.recency import ages_of, decayed
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.vocabulary.vocabulary import Vocabulary
from tests.conftest import encoded_from

EVENINGS = pl.DataFrame({"songs": ["b a c b d", "c d a b", "d a", "a d c b", "b c d a"]})
IN_ORDER: dict[str, Any] = {
    "description": "Songs of evenings.",
    "tokens": [{"kind": "items", "columns": "songs", "delimiter": " "}],
    "split": {"hold_out": "last"},
    "task": {"kind": "missing_tokens"},
    "dimensions": [2],
}
Encoded = Callable[..., tuple[Vocabulary, SparseExamples]]


@pytest.fixture
def encoded(write_conf: Callable[..., Path]) -> Encoded:
    def make(frame: pl.DataFrame, **settings: Any) -> tuple[Vocabulary, SparseExamples]:
        return encoded_from(frame, load(write_conf("songs", {**IN_ORDER, **settings}, frame)))

    return make


def ages(encoded: tuple[Vocabulary, SparseExamples], rows: Any) -> list[dict[str, int]]:
    """The age of each token of some rows."""
    vocabulary, _ = encoded
    tokens, lengths, _, of_tokens = rows.lists(slice(None))
    names = vocabulary.decode(tokens)
    parts = np.split(np.arange(len(tokens)), np.cumsum(lengths)[:-1])
    return [{names[i]: int(of_tokens[i]) for i in part} for part in parts]


def test_a_token_is_as_old_as_many_times_came_after_it_in_what_is_seen(encoded: Encoded) -> None:
    made = encoded(EVENINGS)
    _, examples = made
    # b came first, and once more: its first time counts
    assert ages(made, examples.training().inputs)[0] == {"b": 1, "a": 0}
    assert ages(made, examples.held_out("validation").inputs)[0] == {"b": 1, "a": 0}
    assert ages(made, examples.held_out("test").inputs)[0] == {"b": 2, "a": 1, "c": 0}
    assert ages(made, examples.everything().inputs)[0] == {"b": 3, "a": 2, "c": 1, "d": 0}
    assert ages(made, examples.held_out("test").inputs.cut(np.array([1, 0])))[1] == {"b": 2, "a": 1, "c": 0}


def test_what_came_at_the_same_time_has_the_same_age(encoded: Encoded) -> None:
    rows = [("x", "a", 5), ("x", "b", 9), ("x", "c", 9), ("x", "d", 12), ("x", "e", 40), ("y", "a", 1), ("y", "b", 2)]
    frame = pl.DataFrame(rows, schema=["user", "film", "at"], orient="row")
    how = {"example": "user", "tokens": [{"kind": "value", "columns": "film"}], "vocabulary": {"min_count": 1}}
    for split in ({"time": "at", "hold_out": "last"}, {"time": "at", "validation": 0.15, "test": 0.15}):
        made = encoded(frame.sample(fraction=1, shuffle=True, seed=1), split=split, **how)
        assert ages(made, made[1].training().inputs) == [{"a": 1, "b": 0, "c": 0}, {"a": 1, "b": 0}]


def test_later_tokens_count_more_and_one_on_average(encoded: Encoded) -> None:
    vocabulary, examples = encoded(EVENINGS)
    rows = examples.held_out("test").inputs
    assert rows.weights is None
    assert (rows.csr().data == 1).all()
    first = rows.recent(0.5)[:1]
    told = dict(zip(vocabulary.decode(first.indices), first.data, strict=True))
    assert told == pytest.approx({"b": 3 / 7, "a": 6 / 7, "c": 12 / 7})
    heavy = replace(rows, weights=np.full(len(rows.indices), 2.0, np.float32)).recent(0.5)[:1]
    assert heavy.data == pytest.approx(2 * first.data)


def test_examples_without_an_order_have_no_ages_and_the_file_keeps_those_of_others(
    encoded: Encoded, tmp_path: Path
) -> None:
    _, bags = encoded(EVENINGS, split={"validation": 0.2, "test": 0.2})
    assert not len(bags.times)
    assert bags.training().inputs.lists(slice(None)).ages is None
    made = encoded(EVENINGS)
    made[1].save(tmp_path)
    again = made[0], SparseExamples.load(tmp_path)
    assert ages(again, again[1].held_out("test").inputs) == ages(made, made[1].held_out("test").inputs)
    assert made[1].fingerprint == again[1].fingerprint
    (tmp_path / "times.npy").unlink()  # an earlier version wrote none
    assert SparseExamples.load(tmp_path).training().inputs.times is None


def test_of_a_long_list_even_the_first_token_counts_something() -> None:
    counts = decayed(ages_of(np.arange(5000), np.array([5000])), np.array([5000]), 0.01)
    assert (counts > 0).all()
    assert counts[-1] == counts.max()
