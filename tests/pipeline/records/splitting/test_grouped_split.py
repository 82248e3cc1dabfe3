"""Examples of one group stay on one side, whatever their sizes are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.errors import PipelineError
from pipeline.records.pairs.builder import pair_table
from pipeline.records.splitting.assignment import Assignment, assign
from pipeline.records.splitting.grouped_split import folds_of_groups, parts_of_groups

BASE: dict[str, Any] = {
    "description": "d",
    "source": {"path": "unused.csv"},
    "tokens": [{"kind": "value", "columns": "item"}],
    "task": {"kind": "regression", "target": "price"},
    "split": {"group": "customer"},
    "dimensions": [1],
}


@pytest.fixture
def orders(write_conf: Callable[..., Path]) -> Dataset:
    return load(write_conf("orders", BASE))


@pytest.fixture
def in_folds(write_conf: Callable[..., Path]) -> Dataset:
    return load(write_conf("orders", {**BASE, "split": {"group": "customer", "folds": 4}}))


def rows(customers: list[Any]) -> pl.DataFrame:
    """One order of each of these customers."""
    n = len(customers)
    return pl.DataFrame(
        {"customer": customers, "item": [f"i{i % 7}" for i in range(n)], "price": [float(i) for i in range(n)]}
    )


def assigned(records: pl.DataFrame, conf: Dataset, before: pl.DataFrame | None = None) -> Assignment:
    return assign(pair_table(records.lazy(), conf), conf, before)


def test_no_customer_is_on_two_sides_and_the_shares_are_met(orders: Dataset) -> None:
    records = rows([f"c{i % 150}" for i in range(600)])
    examples = assigned(records, orders).examples
    of_customer = records.select("customer").with_columns(examples["split"]).unique()
    assert of_customer.height == 150
    assert dict(examples["split"].value_counts().iter_rows()) == {"train": 420, "validation": 60, "test": 120}
    assert examples["group"].n_unique() == 150


def test_the_sentence_tells_how_many_groups_each_part_has(orders: Dataset, in_folds: Dataset) -> None:
    records = rows([i % 150 for i in range(600)])
    assert assigned(records, orders).divided == (
        "All examples with the same customer stay together: 150 groups, 105 to train, 15 to validate, 30 to test."
    )
    said = "All examples with the same customer stay together: 150 groups in 4 folds."
    assert assigned(records, in_folds).divided == said


@given(st.lists(st.integers(1, 60), min_size=3, max_size=40), st.integers(0, 5))
def test_each_part_has_a_group_and_misses_its_size_by_less_than_one(sizes: list[int], seed: int) -> None:
    conf = Dataset.model_validate({**BASE, "name": "orders", "training": {}, "seed": seed})
    groups = np.repeat(np.arange(len(sizes), dtype=np.uint64), sizes)
    n = len(groups)
    wanted = max(1, round(0.1 * n)), max(1, round(0.2 * n))
    parts = parts_of_groups(groups, wanted, np.full(n, -1), conf)
    assert all(len(set(parts[groups == group])) == 1 for group in set(groups))
    assert set(parts) == {0, 1, 2}
    for part, size in enumerate(wanted, 1):
        assert (parts == part).sum() < 2 * size or len(set(groups[parts == part])) == 1


@given(st.lists(st.integers(1, 30), min_size=5, max_size=40))
def test_folds_are_as_even_as_the_groups_allow(sizes: list[int]) -> None:
    conf = Dataset.model_validate({**BASE, "name": "orders", "training": {}, "split": {"group": "c", "folds": 4}})
    groups = np.repeat(np.arange(len(sizes), dtype=np.uint64), sizes)
    fold = folds_of_groups(groups, conf)
    assert all(len(set(fold[groups == group])) == 1 for group in set(groups))
    held = np.bincount(fold, minlength=4)
    assert held.min() > 0
    assert held.max() - held.min() <= max(sizes)


def test_the_order_of_the_records_plays_no_part(write_conf: Callable[..., Path]) -> None:
    conf = load(write_conf("orders", {**BASE, "example": "order"}))
    records = rows([i % 40 for i in range(200)]).with_columns(order=pl.format("o{}", pl.int_range(200)))
    there, shuffled = (assigned(some, conf).examples for some in (records, records.sample(fraction=1, shuffle=True)))
    assert there.equals(shuffled)


def test_an_example_in_two_groups_is_refused(write_conf: Callable[..., Path]) -> None:
    conf = load(write_conf("orders", {**BASE, "example": "order"}))
    records = rows(["a", "a", "b", "c"]).with_columns(order=pl.Series(["x", "y", "y", "z"]))
    with pytest.raises(PipelineError, match=r"orders.yaml, split.group: 'customer' varies within an example.*'y'"):
        assigned(records, conf)


def test_too_few_groups_are_refused(orders: Dataset, in_folds: Dataset) -> None:
    with pytest.raises(PipelineError, match=r"split.group: 2 groups of 'customer' are too few for 3 parts"):
        assigned(rows(["a", "b"] * 20), orders)
    with pytest.raises(PipelineError, match=r"split.group: 4 groups of 'customer' are too few for 4 folds"):
        assigned(rows(["a", "b", "c", "d"] * 20), in_folds)


def test_a_new_order_of_a_known_customer_gets_the_customer_s_part(write_conf: Callable[..., Path]) -> None:
    conf = load(write_conf("orders", {**BASE, "example": "order"}))
    records = rows([i % 100 for i in range(500)]).with_columns(order=pl.format("o{}", pl.int_range(500)))
    before = assigned(records.head(400).filter(pl.col("customer") < 90), conf).examples.select("example", "split")
    after = assigned(records, conf, before).examples
    parts = records.with_columns(example="order").join(after, on="example").group_by("customer").agg("split")
    assert all(len(set(of_customer)) == 1 for of_customer in parts["split"])
    kept = before.join(after, on="example")
    assert (kept["split"] == kept["split_right"]).all()


def test_groups_do_not_go_with_another_way_to_split(write_conf: Callable[..., Path]) -> None:
    for other in ({"time": "at"}, {"column": "part"}):
        with pytest.raises(PipelineError, match="`group` goes with `folds`, or with the shares"):
            load(write_conf("orders", {**BASE, "split": {"group": "customer", **other}}))


def test_one_group_of_nearly_all_leaves_the_others_for_both_held_out_parts(orders: Dataset) -> None:
    customers = ["giant"] * 930 + [f"c{i % 35}" for i in range(70)]
    examples = assigned(rows(customers), orders).examples
    parts = examples.with_columns(customer=pl.Series(customers)).group_by("split").agg(pl.col("customer").n_unique())
    n_of = dict(parts.iter_rows())
    assert n_of["validation"] >= 5
    assert n_of["test"] >= 10
    assert examples.filter(split="train").height >= 930
